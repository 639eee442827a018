"""Between the metadata of version 1 and an image list: components of images, and images of components. Pure.

Components are paths below ``zarr_dir``, which is the output directory of every task: ``plate.zarr``,
``plate.zarr/B/03``, ``plate.zarr/B/03/0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trivet.datasets.changes import Changes
from trivet.datasets.imagelist import ImageList
from trivet.datasets.images import Image, ImageUpdate
from trivet.datasets.urls import join_url, normalize_url

CURRENT = "v1_current"
"""The type of images that says whether the metadata list them still; without it they are taken for listed."""

_ABOVE = {"image": 0, "well": 1, "plate": 3}
"""How many of the last steps of an image's path a component of a level lacks."""


def is_current(image: Image) -> bool:
    """Whether a task of version 1 is to know of an image: it is not one that the metadata list no longer."""
    return image.types.get(CURRENT, True)


def components(level: str, urls: Iterable[str], zarr_dir: str) -> dict[str, list[str]]:
    """The components of a level that images belong to, in their order, each with its images.

    Images outside ``zarr_dir``, and those that lie in no plate where a plate or well is asked for, have none. Raises
    KeyError for a level that images say nothing of.
    """
    above = _ABOVE[level]
    found: dict[str, list[str]] = {}
    base = normalize_url(zarr_dir).rstrip("/") + "/"
    for url in urls:
        steps = url.removeprefix(base).split("/")
        if url.startswith(base) and len(steps) > above and (above == 0 or len(steps) >= 4):
            found.setdefault("/".join(steps[: len(steps) - above]), []).append(url)
    return found


def metadata_of(images: Iterable[Image], zarr_dir: str) -> dict[str, Any]:
    """What the image list alone says of a dataset: its plates, wells and images; nothing where it has none."""
    urls = [image.zarr_url for image in images if is_current(image)]
    lists = {level: list(components(level, urls, zarr_dir)) for level in ("plate", "well", "image")}
    return {level: listed for level, listed in lists.items() if listed}


def changes(before: Mapping[str, Any], after: Mapping[str, Any], images: ImageList, zarr_dir: str) -> Changes:
    """What becomes of an image list when a task changes the metadata's list of images (Fractal version 1).

    New entries become images, with attributes `plate` and `well` by their path, and the image of a plate that was
    copied as their origin. Entries that are gone stay in the image list, marked as not current. Raises ValueError for a
    list of images that is none, or leads out of ``zarr_dir``.
    """
    listed, known = _listed(after), _listed(before)
    if listed == known:
        return Changes()
    updates: list[ImageUpdate] = []
    urls = {join_url(zarr_dir, component): component for component in listed}
    for url, component in urls.items():
        image = images.get(url)
        if image is None:
            origin = _origin(component, after, zarr_dir)
            updates.append(ImageUpdate(url, origin, _attributes(component), {CURRENT: True}))
        elif not is_current(image):
            updates.append(ImageUpdate(url, types={CURRENT: True}))
    for url in (join_url(zarr_dir, component) for component in known):
        if url not in urls and url in images and is_current(images[url]):
            updates.append(ImageUpdate(url, types={CURRENT: False}))
    return Changes(tuple(updates))


def _listed(metadata: Mapping[str, Any]) -> list[str]:
    listed = metadata.get("image") or []
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"`image` of the metadata must be a list of texts, not {listed!r:.60}")
    return list(listed)


def _attributes(component: str) -> dict[str, str]:
    steps = component.strip("/").split("/")
    if len(steps) < 4:
        return {}
    plate, row, column, _ = steps[-4:]
    return {"plate": plate, "well": row + column}


def _origin(component: str, metadata: Mapping[str, Any], zarr_dir: str) -> str | None:
    """The image in the plate that this one's plate is a copy of (``copy_ome_zarr.sources``, old plates by new name)."""
    copied = metadata.get("copy_ome_zarr")
    sources = copied.get("sources") if isinstance(copied, Mapping) else None
    steps = component.strip("/").split("/")
    if not isinstance(sources, Mapping) or len(steps) < 4:
        return None
    plate = steps[-4]
    source = sources.get(plate, sources.get(plate.removesuffix(".zarr")))
    if not isinstance(source, str):
        return None
    within = "/".join(steps[-3:])
    absolute = source.startswith(("/", "s3://"))
    try:
        return join_url(source, within) if absolute else join_url(zarr_dir, source, within)
    except ValueError:
        return None
