"""A dataset as one file, in the form in which the public server exports and imports it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trivet.datasets.imagelist import outsiders
from trivet.datasets.images import MISSING, TYPE, UNKNOWN, URL, Image, read_image
from trivet.datasets.images import to_json as image_to_json
from trivet.datasets.urls import normalize_url
from trivet.tasks.problem import DocumentPath, Problem, closest, has_errors

NAME, TWICE, OUTSIDE = "D001", "D002", "D003"
"""Codes of problems: a name a dataset can't have, an image listed twice, something that is not below ``zarr_dir``."""

_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_. -]*(?<! )")
_FIELDS = ("name", "zarr_dir", "images")


@dataclass(frozen=True, slots=True)
class Content:
    """What a dataset is: its name, the directory below which all its images lie, and these by URL, in their order."""

    name: str
    zarr_dir: str
    images: Mapping[str, Image]


def read_content(data: Any, problems: list[Problem]) -> Content | None:
    """A dataset from plain data (Fractal, dataset export and import).

    Everything must lie below ``zarr_dir``, origins too, and no image may come twice. Never raises: faults are noted,
    and the result is None where there was one.
    """
    before = len(problems)
    if not isinstance(data, dict):
        problems.append(Problem(TYPE, f"a dataset must be an object, not {data!r:.40}"))
        return None
    for field in data:
        if field not in _FIELDS:
            hint = closest(field, _FIELDS)
            message = f"unknown field `{field}` of a dataset is ignored"
            problems.append(Problem(UNKNOWN, message, "warning", hint=hint, path=(field,)))
    problems += (Problem(MISSING, f"a dataset lacks `{field}`") for field in _FIELDS if field not in data)
    name = data.get("name", "x")
    fault = name_fault(name)
    if fault:
        problems.append(Problem(NAME, fault, path=("name",)))
    zarr_dir = _zarr_dir(data.get("zarr_dir", "/"), problems)
    items = data.get("images", [])
    if not isinstance(items, list):
        problems.append(Problem(TYPE, f"`images` must be a list, not {items!r:.40}", path=("images",)))
        items = []
    images = read_images(items, zarr_dir, problems, ("images",))
    if has_errors(problems[before:]):
        return None
    return Content(name, zarr_dir, images)


def read_images(
    items: Iterable[Any], zarr_dir: str, problems: list[Problem], path: DocumentPath = ()
) -> dict[str, Image]:
    """The images of a list of plain data by URL, in their order; faults of all of them are noted."""
    images: dict[str, Image] = {}
    places: dict[str, int] = {}
    for index, item in enumerate(items):
        image = read_image(item, problems, (*path, index))
        if image is None:
            continue
        if image.zarr_url in images:
            message = f"image {image.zarr_url} is listed twice: it is also number {places[image.zarr_url]}"
            problems.append(Problem(TWICE, message, path=(*path, index, "zarr_url")))
            continue
        places[image.zarr_url] = index
        images[image.zarr_url] = image
        named = {image.zarr_url: "zarr_url"} | ({image.origin: "origin"} if image.origin else {})
        for url in outsiders(named, zarr_dir):
            message = f"{url} is not below the dataset's directory {zarr_dir}"
            problems.append(Problem(OUTSIDE, message, path=(*path, index, named[url])))
    return images


def to_json(content: Content) -> dict[str, Any]:
    """The plain data of a dataset, as the public server writes them."""
    images = [image_to_json(image) for image in content.images.values()]
    return {"name": content.name, "zarr_dir": content.zarr_dir, "images": images}


def relocated(content: Content, zarr_dir: str) -> Content:
    """The same dataset after its directory was moved to another place; what lies outside keeps its URL."""
    old, new = normalize_url(content.zarr_dir).rstrip("/"), normalize_url(zarr_dir)

    def moved(url: str) -> str:
        return new.rstrip("/") + url[len(old) :] if url.startswith(old + "/") else url

    images = (
        replace(image, zarr_url=moved(image.zarr_url), origin=image.origin and moved(image.origin))
        for image in content.images.values()
    )
    return Content(content.name, new, {image.zarr_url: image for image in images})


def name_fault(name: Any) -> str:
    """What is wrong with the name of a dataset, empty when nothing is. It is the name of a directory, too."""
    if isinstance(name, str) and _NAME.fullmatch(name) and len(name) <= 200:
        return ""
    return f"{name!r:.60} can't be the name of a dataset: letters, digits, blanks and _ . - make one, up to 200"


def _zarr_dir(value: Any, problems: list[Problem]) -> str:
    try:
        return normalize_url(value)
    except ValueError as error:
        problems.append(Problem(URL, f"`zarr_dir`: {error}", path=("zarr_dir",)))
        return "/"
