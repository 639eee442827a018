"""What is asked of Kubernetes for one attempt: a Pod, and a Secret where its registry wants a login. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from trivet.engines import Attempt
from trivet.engines.confinement import CAPABILITIES
from trivet.images import references
from trivet.tasks.task import ContainerImage, Resources
from trivet.tasks.work import Invocation, Login, Mount, PodSettings

RUN_LABEL = "trivet.run"
ATTEMPT_LABEL = "trivet.attempt"
TASK_LABEL = "trivet.task"
CONTAINER = "main"
"""The name of the one container of a pod."""

NAME_LENGTH = 62
"""Characters of a name at most: it becomes the host name, and DICOM tools stumble over longer ones."""

_DIGITS = 10
_SECRET_KEY = ".dockerconfigjson"  # noqa: S105 (the name of a key)
_HUB_KEY = "https://index.docker.io/v1/"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,60}[a-z0-9])?", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_LABEL_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*", re.ASCII)
_USER = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?", re.ASCII)


def dns_label(text: str) -> str:
    """The one name that stands for a text: a DNS label (RFC 1123) of at most 62 characters.

    A text that is one already stays as it is; any other gets a part of its SHA-256, so that no two share a name.
    """
    if _NAME.fullmatch(text):
        return text
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[: NAME_LENGTH - _DIGITS - 1].strip("-")
    return f"{words or 'x'}-{_digest(text)}"


def label_value(text: str) -> str:
    """A text as the value of a label, where it is not one already with a part of its SHA-256."""
    if _LABEL.fullmatch(text):
        return text
    words = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.")[: 63 - _DIGITS - 1].strip("-_.")
    return f"{words or 'x'}-{_digest(text)}"


def objects(attempt: Attempt) -> list[dict[str, Any]]:
    """What is created for an attempt without `faults`, in this order: a Secret where there is a login, and the Pod."""
    login = attempt.invocation.login
    return [*([] if login is None else [secret(login, _namespace(attempt.invocation))]), pod(attempt)]


def faults(invocation: Invocation) -> Iterator[str]:
    """What can be known to be wrong before the cluster is asked."""
    program, settings = invocation.program, invocation.pod or PodSettings()
    if not isinstance(program, ContainerImage):
        yield "the task's program is not a container image; only images run on Kubernetes"
    elif program.archive is not None:
        yield f"the image is in {program.archive}; push it to a registry of the cluster, and name it by --image"
    elif not program.reference:
        yield "the task names no image; give one (--image NAME)"
    if not settings.namespace:
        yield "no namespace is given, and none is taken for granted: --namespace NAME, or `namespace` in `config`"
    elif not _NAMESPACE.fullmatch(settings.namespace):
        yield f"{settings.namespace!r} is no name of a namespace: lower-case letters, digits and dashes"
    yield from _mount_faults(invocation.mounts, settings)
    for name in invocation.environment:
        if not _VARIABLE.fullmatch(name):
            yield f"Kubernetes refuses {name!r} as the name of a variable"
    for key, value in invocation.labels.items():
        prefix, _, name = key.rpartition("/")
        if not _LABEL.fullmatch(name) or ("/" in key and not _LABEL_PREFIX.fullmatch(prefix)):
            yield f"Kubernetes refuses {key!r} as the name of a label"
        if value and not _LABEL.fullmatch(value):
            yield f"Kubernetes refuses {value!r} as the value of the label {key}; an annotation may hold it"
    if invocation.user and not _USER.fullmatch(invocation.user):
        yield f"the user {invocation.user!r} must be given by numbers (UID or UID:GID)"


def pod(attempt: Attempt) -> dict[str, Any]:
    """The Pod of an attempt (Kubernetes API, core/v1). It gives the program what the other engines give it: every ``$``
    stands for itself, and no variable is set but those of the invocation."""
    invocation = attempt.invocation
    settings = invocation.pod or PodSettings()
    pull = [*([] if invocation.login is None else [secret_name(invocation.login)]), *settings.pull_secrets]
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": math.ceil(invocation.grace),
        "activeDeadlineSeconds": None if invocation.time_limit is None else max(math.ceil(invocation.time_limit), 1),
        "imagePullSecrets": [{"name": name} for name in dict.fromkeys(pull)],
        "containers": [_without_nothing(_container(invocation, settings))],
        "volumes": [*map(_volume, invocation.mounts), *settings.volumes],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(attempt),
            "namespace": _namespace(invocation),
            "labels": {**invocation.labels, **_labels(attempt)},
            "annotations": {**settings.annotations, ATTEMPT_LABEL: attempt.id},
        },
        "spec": _without_nothing(spec),
    }


def pod_name(attempt: Attempt) -> str:
    """The one name of an attempt's Pod."""
    return dns_label("/".join(filter(None, [attempt.invocation.title, attempt.id])))


