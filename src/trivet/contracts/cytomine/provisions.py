"""Values as JSON (App Engine tasks, types and encodings): how clients give them and how they are shown to them.

Geometries are text that holds GeoJSON, arrays are lists of ``{"index": …, "value": …}``, files are no JSON at all.
Taken are also GeoJSON objects, plain lists, one collection for an array of geometries, and a path for a file where the
caller allows it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from trivet.contracts.cytomine.judging import Judge
from trivet.contracts.cytomine.parameters import normal
from trivet.contracts.parsing import parse_json
from trivet.tasks import types
from trivet.tasks.problem import DocumentPath, has_errors
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value

_NUMBERS = {"nan": math.nan, **{sign + word: math.inf for sign in ("", "+") for word in ("inf", "infinity")}}
_NUMBERS |= {"-" + word: -math.inf for word in ("inf", "infinity")}


class JsonReader(Judge):
    """Reads values given as JSON data and judges them; None is returned for one that can't be used.

    ``refer`` makes a reference of a path, or raises ValueError with the reason why not.
    """

    def __init__(self, refer: Callable[[str], FileRef]) -> None:
        super().__init__()
        self._refer = refer

    def decode(self, kind: ValueType, data: Any, at: DocumentPath) -> Value:
        """The value that ``data`` means; ``at`` is its place, such as ``("inputs", "areas", 3)``."""
        before = len(self.problems)
        value = self._decode(kind, data, at)
        if not has_errors(self.problems[before:]):
            # An array's items were judged one by one while they were read.
            self.judge(kind, value, at, items=False)
        return None if has_errors(self.problems[before:]) else normal(kind, value)

    def _decode(self, kind: ValueType, data: Any, at: DocumentPath) -> Value:
        if data is None:
            self.note("C236", at, "is null; only a whole input that is optional can be unset")
            return None
        if isinstance(kind, types.Array):
            return self._decode_array(kind, data, at)
        if isinstance(kind, types.File):
            return self._decode_file(data, at)
        if isinstance(kind, types.Geometry):
            return self._decode_geometry(data, at)
        if isinstance(kind, types.Number) and isinstance(data, str):
            return _NUMBERS.get(data.lower(), data)
        return cast("Value", data)

    def _decode_file(self, data: Any, at: DocumentPath) -> Value:
        if not isinstance(data, str):
            self.note("C220", at, "is a file; give its path as text")
            return None
        try:
            return self._refer(data)
        except ValueError as error:
            self.note("C201", at, str(error))
            return None

    def _decode_geometry(self, data: Any, at: DocumentPath) -> Value:
        if not isinstance(data, str | Mapping):
            self.note("C220", at, "is neither a GeoJSON object nor text that holds one")
            return None
        if isinstance(data, str):
            data, problem = parse_json(data)
            if problem is not None:
                self.note("C207", at, f"is {problem.message}")
        return cast("Value", data)

    def _decode_array(self, kind: types.Array, data: Any, at: DocumentPath) -> Value:
        if isinstance(kind.of, types.Geometry) and isinstance(data, str | Mapping) and not _is_array(data):
            data = self._exploded(data, at)
        items = self._items(data, at)
        if items is None:
            return None
        return [self.decode(kind.of, item, (*at, index)) for index, item in enumerate(items)]

    def _items(self, data: Any, at: DocumentPath) -> Sequence[Any] | None:
        """The items in their order: of a plain list, of one with indices, or of an array as it is shown."""
        if _is_array(data):
            data = data["value"]
        if not isinstance(data, list):
            self.note("C235", at, "is no list of items")
            return None
        indexed = [isinstance(item, dict) and "index" in item for item in data]
        if not any(indexed):
            return data
        found = {item["index"]: item.get("value") for item in data if isinstance(item, dict) and _has_index(item)}
        if not all(indexed) or set(found) != set(range(len(data))):
            self.note("C235", at, f"needs the indices 0 to {len(data) - 1}, each once, as whole numbers")
            return None
        return [found[index] for index in range(len(data))]

    def _exploded(self, data: Any, at: DocumentPath) -> Any:
        """The geometries of a FeatureCollection or GeometryCollection, given as an object or as text."""
        collection, problem = parse_json(data) if isinstance(data, str) else (data, None)
        members = {"FeatureCollection": "features", "GeometryCollection": "geometries"}
        kind = collection.get("type") if isinstance(collection, Mapping) else None
        items = collection.get(members[kind]) if isinstance(kind, str) and kind in members else None
        if problem is not None or not isinstance(items, list):
            self.note("C237", at, "is neither a list nor a collection of geometries")
            return []
        return items


def to_json(kind: ValueType, value: Value) -> Any:
    """A valid value as clients are shown it: None for a file, non-finite numbers as text."""
    if isinstance(kind, types.Array):
        return [_shown_item(kind.of, index, item) for index, item in enumerate(cast("Sequence[Value]", value))]
    if isinstance(kind, types.File):
        return None
    if isinstance(kind, types.Geometry):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def type_name(kind: ValueType) -> str:
    """The word clients know a type by: ``INTEGER``, ``ARRAY`` …"""
    return kind.name.upper()


def _shown_item(kind: ValueType, index: int, value: Value) -> dict[str, Any]:
    if isinstance(kind, types.Array):
        return {"type": type_name(kind), "subType": type_name(kind.of), "value": to_json(kind, value)}
    return {"index": index} | ({} if isinstance(kind, types.File) else {"value": to_json(kind, value)})


def _is_array(data: Any) -> bool:
    return isinstance(data, Mapping) and data.get("type") == "ARRAY" and "value" in data


def _has_index(item: dict[str, Any]) -> bool:
    return isinstance(item.get("index"), int) and not isinstance(item["index"], bool)
