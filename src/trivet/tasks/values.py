"""Values that travel through ports: JSON data whose leaves may be references to files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

Value = Union[None, bool, int, float, str, "FileRef", Sequence["Value"], Mapping[str, "Value"]]


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file or directory given by reference, never read into memory.

    ``path`` is absolute. ``size`` (bytes, of the file or of everything below the directory) and ``sha256`` are known
    once it was measured. ``name`` is the name to publish it under, where the contract's own name says too little.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    name: str | None = None


def file_refs(value: Value) -> Iterator[FileRef]:
    """Every file reference inside a value."""
    if isinstance(value, FileRef):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from file_refs(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from file_refs(item)


def map_refs(value: Value, change: Callable[[FileRef], FileRef]) -> Value:
    """The same value with every file reference replaced by ``change`` of it."""
    if isinstance(value, FileRef):
        return change(value)
    if isinstance(value, Mapping):
        return {key: map_refs(item, change) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [map_refs(item, change) for item in value]
    return value


_MARKS = ("$file", "$number", "$data")


def to_json(value: Value) -> Any:
    """The value as strict JSON data: references become ``{"$file": …}``, NaN and infinities ``{"$number": …}``.

    Data that has such a key itself is wrapped as ``{"$data": …}``, so that `from_json` gives back what was given.
    """
    if isinstance(value, FileRef):
        known = {"size": value.size, "sha256": value.sha256, "name": value.name}
        return {"$file": value.path} | {key: item for key, item in known.items() if item is not None}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": repr(value)}
    if isinstance(value, Mapping):
        data = {key: to_json(item) for key, item in value.items()}
        return {"$data": data} if any(mark in data for mark in _MARKS) else data
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in value]
    return value


def from_json(data: Any) -> Value:
    """The inverse of `to_json`."""
    if isinstance(data, dict):
        if "$file" in data:
            return FileRef(data["$file"], data.get("size"), data.get("sha256"), data.get("name"))
        if "$number" in data:
            return float(data["$number"])
        return {key: from_json(item) for key, item in data.get("$data", data).items()}
    if isinstance(data, list):
        return [from_json(item) for item in data]
    return data  # type: ignore[no-any-return]
