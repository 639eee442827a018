"""Geometries (App Engine tasks, geometry): one GeoJSON object in pixels, y counted from the bottom of the image.

Circle is a Feature of a Point with ``properties {subType: "Circle", radius: …}``, Rectangle a Feature of a Polygon
with ``properties {subType: "Rectangle"}``. Other properties are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

_DEPTH = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}


Fault = tuple[str, str]
"""A problem code and a sentence."""


def faults(value: Any) -> Iterator[Fault]:
    """What is wrong with a geometry; nothing when it is fine.

    Whether lines cross themselves is judged by shapely where it is installed (see `can_judge`).
    """
    if not isinstance(value, Mapping):
        yield "C207", "is not a GeoJSON object"
        return
    geometry: Any = value
    properties: Any = {}
    if value.get("type") == "Feature":
        geometry, properties = value.get("geometry"), value.get("properties") or {}
        if not isinstance(geometry, Mapping):
            yield "C207", "is a Feature without a geometry"
            return
    kind = geometry.get("type")
    if not isinstance(kind, str):
        yield "C207", "is a GeoJSON object without a `type`"
        return
    if kind not in _DEPTH:
        yield "C232", f"has the type {kind!r}; allowed are {', '.join(_DEPTH)} and a Feature of one of them"
        return
    found = [("C207", fault) for fault in _shape_faults(kind, geometry.get("coordinates"))]
    if isinstance(properties, Mapping):
        found += _subtype_faults(kind, geometry, properties)
    else:
        found.append(("C207", "has `properties` that are no object"))
    yield from found
    if not found:
        yield from (("C231", fault) for fault in _validity(geometry))


@cache
def can_judge() -> bool:
    """True when shapely is there to judge whether a geometry is topologically valid."""
    from importlib.util import find_spec

    return find_spec("shapely") is not None


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two valid geometries cover the same points, each within ``tolerance`` pixels; circles and rectangles are
    only like each other. Without shapely they must be written alike."""
    if not can_judge():
        return bool(one == other)
    import shapely

    (left, subtype, radius), (right, other_subtype, other_radius) = _parts(one), _parts(other)
    if subtype != other_subtype or abs(radius - other_radius) > tolerance:
        return False
    first, second = shapely.geometry.shape(left), shapely.geometry.shape(right)
    if first.geom_type != second.geom_type:
        return False
    if first.equals(second) or first.normalize().equals_exact(second.normalize(), tolerance):
        return True
    # The same outline with other corners: no point of one is farther from the other.
    near: bool = first.hausdorff_distance(second) <= tolerance
    return near and abs(first.area - second.area) <= tolerance * (1 + first.length)


def _parts(value: Any) -> tuple[Any, Any, float]:
    properties = (value.get("properties") or {}) if value.get("type") == "Feature" else {}
    subtype = properties.get("subType")
    return value.get("geometry", value), subtype, float(properties["radius"]) if subtype == "Circle" else 0.0


def _subtype_faults(kind: str, geometry: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Fault]:
    subtype = properties.get("subType")
    if subtype is None:
        return
    if subtype == "Circle":
        radius: Any = properties.get("radius")
        if kind != "Point":
            yield "C231", f"is a Circle made of a {kind}, not of a Point"
        if not _is_number(radius) or radius <= 0:
            yield "C234", "is a Circle without a `radius` greater than 0"
    elif subtype == "Rectangle":
        rings = geometry.get("coordinates")
        sides = rings[0] if isinstance(rings, list) and len(rings) == 1 else None
        if kind != "Polygon" or not isinstance(sides, list) or len(sides) != 5:
            yield "C231", "is a Rectangle that is no Polygon of five positions (the last is the first)"
    else:
        yield "C233", f"has the subType {subtype!r}; allowed are Circle and Rectangle"


def _shape_faults(kind: str, coordinates: Any) -> Iterator[str]:
    if kind == "Point":
        if not _is_position(coordinates):
            yield "has a Point that is no list of two finite numbers"
        return
    parts = [coordinates]
    for _ in range(_DEPTH[kind] - 1):
        if not all(isinstance(part, list) and part for part in parts):
            yield f"has coordinates that are not those of a {kind}"
            return
        parts = [inner for part in parts for inner in part]
    for positions in parts:
        if not isinstance(positions, list) or not positions or not all(map(_is_position, positions)):
            yield f"has coordinates that are not those of a {kind}: every position is a list of two finite numbers"
        elif "Polygon" in kind and (len(positions) < 4 or positions[0] != positions[-1]):
            yield "has a ring that is not closed: at least four positions, the last equal to the first"
        elif "Line" in kind and len(positions) < 2:
            yield "has a line of fewer than two positions"


def _is_position(data: Any) -> bool:
    return isinstance(data, list) and 2 <= len(data) <= 4 and all(map(_is_number, data))


def _is_number(data: Any) -> bool:
    if isinstance(data, bool) or not isinstance(data, int | float):
        return False
    try:
        return math.isfinite(data)
    except OverflowError:
        return False


def _validity(geometry: Mapping[str, Any]) -> Iterator[str]:
    if not can_judge():
        return
    import shapely.geometry
    import shapely.validation

    try:
        shape = shapely.geometry.shape(geometry)
    except (shapely.errors.ShapelyError, ValueError, TypeError) as error:
        yield f"can't be understood: {error}"
        return
    if not shape.is_valid:
        yield f"is not valid: {shapely.validation.explain_validity(shape)}"
