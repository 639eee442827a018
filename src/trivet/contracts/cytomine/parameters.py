"""Parameters of a descriptor: their types with all constraints, and their defaults (App Engine tasks, parameters)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal

from trivet.contracts.cytomine.sizes import parse_size
from trivet.contracts.fields import Fields, name_of
from trivet.tasks import types
from trivet.tasks.problem import closest
from trivet.tasks.task import MISSING, Port
from trivet.tasks.types import ValueType
from trivet.tasks.values import Value

MAX_ID = 200
"""Longest id of a parameter; it becomes the name of a file."""

IMAGE_FORMATS = ("dicom", "jpeg", "png", "tiff", "wsidicom")
FILE_FORMATS = ("binary", "text")
_ID = re.compile(r"[a-zA-Z0-9_]+", re.ASCII)
_CHOICE = re.compile(r"[^\r\n]{1,256}")


def parameter(section: Fields, name: str, side: Literal["inputs", "outputs"], folder: str) -> Port | None:
    """The port of one parameter; None where too little of it can be understood. Faults are noted."""
    if not _ID.fullmatch(name):
        section.note("C030", f"`{name}` is no id of a parameter", name, hint="use letters, digits and _ only")
    elif len(name) > MAX_ID:
        section.note("C030", f"the id `{name[:20]}…` is longer than {MAX_ID} characters", name)
    fields = section.child(name)
    if fields is None:
        return None
    title = fields.get("display_name", str, name)
    if title == "":
        fields.note("C001", "`display_name` is empty", "display_name", hint="leave it out to show the id")
    description = fields.get("description", str, "", required=True)
    optional = fields.get("optional", bool, False)
    kind = value_type(fields, "type")
    default = _default(fields, kind, side)
    fields.unknown(("dependencies",))
    if kind is None:
        return None
    access: Literal["in", "out"] = "in" if side == "inputs" else "out"
    location = f"{folder}/{name}"
    return Port(name, kind, access, description, title or name, default, optional, location=location)


def value_type(fields: Fields, key: str) -> ValueType | None:
    """The type at a key, in short (a word) or long form (an object with an ``id``); None where it is none."""
    if not fields.has(key):
        fields.get(key, str, required=True)
        return None
    raw = fields.data[key]
    if isinstance(raw, str):
        name: Any = raw
        spec = Fields({"id": raw}, fields.problems, fields.codes, (*fields.path, key))
    elif isinstance(raw, dict):
        spec = Fields(raw, fields.problems, fields.codes, (*fields.path, key))
        name = spec.get("id", str, required=True)
    else:
        fields.note("type", f"`{key}` must be a type's name or an object with `id`, not {name_of(raw)}", key)
        return None
    if name is None:
        return None
    reader = _READERS.get(name)
    if reader is None:
        steps = (key,) if isinstance(raw, str) else (key, "id")
        fields.note("C032", f"`{name}` is no type", *steps, hint=closest(name, [n for n in _READERS if n != "wsi"]))
        return None
    if isinstance(raw, str) and name in ("enumeration", "array"):
        needed = "values" if name == "enumeration" else "subtype"
        fields.note("C033", f"{name} has no short form", key, hint=f"write {{id: {name}, {needed}: …}}")
        return None
    spec.has("id")
    kind = reader(spec)
    spec.unknown()
    return kind


def _default(fields: Fields, kind: ValueType | None, side: str) -> Any:
    if not fields.has("default"):
        return MISSING
    default = fields.data["default"]
    if side == "outputs":
        fields.note("C046", "an output has no default; it is ignored", "default", severity="warning")
        return MISSING
    if kind is None:
        return MISSING
    if isinstance(kind, types.Geometry | types.File | types.Array):
        fields.note("C045", f"{kind.name} can't have a default", "default", hint="make the input optional instead")
        return MISSING
    if isinstance(kind, types.Integer) and isinstance(default, float) and default.is_integer():
        default = int(default)
    faults = list(kind.faults(default))
    for fault in faults:
        hint = "quote it" if isinstance(kind, types.String | types.Enumeration) and not isinstance(default, str) else ""
        fields.note("C044", f"the default is no value of this input: {fault}", "default", hint=hint)
    if faults:
        return MISSING
    return normal(kind, default)


def normal(kind: ValueType, value: Value) -> Value:
    """A valid value in its one form: instants in UTC."""
    if isinstance(kind, types.Datetime):
        return types.parse_datetime(value).isoformat().replace("+00:00", "Z")
    return value


def _boolean(spec: Fields) -> ValueType:
    return types.Boolean()


def _integer(spec: Fields) -> ValueType:
    above, minimum, below, maximum = _bounds(spec, int)
    lowest = max((b for b in (minimum, None if above is None else above + 1) if b is not None), default=None)
    highest = min((b for b in (maximum, None if below is None else below - 1) if b is not None), default=None)
    if lowest is not None and highest is not None and lowest > highest:
        spec.note("C036", "no whole number satisfies these bounds")
    return types.Integer(minimum, maximum, above, below)


def _number(spec: Fields) -> ValueType:
    above, minimum, below, maximum = _bounds(spec, float)
    lowest = max((b for b in (minimum, above) if b is not None), default=-math.inf)
    highest = min((b for b in (maximum, below) if b is not None), default=math.inf)
    if lowest > highest or (lowest == highest and (above is not None or below is not None)):
        spec.note("C036", "no number satisfies these bounds")
    infinity, nan = spec.get("infinity_allowed", bool, False), spec.get("nan_allowed", bool, False)
    return types.Number(minimum, maximum, above, below, infinity, nan)


def _bounds(spec: Fields, kind: type) -> tuple[Any, Any, Any, Any]:
    gt, geq, lt, leq = (_bound(spec, key, kind) for key in ("gt", "geq", "lt", "leq"))
    for first, second in (("gt", "geq"), ("lt", "leq")):
        if first in spec.data and second in spec.data:
            spec.note("C035", f"`{first}` and `{second}` exclude each other", second, hint="give one of them")
    return gt, geq, lt, leq


def _bound(spec: Fields, key: str, kind: type) -> int | float | None:
    if kind is int:
        return spec.get(key, int)  # type: ignore[no-any-return]
    if not spec.has(key):
        return None
    value = spec.data[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (isinstance(value, float) and not math.isfinite(value)):
        spec.note("type", f"`{key}` must be a finite number, not {value if number else name_of(value)}", key)
        return None
    return value  # type: ignore[no-any-return]


def _string(spec: Fields) -> ValueType:
    shortest, longest = _range(spec, "min_length", "max_length")
    return types.String(shortest or 0, longest)


def _range(spec: Fields, low: str, high: str) -> tuple[int | None, int | None]:
    ends = []
    for key in (low, high):
        value = spec.get(key, int)
        if value is not None and value < 0:
            spec.note("C037", f"`{key}` is negative", key)
            value = None
        ends.append(value)
    first, last = ends
    if first is not None and last is not None and first > last:
        spec.note("C036", f"`{low}` {first} is more than `{high}` {last}", high)
    return first, last


def _enumeration(spec: Fields) -> ValueType:
    choices = spec.get("values", list, [], required=True)
    if "values" in spec.data and choices == [] and isinstance(spec.data["values"], list):
        spec.note("C038", "an enumeration needs at least one value", "values")
    good: list[str] = []
    for index, choice in enumerate(choices):
        if not isinstance(choice, str):
            message = f"item {index} of `values` must be text, not {name_of(choice)}"
            spec.note("C038", message, "values", index, hint="put it in quotes")
        elif not _CHOICE.fullmatch(choice):
            spec.note("C038", "a choice is one line of 1 to 256 characters", "values", index)
        elif choice in good:
            spec.note("C039", f"`{choice}` is listed twice", "values", index)
        else:
            good.append(choice)
    return types.Enumeration(tuple(good))


def _datetime(spec: Fields) -> ValueType:
    ends = []
    for key in ("after", "before"):
        text = spec.get(key, str)
        instant = None
        if text is not None:
            try:
                instant = types.parse_datetime(text)
            except ValueError as error:
                spec.note("C043", f"`{key}`: {error}", key)
        ends.append(instant)
    after, before = ends
    if after is not None and before is not None and after > before:
        spec.note("C036", "`after` is later than `before`, so no instant is allowed", "before")
    return types.Datetime(after, before)


def _geometry(spec: Fields) -> ValueType:
    return types.Geometry()


def _file(spec: Fields) -> ValueType:
    return types.File(_formats(spec, FILE_FORMATS), _size(spec))


def _image(spec: Fields) -> ValueType:
    return types.Image(_formats(spec, IMAGE_FORMATS), _size(spec), _side(spec, "max_width"), _side(spec, "max_height"))


def _wsi(spec: Fields) -> ValueType:
    message = "the type `wsi` was removed from the contract; it is read as an image"
    spec.note("C034", message, severity="warning", hint="write {id: image, formats: [dicom, wsidicom]}")
    formats = _formats(spec, ("dicom", "wsidicom")) or ("dicom", "wsidicom")
    return types.Image(formats, _size(spec), _side(spec, "max_width"), _side(spec, "max_height"))


def _formats(spec: Fields, known: tuple[str, ...]) -> tuple[str, ...]:
    formats = spec.strings("formats")
    if formats == () and spec.data["formats"] == []:
        spec.note("C040", "`formats` is empty", "formats", hint="leave it out to allow every format")
    for index, name in enumerate(formats or ()):
        if name not in known:
            spec.note("C040", f"`{name}` is no format here", "formats", index, hint=closest(name, known))
    return tuple(name for name in formats or () if name in known)


def _size(spec: Fields) -> int | None:
    text = spec.get("max_file_size", str)
    if text is None:
        return None
    try:
        size, plain = parse_size(text, bits=True)
    except ValueError as error:
        spec.note("C041", f"`max_file_size`: {error}", "max_file_size")
        return None
    if not re.search(r"(?:B|[Bb]yte|b|bit)$", text.strip()):
        # Its upload and its run time read different grammars; with a suffix B both are satisfied.
        message = f"the public engine refuses every file with `{text}`: it wants a suffix B here"
        hint = f"write {plain.removesuffix('B')}B"
        spec.note("C023", message, "max_file_size", severity="warning", hint=hint)
    return size


def _side(spec: Fields, key: str) -> int | None:
    pixels = spec.get(key, int)
    if pixels is not None and pixels < 1:
        spec.note("C042", f"`{key}` must be at least 1 pixel", key)
        return None
    return pixels  # type: ignore[no-any-return]


def _array(spec: Fields) -> ValueType:
    smallest, largest = _range(spec, "min_size", "max_size")
    if spec.has("allow_missing"):
        message = "`allow_missing` was removed from the contract; every item is needed"
        spec.note("C026", message, "allow_missing", severity="warning", hint="remove it")
    inner = value_type(spec, "subtype") or ValueType()
    return types.Array(inner, smallest or 0, largest)


_READERS: dict[str, Callable[[Fields], ValueType]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "string": _string,
    "enumeration": _enumeration,
    "datetime": _datetime,
    "geometry": _geometry,
    "image": _image,
    "file": _file,
    "array": _array,
    "wsi": _wsi,
}
