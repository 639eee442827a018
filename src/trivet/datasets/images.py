"""One image of a dataset, an update of one, and how both are read from plain data.

Reading never raises: it notes every fault as a problem with its path, and gives None where there was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from trivet.datasets.scalars import Scalar, attribute_fault, lax_boolean
from trivet.datasets.urls import normalize_url
from trivet.tasks.problem import DocumentPath, Problem, Severity

T = TypeVar("T")
MISSING, TYPE, UNKNOWN, URL, NAME, VALUE = "F101", "F102", "F103", "F104", "F105", "F106"
"""Codes of problems: a field is missing, of the wrong type, unknown; a bad URL, a bad name, a bad value."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a dataset. ``zarr_url`` is its key, in normal form; ``origin`` the image it was derived from."""

    zarr_url: str
    origin: str | None = None
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    types: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageUpdate:
    """What a task says of one image, new or known. An attribute of None is to be removed."""

    zarr_url: str
    origin: str | None = None
    attributes: Mapping[str, Scalar | None] = field(default_factory=dict)
    types: Mapping[str, bool] = field(default_factory=dict)

    def key(self) -> tuple[Any, ...]:
        """Equal for equal updates; true is not 1."""
        attributes = frozenset((name, isinstance(value, bool), value) for name, value in self.attributes.items())
        return self.zarr_url, self.origin, attributes, frozenset(self.types.items())


@dataclass(frozen=True, slots=True)
class ImagePatch:
    """What a person changes of an image: each field that is given replaces the old one as a whole."""

    zarr_url: str
    attributes: Mapping[str, Scalar] | None = None
    types: Mapping[str, bool] | None = None


def read_image(data: Any, problems: list[Problem], path: DocumentPath = ()) -> Image | None:
    """An image from plain data (Fractal, image list)."""
    reader = _Reader(data, problems, path)
    image = Image(reader.url(), reader.origin(), reader.attributes(), reader.types())
    return reader.result(image)


def read_update(data: Any, problems: list[Problem], path: DocumentPath = ()) -> ImageUpdate | None:
    """An update from plain data (Fractal, an item of ``image_list_updates``)."""
    reader = _Reader(data, problems, path)
    update = ImageUpdate(reader.url(), reader.origin(), reader.attributes(null=True), reader.types())
    return reader.result(update)


def read_patch(data: Any, problems: list[Problem], path: DocumentPath = ()) -> ImagePatch | None:
    """A patch from plain data; its origin can't be changed."""
    reader = _Reader(data, problems, path)
    patch = ImagePatch(
        reader.url(),
        reader.attributes() if "attributes" in reader.data else None,
        reader.types() if "types" in reader.data else None,
    )
    return reader.result(patch)


def to_json(image: Image | ImageUpdate) -> dict[str, Any]:
    """The plain data of an image or an update."""
    return {
        "zarr_url": image.zarr_url,
        "origin": image.origin,
        "attributes": dict(image.attributes),
        "types": dict(image.types),
    }


class _Reader:
    def __init__(self, data: Any, problems: list[Problem], path: DocumentPath) -> None:
        self.problems = problems
        self.path = path
        self.before = len(problems)
        self.is_object = isinstance(data, dict)
        self.data: dict[str, Any] = data if self.is_object else {}
        if not self.is_object:
            self.note(TYPE, f"an image must be an object, not {data!r:.40}")
        for name in self.data:
            if name not in ("zarr_url", "origin", "attributes", "types"):
                self.note(UNKNOWN, f"unknown field `{name}` of an image is ignored", name, severity="warning")

    def note(self, code: str, message: str, *steps: str, severity: Severity = "error") -> None:
        self.problems.append(Problem(code, message, severity, path=(*self.path, *steps)))

    def result(self, value: T) -> T | None:
        faulty = any(problem.severity == "error" for problem in self.problems[self.before :])
        return None if faulty else value

    def url(self) -> str:
        if "zarr_url" not in self.data:
            if self.is_object:
                self.note(MISSING, "an image lacks `zarr_url`")
            return ""
        return self._url("zarr_url") or ""

    def origin(self) -> str | None:
        return None if self.data.get("origin") is None else self._url("origin")

    def attributes(self, null: bool = False) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in self._names("attributes"):
            fault = attribute_fault(value, null)
            if fault:
                self.note(VALUE, f"attribute `{name}` {fault}", "attributes", name)
            values[name.strip()] = value
        return values

    def types(self) -> dict[str, bool]:
        values = {}
        for name, value in self._names("types"):
            try:
                values[name.strip()] = lax_boolean(value)
            except ValueError as error:
                self.note(VALUE, f"type `{name}`: {error}", "types", name)
        return values

    def _url(self, field_name: str) -> str | None:
        try:
            return normalize_url(self.data[field_name])
        except ValueError as error:
            self.note(URL, f"`{field_name}`: {error}", field_name)
            return None

    def _names(self, field_name: str) -> list[tuple[str, Any]]:
        """The members of an object whose names are distinct and not empty without the blanks around them."""
        members = self.data.get(field_name, {})
        if not isinstance(members, dict):
            self.note(TYPE, f"`{field_name}` must be an object, not {members!r:.40}", field_name)
            return []
        seen: set[str] = set()
        for name in members:
            bare = name.strip()
            if not bare or "\x00" in bare:
                self.note(NAME, f"{name!r} can't be a name in `{field_name}`", field_name, name)
            if bare in seen:
                self.note(NAME, f"`{bare}` is named twice in `{field_name}`", field_name, name)
            seen.add(bare)
        return list(members.items())
