"""The ``config`` of a task.json: what the platform it runs on is told (Kaapana Task API, DockerConfig and K8sConfig).

Parts of Kubernetes may be written as its documents write them (``mountPath``) or as its Python client does
(``mount_path``); the model has the former.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trivet.contracts.fields import Fields, duplicates, name_of
from trivet.tasks.problem import Problem, closest, nearest

FLAT = ("namespace", "registryUrl", "registryUsername", "registryPassword", "imagePullSecrets")
"""Keys that the oldest form has at the top of a task.json."""

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
OWN_LABELS = "trivet."
"""How the labels begin by which runs are found again."""

VOLUME_SOURCES = (
    *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "configMap", "csi", "downwardAPI"),
    *("emptyDir", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath"),
    *("image", "iscsi", "nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "projected"),
    *("quobyte", "rbd", "scaleIO", "secret", "storageos", "vsphereVolume"),
)
"""What a volume of Kubernetes can be."""

_KUBERNETES = (*FLAT, "env_vars", "volumes", "volume_mounts", "annotations", "imagePullPolicy", "labels", "type")
_FREE = ("labels", "annotations", "matchLabels", "volumeAttributes", "options")
"""Objects whose keys are the user's own."""

_ODD = {"downward_api": "downwardAPI", "scale_io": "scaleIO", "volume_id": "volumeID", "disk_uri": "diskURI"}
_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_LABEL_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


def read_config(fields: Fields) -> Mapping[str, Any]:
    """The configuration of a task in any form, settings at its top moved in; what is wrong with it is noted."""
    section = fields.child("config", null=True)
    moved = {key: fields.data[key] for key in FLAT if fields.has(key)}
    if moved:
        verb = "belongs" if len(moved) == 1 else "belong"
        message = f"{', '.join(f'`{key}`' for key in moved)} {verb} into `config`; current readers drop them"
        fields.note("K005", message, next(iter(moved)), severity="warning", hint="move them into `config`")
        _flat(fields)
    if section is None:
        return {"type": "k8s", **moved} if moved else {}
    kind = section.get("type", str, "k8s", null=True)
    labels = section.child("labels", null=True)
    for key, value in labels.data.items() if labels is not None else ():
        if isinstance(value, dict | list):
            section.note("type", f"label `{key}` must be text, not {name_of(value)}", "labels", key)
    given = {**moved, **section.data} | ({"labels": labels.data if labels else {}} if "labels" in section.data else {})
    if kind == "docker":
        section.unknown()
        return given
    if kind != "k8s":
        message = f"unknown type of configuration `{kind}`; the public implementation would drop all but its labels"
        section.note("K033", message, "type", hint=closest(kind, ("docker", "k8s")))
        return given
    return {**given, **_kubernetes(section)}


def faults(config: Mapping[str, Any], at_top: bool) -> Iterator[Problem]:
    """What of a well-formed configuration is left out, or Kubernetes would refuse; ``at_top`` where its settings stand
    without ``config``. Paths are those of the task.json."""
    for key in config.get("labels", {}):
        if key.startswith(OWN_LABELS):
            message = f"the label `{key}` is left out: names that begin with `{OWN_LABELS}` are Trivet's own"
            yield Problem("K036", message, "warning", path=("config", "labels", key))
    if config.get("type") not in (None, "k8s"):
        return
    where = () if at_top else ("config",)
    namespace = config.get("namespace")
    if isinstance(namespace, str) and namespace and not _NAMESPACE.fullmatch(namespace):
        message = f"{namespace!r} is no name of a namespace: lower-case letters, digits and dashes, at most 63"
        yield Problem("K035", message, "warning", path=(*where, "namespace"))
    for key, value in config.get("labels", {}).items():
        yield from _label(key, value)
    given = [key for key in FLAT[1:4] if config.get(key)]
    if 0 < len(given) < 3:
        lacking = " and ".join(f"`{key}`" for key in FLAT[1:4] if key not in given)
        message = f"registry credentials are used only when they are complete; {lacking} is missing or empty"
        yield Problem("K037", message, "warning", path=(*where, given[0]))
    yield from _volumes(config)
    here = [key for key in ("env_vars", "volumes", "volume_mounts") if config.get(key)]
    if here:
        message = f"{', '.join(f'`{key}`' for key in here)} of `config` reach the program on Kubernetes only"
        hint = "what it needs everywhere belongs into channels and `env`"
        yield Problem("K075", message, "info", hint, path=("config", here[0]))


def volume_source(volume: Mapping[str, Any]) -> list[str]:
    """The kinds of source that a volume of Kubernetes names; a good one names one."""
    return [key for key in VOLUME_SOURCES if key in volume]


def camel(data: Any) -> Any:
    """An object of Kubernetes with its keys as its own documents write them: ``mount_path`` becomes ``mountPath``."""
    if isinstance(data, dict):
        made = {}
        for key, value in data.items():
            key = camel_key(key)
            made[key] = value if key in _FREE else camel(value)
        return made
    return [camel(item) for item in data] if isinstance(data, list) else data


def camel_key(key: str) -> str:
    """One key of an object of Kubernetes as its own documents write it."""
    return _ODD.get(key) or re.sub(r"_([a-z])", lambda match: match[1].upper(), key)


