"""Choosing images by their types and attributes, and how filters are read from plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trivet.datasets.images import Image
from trivet.datasets.scalars import Scalar, attribute_fault, lax_boolean
from trivet.datasets.statuses import STATUS, STATUSES
from trivet.tasks.problem import DocumentPath, Problem, closest

FILTER = "F107"
"""Code of a problem: a filter by which no image could be chosen."""

TypeFilters = Mapping[str, bool]
"""The value wanted of each type; an image without the type has false."""

AttributeFilters = Mapping[str, Sequence[Scalar]]
"""The values allowed of each attribute; an image without the attribute has none of them."""


def matching(images: Iterable[Image], types: TypeFilters, attributes: AttributeFilters) -> list[Image]:
    """The images that have every type and every attribute that is wanted, in their order (Fractal, filters).

    True and false match themselves only; 1 and 1.0 match each other.
    """
    allowed = {name: frozenset(map(_comparable, values)) for name, values in attributes.items()}
    return [
        image
        for image in images
        if all(image.types.get(name, False) is wanted for name, wanted in types.items())
        and all(
            name in image.attributes and _comparable(image.attributes[name]) in values
            for name, values in allowed.items()
        )
    ]


def non_unique_types(images: Iterable[Image]) -> list[str]:
    """The types, sorted, which some of the images have and others have not (Fractal, unique types)."""
    count, having = 0, dict[str, int]()
    for image in images:
        count += 1
        for name, value in image.types.items():
            if value:
                having[name] = having.get(name, 0) + 1
    return sorted(name for name, number in having.items() if number < count)


def read_type_filters(data: Any, problems: list[Problem], path: DocumentPath = ()) -> dict[str, bool] | None:
    """Type filters from plain data. Never raises: faults are noted, and the result is None where there was one."""
    filters: dict[str, bool] = {}
    before = len(problems)
    for name, value in _members(data, problems, path):
        try:
            filters[name.strip()] = lax_boolean(value)
        except ValueError as error:
            problems.append(Problem(FILTER, f"type `{name}`: {error}", path=(*path, name)))
    return filters if len(problems) == before else None


def read_attribute_filters(
    data: Any, problems: list[Problem], path: DocumentPath = ()
) -> dict[str, tuple[Scalar, ...]] | None:
    """Attribute filters from plain data: for each name a list, not empty, of values that are all of one type.

    Never raises: faults are noted, and the result is None where there was one.
    """
    filters: dict[str, tuple[Scalar, ...]] = {}
    before = len(problems)
    for name, values in _members(data, problems, path):
        fault, hint = _values_fault(name.strip(), values)
        if fault:
            problems.append(Problem(FILTER, f"attribute `{name}`: {fault}", hint=hint, path=(*path, name)))
        else:
            filters[name.strip()] = tuple(values)
    return filters if len(problems) == before else None


def _values_fault(name: str, values: Any) -> tuple[str, str]:
    if not isinstance(values, list | tuple) or not values:
        return "a list of the allowed values is needed", f"for one value write [{values!r:.40}]"
    for value in values:
        fault = attribute_fault(value, null=False)
        if fault:
            return f"a value {fault}", ""
    kinds = sorted({type(value).__name__ for value in values})
    if len(kinds) > 1:
        return f"the values are of different types: {', '.join(kinds)}", "an attribute has values of one type"
    if name == STATUS:
        unknown = next((value for value in values if value not in STATUSES), None)
        if unknown is not None:
            return f"{unknown!r} is no status of an image", closest(str(unknown), STATUSES)
    return "", ""


def _members(data: Any, problems: list[Problem], path: DocumentPath) -> list[tuple[str, Any]]:
    if not isinstance(data, dict):
        problems.append(Problem(FILTER, f"filters must be an object, not {data!r:.40}", path=path))
        return []
    seen: set[str] = set()
    for name in data:
        bare = name.strip()
        if not bare or bare in seen:
            fault = f"`{bare}` is named twice" if bare else "a name can't be empty"
            problems.append(Problem(FILTER, fault, path=(*path, name)))
        seen.add(bare)
    return list(data.items())


def _comparable(value: Scalar) -> tuple[bool, Scalar]:
    return isinstance(value, bool), value
