"""How the parameters of a Cytomine task are said as channels and variables, and what of them can't be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from trivet.contracts.cytomine.matching import groups
from trivet.contracts.cytomine.model import Descriptor
from trivet.tasks import types
from trivet.tasks.problem import Problem
from trivet.tasks.task import MISSING, Port, Task

_ENDINGS = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "dicom": ".dcm", "text": ".txt"}
_UNITS = ("", "Ki", "Mi", "Gi", "Ti")
_TAKEN = re.compile(r"[0-9].*|t_.*|LD_.*|PATH|HOME|PWD|OLDPWD|IFS|ENV|PS[0-9]|LC_ALL|LANG|HOSTNAME|SHELL|USER|_+")
"""Ids that are no names of variables, or that shells, loaders and the wrapper use themselves."""


def in_channel(port: Port) -> bool:
    return isinstance(port.type, types.File | types.Geometry | types.Array)


def variable_name(port: Port, ports: Sequence[Port]) -> str:
    name = port.name
    while _TAKEN.fullmatch(name) or (name != port.name and any(name == other.name for other in ports)):
        name = f"PARAM_{name}"
    return name


def may_be_empty(port: Port) -> bool:
    """Whether nothing at all is a value."""
    return isinstance(port.type, types.String) and not port.optional and port.type.min_length == 0


def bounds(kind: types.Integer) -> Iterator[str]:
    """The least and the largest whole number that are allowed, ``-`` for none."""
    least = [b for b in (kind.minimum, None if kind.above is None else kind.above + 1) if b is not None]
    most = [b for b in (kind.maximum, None if kind.below is None else kind.below - 1) if b is not None]
    yield str(int(max(least))) if least else "-"
    yield str(int(min(most))) if most else "-"


def described(port: Port) -> str:
    title = "" if port.title in ("", port.name) else f"{port.title}: "
    return f"{title}{port.description} ({port.type.describe()}{_more(port.type)})"


def _limits(kind: types.ValueType) -> str:
    """What a type demands that neither the document nor the wrapper looks at."""
    if isinstance(kind, types.Boolean | types.Integer | types.Enumeration | types.Geometry):
        return ""  # the wrapper checks it, or the program itself must
    plain = {types.String: "string", types.File: "file", types.Image: "image"}
    words = kind.describe() + _more(kind)
    return "" if words == plain.get(type(kind)) else words


def _more(kind: types.ValueType) -> str:
    """The limits that `describe` does not tell."""
    inner = types.innermost(kind)
    parts = []
    if isinstance(inner, types.Image) and (inner.max_width or inner.max_height):
        parts.append(f"at most {inner.max_width or 'any'} × {inner.max_height or 'any'} pixels")
    if isinstance(inner, types.File) and inner.max_size is not None:
        parts.append(f"at most {inner.max_size} bytes")
    if isinstance(kind, types.Array) and (kind.min_size or kind.max_size is not None):
        upper = "" if kind.max_size is None else str(kind.max_size)
        parts.append(f"{kind.min_size}–{upper} entries")
    return "".join(f", {part}" for part in parts)


def mode(port: Port) -> str:
    """How the wrapper takes an item: a plain file, an image (its outline beside it), or also a folder of DICOM."""
    inner = types.innermost(port.type)
    if not isinstance(inner, types.Image):
        return "file"
    return "slide" if not inner.formats or "wsidicom" in inner.formats else "image"


def depth(kind: types.ValueType) -> int:
    return 1 + depth(kind.of) if isinstance(kind, types.Array) else 0


def ending(port: Port) -> str:
    """The ending of a result's file, as far as the type tells."""
    kind = port.type
    if isinstance(kind, types.File):
        return _ENDINGS.get(kind.formats[0], "") if len(kind.formats) == 1 else ""
    if isinstance(kind, types.Array):
        return ""
    return ".geojson" if isinstance(kind, types.Geometry) else ".txt"


def memory(amount: int) -> str:
    """Bytes as the largest binary unit that says them exactly."""
    power = 0
    while amount and amount % 1024 == 0 and power < len(_UNITS) - 1:
        amount, power = amount // 1024, power + 1
    return f"{amount}{_UNITS[power]}"


def lost(
    task: Task, channels: Sequence[Port], values: Sequence[Port], variables: Mapping[str, str]
) -> Iterator[Problem]:
    """What a container document has no words for; ``variables`` are the names of those that hold ``values``."""
    model: Descriptor = task.document.model
    for port in values:
        path = ("inputs", port.name)
        limits = _limits(port.type)
        if limits:
            message = f"`{port.name}`: {limits} is in the description only; no reader of Kaapana checks it"
            yield Problem("X010", message, "warning", path=path)
        if isinstance(port.type, types.String) and port.optional:
            message = f"`{port.name}`: an empty text means that there is none; it can't be given as a value"
            yield Problem("X011", message, "warning", path=path)
        elif may_be_empty(port) and port.default is MISSING:
            message = f"`{port.name}` must be given in Cytomine; here it is an empty text where it is not"
            yield Problem("X011", message, "warning", path=path)
        if variables[port.name] != port.name:
            message = f"`{port.name}` is the variable `{variables[port.name]}`: shells have a use for that name"
            yield Problem("X012", message, "warning", path=path)
    for port in channels:
        if _limits(port.type):
            message = f"`{port.name}`: {_limits(port.type)} is in the description only; nobody checks files"
            yield Problem("X010", message, "warning", path=("inputs", port.name))
        if port.optional:
            message = f"channel `{port.name}` is optional, but Kaapana knows no optional channels"
            yield Problem("X013", message, "warning", "bind it to an empty directory", path=("inputs", port.name))
    if task.outputs:
        message = "types and limits of the outputs are in their descriptions only; nobody checks what was written"
        yield Problem("X014", message, "warning", path=("outputs",))
    matched = [" and ".join(f"`{name}`" for _, name in group) for group in groups(model.links)]
    if matched:
        message = f"that {'; '.join(matched)} match is no longer checked"
        yield Problem("X014", message, "warning", path=("outputs",))
    for name, source in model.derived_from.items():
        message = f"that `{name}` is relative to `{source}` has no place in Kaapana"
        yield Problem("X015", message, "warning", path=("outputs", name, "dependencies"))
    if task.network:
        message = "the task needs the internet, which a container document can't ask for"
        hint = 'put the label "network-access-external-ips": "true" into config.labels of its task.json'
        yield Problem("X016", message, "warning", hint, path=("configuration", "resources", "internet"))