def _flat(fields: Fields) -> None:
    for key in FLAT[:-1]:
        fields.get(key, str, null=True)
    fields.strings("imagePullSecrets", null=True)


def _kubernetes(section: Fields) -> Mapping[str, Any]:
    """The parts that are objects of Kubernetes, in its own spelling."""
    _flat(section)
    policy = section.get("imagePullPolicy", str, "", null=True)
    if policy and policy not in PULL_POLICIES:
        message = f"`imagePullPolicy` must be one of {', '.join(PULL_POLICIES)}, not {policy!r}"
        section.note("type", message, "imagePullPolicy", hint=closest(policy, PULL_POLICIES))
    section.child("annotations", null=True)
    made = {
        "env_vars": [_variable(item) for item in section.objects("env_vars", null=True)],
        "volumes": [_volume(item) for item in section.objects("volumes", null=True)],
        "volume_mounts": [_mount(item) for item in section.objects("volume_mounts", null=True)],
    }
    for key in section.data:
        near = "" if section.asked(key) else nearest(key, _KUBERNETES)
        if near:
            message = f"`{key}` means nothing here; it is kept as it is"
            section.note("unknown", message, key, severity="warning", hint=f"did you mean `{near}`?")
    return {key: value for key, value in made.items() if key in section.data}


def _variable(fields: Fields) -> Any:
    _name(fields)
    fields.get("value", str, null=True)
    fields.child(_spelled(fields, "valueFrom", "value_from"), null=True)
    fields.unknown()
    return camel(fields.data)


def _volume(fields: Fields) -> Any:
    _name(fields)
    return camel(fields.data)


def _mount(fields: Fields) -> Any:
    _name(fields)
    fields.get(_spelled(fields, "mountPath", "mount_path"), str, required=True)
    fields.get(_spelled(fields, "readOnly", "read_only"), bool, null=True)
    fields.get(_spelled(fields, "subPath", "sub_path"), str, null=True)
    rest = ("mountPropagation", "mount_propagation", "subPathExpr", "sub_path_expr", "recursiveReadOnly")
    fields.unknown((*rest, "recursive_read_only"))
    return camel(fields.data)


def _spelled(fields: Fields, documents: str, client: str) -> str:
    return client if client in fields.data and documents not in fields.data else documents


def _name(fields: Fields) -> None:
    fields.get("name", str, "", required=True)
    if fields.data.get("name") == "":
        fields.note("K013", "`name` is empty", "name")


def _label(key: str, value: Any) -> Iterator[Problem]:
    prefix, _, name = key.rpartition("/")
    if not _LABEL_NAME.fullmatch(name) or ("/" in key and not _LABEL_PREFIX.fullmatch(prefix)):
        message = f"Kubernetes refuses {key!r} as the name of a label"
        yield Problem("K036", message, "warning", path=("config", "labels", key))
    if isinstance(value, str) and value and not _LABEL_NAME.fullmatch(value):
        message = f"Kubernetes refuses {value!r} as the value of a label: letters, digits, `-`, `_`, `.`, at most 63"
        yield Problem("K036", message, "warning", path=("config", "labels", key), hint="an annotation may hold it")


def _volumes(config: Mapping[str, Any]) -> Iterator[Problem]:
    volumes: Sequence[Mapping[str, Any]] = config.get("volumes") or ()
    names = [str(volume.get("name", "")) for volume in volumes]
    for index, volume in enumerate(volumes):
        path = ("config", "volumes", index)
        sources = volume_source(volume)
        if len(sources) != 1:
            message = f"volume `{names[index]}` must have one source, " + (
                f"not {' and '.join(f'`{source}`' for source in sources)}" if sources else "but has none"
            )
            strange = [key for key in volume if key != "name" and key not in VOLUME_SOURCES]
            hint = closest(strange[0], VOLUME_SOURCES) if strange else 'write for example "emptyDir": {}'
            yield Problem("K038", message, path=path, hint=hint)
    for index, name in duplicates(names, str):
        if name:
            yield Problem("K038", f"there is more than one volume `{name}`", path=("config", "volumes", index, "name"))
    mounts: Sequence[Mapping[str, Any]] = config.get("volume_mounts") or ()
    for index, mount in enumerate(mounts):
        name, path = str(mount.get("name", "")), ("config", "volume_mounts", index)
        if name and name not in names:
            hint = closest(name, names) or "`volumes` is empty"
            yield Problem("K038", f"no volume is called `{name}`", path=(*path, "name"), hint=hint)
        place = mount.get("mountPath")
        if isinstance(place, str) and (not place.startswith("/") or ":" in place):
            yield Problem("K038", f"{place!r} is no path in a container", path=path, hint="write an absolute path")
    for index, place in duplicates([str(mount.get("mountPath", "")) for mount in mounts], str):
        if place:
            message = f"more than one volume is mounted at {place}"
            yield Problem("K038", message, path=("config", "volume_mounts", index))
    variables: Sequence[Mapping[str, Any]] = config.get("env_vars") or ()
    for index, name in duplicates([str(variable.get("name", "")) for variable in variables], str):
        if name:
            message = f"there is more than one variable `{name}`"
            yield Problem("K012", message, path=("config", "env_vars", index, "name"))
