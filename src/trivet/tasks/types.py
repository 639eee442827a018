"""What a port accepts: the neutral value types, each with its constraints.

Every type answers one question, `ValueType.faults`: what is wrong with a value, in words. Files are judged here by
being references only; looking inside them is the business of the contract that declared the port.

Types without constraints of their own are plain subclasses: every dataclass costs 0.35 ms at each start of the program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from trivet.tasks.values import FileRef, Value

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ValueType:
    """Base of all types; ``name`` is the word users see."""

    name: ClassVar[str] = "any"
    is_file: ClassVar[bool] = False

    def faults(self, value: Value) -> Iterator[str]:
        """Sentences about what is wrong with ``value``; nothing when it is fine."""
        yield from ()

    def describe(self) -> str:
        """The type with its constraints, in a few words."""
        return self.name


class Boolean(ValueType):
    __slots__ = ()
    name: ClassVar[str] = "boolean"

    def faults(self, value: Value) -> Iterator[str]:
        if not isinstance(value, bool):
            yield f"{_shown(value)} is not true or false"


@dataclass(frozen=True, slots=True)
class _Bounded(ValueType):
    """Bounds: ``minimum`` and ``maximum`` are allowed themselves, ``above`` and ``below`` are not."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None

    def _outside(self, value: float) -> Iterator[str]:
        if self.above is not None and value <= self.above:
            yield f"{value} must be greater than {self.above}"
        if self.minimum is not None and value < self.minimum:
            yield f"{value} must be at least {self.minimum}"
        if self.below is not None and value >= self.below:
            yield f"{value} must be less than {self.below}"
        if self.maximum is not None and value > self.maximum:
            yield f"{value} must be at most {self.maximum}"

    def describe(self) -> str:
        bounds = [(">", self.above), ("≥", self.minimum), ("<", self.below), ("≤", self.maximum)]
        return " ".join([self.name, *(f"{sign} {bound}" for sign, bound in bounds if bound is not None)])


class Integer(_Bounded):
    __slots__ = ()
    name: ClassVar[str] = "integer"

    def faults(self, value: Value) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{_shown(value)} is not a whole number"
        else:
            yield from self._outside(value)


@dataclass(frozen=True, slots=True)
class Number(_Bounded):
    name: ClassVar[str] = "number"
    allow_infinity: bool = False
    allow_nan: bool = False

    def faults(self, value: Value) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{_shown(value)} is not a number"
            return
        yield from self._outside(value)
        if isinstance(value, float) and math.isinf(value) and not self.allow_infinity:
            yield "infinity is not allowed"
        if isinstance(value, float) and math.isnan(value) and not self.allow_nan:
            yield "NaN is not allowed"


@dataclass(frozen=True, slots=True)
class String(ValueType):
    """Text; lengths in Unicode characters. ``pattern`` is found somewhere in it (as in JSON Schema)."""

    name: ClassVar[str] = "string"
    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None

    def faults(self, value: Value) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{_shown(value)} is not text"
        elif len(value) < self.min_length:
            yield f"{_shown(value)} is shorter than {self.min_length} characters"
        elif self.max_length is not None and len(value) > self.max_length:
            yield f"{_shown(value)} is longer than {self.max_length} characters"
        elif self.pattern is not None and re.search(self.pattern, value) is None:
            yield f"{_shown(value)} does not match the pattern {self.pattern}"

    def describe(self) -> str:
        upper = "" if self.max_length is None else str(self.max_length)
        lengths = f" of {self.min_length}–{upper} characters" if self.min_length or upper else ""
        return self.name + lengths + (f" like {self.pattern}" if self.pattern is not None else "")


