"""Side-cars (App Engine tasks, image): the outline an image was cropped by, as ``ID.geojson`` beside it.

The descriptor does not declare them, any image may have one. In a task each is an optional input of that name; an array
of images has an array of them, null for an image without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from trivet.contracts.cytomine.matching import unmatched
from trivet.contracts.cytomine.model import Member
from trivet.tasks import types
from trivet.tasks.problem import Problem
from trivet.tasks.task import Port
from trivet.tasks.types import ValueType
from trivet.tasks.values import Value

SUFFIX = ".geojson"


class Outline(types.Geometry):
    """A geometry, or null for an image that has none."""

    __slots__ = ()
    name: ClassVar[str] = types.Geometry.name

    def faults(self, value: Value) -> Iterator[str]:
        if value is not None:
            yield from super().faults(value)


def ports(inputs: Iterable[Port]) -> Iterator[Port]:
    """The side-cars that a task's images may have."""
    for port in inputs:
        if isinstance(types.innermost(port.type), types.Image):
            item = "/N" if isinstance(port.type, types.Array) else ""
            yield Port(
                port.name + SUFFIX,
                _outlines(port.type),
                description=f"The outline that `{port.name}` was cropped by",
                title=f"Outline of {port.title}",
                optional=True,
                location=f"{port.location}{item}{SUFFIX}",
            )


def owner(name: str) -> str | None:
    """The image that an input of this name is the side-car of; None for a declared input."""
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else None


def faults(values: Mapping[Member, Value]) -> Iterator[Problem]:
    """Side-cars without their images, or not as many as images."""
    for (side, name), value in values.items():
        image = owner(name)
        if image is None or value is None:
            continue
        if values.get((side, image)) is None:
            yield Problem("C219", f"`{name}` is given without `{image}`", hint=f"give {image}=PATH, too")
        else:
            yield from unmatched([((side, image), (side, name))], values)


def write(value: Value, image: Path, write_one: Callable[[Value, Path], None]) -> None:
    """Write side-cars beside the image, or beside the items of the array, at ``image``."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            write(item, image / str(index), write_one)
    elif value is not None:
        write_one(value, image.with_name(image.name + SUFFIX))


def read(images: Value, image: Path, read_one: Callable[[Path], Value]) -> Value:
    """The side-cars beside ``images`` that were read at ``image``; None where there are none at all."""
    if not isinstance(images, Sequence) or isinstance(images, str):
        path = image.with_name(image.name + SUFFIX)
        return read_one(path) if path.exists() else None
    found = [read(item, image / str(index), read_one) for index, item in enumerate(images)]
    return found if any(item is not None for item in found) else None


def _outlines(kind: ValueType) -> ValueType:
    return types.Array(_outlines(kind.of)) if isinstance(kind, types.Array) else Outline()