def secret(login: Login, namespace: str) -> dict[str, Any]:
    """The Secret that lets the cluster pull (Kubernetes API, kubernetes.io/dockerconfigjson).

    It is one for each user of a registry, so that a password that was changed takes the place of the old one. The
    server stands in it as the user wrote it, and as its host alone.
    """
    auth = b64encode(f"{login.username}:{login.password}".encode()).decode()
    entry = {"username": login.username, "password": login.password, "auth": auth}
    host = references.host_of(login.server)
    keys = dict.fromkeys([_HUB_KEY if host == references.HUB else host, login.server])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(login),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "trivet"},
        },
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {_SECRET_KEY: json.dumps({"auths": dict.fromkeys(keys, entry)})},
    }


def secret_name(login: Login) -> str:
    """The one name of the Secret for a user of a registry."""
    return dns_label(f"registry/{references.host_of(login.server)}/{login.username}")


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """An object as it may be shown: without the password of a Secret."""
    if document["kind"] != "Secret":
        return document
    config = json.loads(document["stringData"][_SECRET_KEY])
    shown = {server: {**entry, "password": "***", "auth": "***"} for server, entry in config["auths"].items()}
    return {**document, "stringData": {_SECRET_KEY: json.dumps({"auths": shown})}}


def _container(invocation: Invocation, settings: PodSettings) -> dict[str, Any]:
    program = invocation.program
    assert isinstance(program, ContainerImage)  # noqa: S101 (one of the faults)
    name, _, _ = program.reference.partition("@")
    set_by_cluster = {variable.get("name") for variable in settings.environment}
    return {
        "name": CONTAINER,
        "image": f"{name}@{program.digest}" if program.digest else program.reference,
        "imagePullPolicy": settings.pull_policy,
        "command": [_literal(word) for word in invocation.command or ()],
        "args": [_literal(word) for word in invocation.args],
        "workingDir": invocation.workdir,
        "env": [
            *(
                {"name": name, "value": _literal(value)}
                for name, value in invocation.environment.items()
                if name not in set_by_cluster
            ),
            *settings.environment,
        ],
        "resources": _amounts(invocation.resources) if settings.resources is None else dict(settings.resources),
        "volumeMounts": [*map(_volume_mount, invocation.mounts), *settings.mounts],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": list(CAPABILITIES)},
            **_user(invocation.user),
        },
    }


def _literal(text: str) -> str:
    """A text that Kubernetes turns into itself: it replaces ``$(NAME)``, and takes ``$$`` for a dollar sign."""
    return text.replace("$", "$$")


def _user(user: str | None) -> dict[str, int]:
    match = _USER.fullmatch(user or "")
    if match is None:
        return {}
    return {"runAsUser": int(match[1]), **({} if match[2] is None else {"runAsGroup": int(match[2])})}


def _amounts(needs: Resources) -> dict[str, dict[str, str]]:
    limits = {
        "cpu": None if needs.cpus is None else f"{math.ceil(needs.cpus * 1000)}m",
        "memory": None if needs.memory is None else str(needs.memory),
        "nvidia.com/gpu": str(needs.gpus) if needs.gpus else None,
    }
    stated = {key: value for key, value in limits.items() if value is not None}
    return {"limits": stated} if stated else {}


def _volume(mount: Mount) -> dict[str, Any]:
    # A directory that is missing on the node must not come into being as an empty one.
    kind = "DirectoryOrCreate" if mount.writable else "Directory" if mount.directory else "File"
    return {"name": _volume_name(mount), "hostPath": {"path": mount.source, "type": kind}}


def _volume_mount(mount: Mount) -> dict[str, Any]:
    return {"name": _volume_name(mount), "mountPath": mount.target, "readOnly": not mount.writable}


def _volume_name(mount: Mount) -> str:
    return dns_label(mount.target)


def _mount_faults(mounts: tuple[Mount, ...], settings: PodSettings) -> Iterator[str]:
    taken: dict[str, str] = {}
    wanted = [(mount.target, mount.source) for mount in mounts]
    wanted += [(str(one.get("mountPath")), f"volume {one.get('name')}") for one in settings.mounts]
    for target, source in wanted:
        place = str(PurePosixPath(target))
        if not place.startswith("/") or ":" in place or ".." in PurePosixPath(place).parts:
            yield f"{target!r} is no place in a container: an absolute path without colons"
        elif place in taken:
            yield f"{source} and {taken[place]} are both mounted at {target}"
        taken[place] = source
    for mount in mounts:
        if not mount.source.startswith("/") or ".." in PurePosixPath(mount.source).parts:
            yield f"{mount.source!r} is no path that a cluster can mount: it must be absolute, without `..`"
    named: set[str] = set()
    for name in [*map(_volume_name, mounts), *(str(volume.get("name")) for volume in settings.volumes)]:
        if name in named:
            yield f"two volumes are called {name}"
        named.add(name)


def _labels(attempt: Attempt) -> dict[str, str]:
    labels = {
        "app.kubernetes.io/managed-by": "trivet",
        RUN_LABEL: label_value(attempt.id.split("/", 1)[0]),
        ATTEMPT_LABEL: label_value(attempt.id),
    }
    title = attempt.invocation.title
    return {**labels, TASK_LABEL: label_value(title)} if title else labels


def _namespace(invocation: Invocation) -> str:
    return (invocation.pod and invocation.pod.namespace) or ""


def _without_nothing(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value not in (None, [], {})}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