@dataclass(frozen=True, slots=True)
class Enumeration(ValueType):
    name: ClassVar[str] = "enumeration"
    values: tuple[Any, ...] = ()

    def faults(self, value: Value) -> Iterator[str]:
        if not any(type(value) is type(choice) and value == choice for choice in self.values):
            from trivet.tasks.problem import closest

            hint = closest(str(value), map(str, self.values))
            yield f"{_shown(value)} is not one of the choices" + (f"; {hint}" if hint else "")

    def describe(self) -> str:
        return "one of " + ", ".join(str(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Datetime(ValueType):
    """An instant as ISO 8601 text with a zone; both bounds are allowed themselves."""

    name: ClassVar[str] = "datetime"
    after: datetime | None = None
    before: datetime | None = None

    def faults(self, value: Value) -> Iterator[str]:
        try:
            instant = parse_datetime(value)
        except ValueError as error:
            yield str(error)
            return
        if self.after is not None and instant < self.after:
            yield f"{value} is before {self.after.isoformat()}"
        if self.before is not None and instant > self.before:
            yield f"{value} is after {self.before.isoformat()}"

    def describe(self) -> str:
        after = f" from {self.after.isoformat()}" if self.after else ""
        return self.name + after + (f" until {self.before.isoformat()}" if self.before else "")


class Geometry(ValueType):
    """One GeoJSON object (as data), in pixels."""

    __slots__ = ()
    name: ClassVar[str] = "geometry"

    def faults(self, value: Value) -> Iterator[str]:
        if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
            yield f"{_shown(value)} is not a GeoJSON object"


@dataclass(frozen=True, slots=True)
class File(ValueType):
    """A file by reference. ``formats`` as the contract names them; ``max_size`` in bytes."""

    name: ClassVar[str] = "file"
    is_file: ClassVar[bool] = True
    formats: tuple[str, ...] = ()
    max_size: int | None = None

    def faults(self, value: Value) -> Iterator[str]:
        if not isinstance(value, FileRef):
            yield f"{_shown(value)} is not a path"
        elif self.max_size is not None and value.size is not None and value.size > self.max_size:
            yield f"{value.path} has {value.size} bytes, more than the allowed {self.max_size}"

    def describe(self) -> str:
        return self.name + (f" ({', '.join(self.formats)})" if self.formats else "")


@dataclass(frozen=True, slots=True)
class Image(File):
    """An image by reference; ``max_width`` and ``max_height`` in pixels."""

    name: ClassVar[str] = "image"
    max_width: int | None = None
    max_height: int | None = None


class Directory(ValueType):
    """A directory by reference."""

    __slots__ = ()
    name: ClassVar[str] = "directory"
    is_file: ClassVar[bool] = True

    def faults(self, value: Value) -> Iterator[str]:
        if not isinstance(value, FileRef):
            yield f"{_shown(value)} is not a path"


class Zarr(ValueType):
    """A Zarr group by URL (an absolute path or ``s3://…``): text, since the data is used in place."""

    __slots__ = ()
    name: ClassVar[str] = "zarr"

    def faults(self, value: Value) -> Iterator[str]:
        if not isinstance(value, str) or not value.startswith(("/", "s3://")):
            yield f"{_shown(value)} is not an absolute path or an s3:// URL"
        elif ".." in value.split("/"):
            yield f"{_shown(value)} has a component `..`; write the path without it"


@dataclass(frozen=True, slots=True)
class Array(ValueType):
    """An ordered list of values of one type; both sizes are allowed themselves."""

    of: ValueType
    name: ClassVar[str] = "array"
    min_size: int = 0
    max_size: int | None = None

    def faults(self, value: Value) -> Iterator[str]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            yield f"{_shown(value)} is not a list"
            return
        if len(value) < self.min_size:
            yield f"{len(value)} items are fewer than {self.min_size}"
        if self.max_size is not None and len(value) > self.max_size:
            yield f"{len(value)} items are more than {self.max_size}"
        for index, item in enumerate(value):
            yield from (f"item {index}: {fault}" for fault in self.of.faults(item))

    def describe(self) -> str:
        return f"array of {self.of.describe()}"


@dataclass(frozen=True, slots=True)
class Json(ValueType):
    """Any JSON data that satisfies a JSON Schema (draft 2020-12); ``schema`` None means anything."""

    name: ClassVar[str] = "json"
    schema: Mapping[str, Any] | None = None

    def faults(self, value: Value) -> Iterator[str]:
        if self.schema is None:
            return
        import jsonschema_rs

        try:
            # References beyond the schema itself are never followed: a document must not make us read files or URLs.
            validator = jsonschema_rs.Draft202012Validator(dict(self.schema), retriever=_no_retrieval)
            found = list(validator.iter_errors(value))
        except ValueError as error:
            yield f"can't be checked against its JSON Schema: {str(error).splitlines()[0]}"
            return
        for fault in found:
            where = "/".join(str(part) for part in fault.instance_path)
            yield f"{where}: {fault.message}" if where else fault.message

    def describe(self) -> str:
        kind = self.schema.get("type", self.name) if self.schema else self.name
        return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _no_retrieval(uri: str) -> Any:
    raise ValueError(f"it refers to {uri}, outside itself")


def innermost(kind: ValueType) -> ValueType:
    """The type of what an array holds at last; of anything else itself."""
    return innermost(kind.of) if isinstance(kind, Array) else kind


def parse_datetime(value: Value) -> datetime:
    """An instant in UTC from ISO 8601 text with a zone (``2024-02-23T18:00:00Z``); ValueError otherwise."""
    from datetime import UTC, datetime

    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not a date and time as text")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{_shown(value)} is not an ISO 8601 date and time such as 2024-02-23T18:00:00Z") from None
    if instant.tzinfo is None:
        raise ValueError(f"{_shown(value)} has no zone; add Z for UTC")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{_shown(value)} is outside the years 1 to 9999 in UTC") from None


def _shown(value: Value) -> str:
    text = repr(value.path if isinstance(value, FileRef) else value)
    return text if len(text) <= 60 else text[:57] + "…"
