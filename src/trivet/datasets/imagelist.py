"""The image list of a dataset, indexed by URL, and what becomes of it when a task's changes are applied.

Everything takes time linear in the number of images and changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from trivet.datasets.changes import Changes, contradictions
from trivet.datasets.images import Image, ImageUpdate
from trivet.datasets.urls import normalize_url

ImageList = Mapping[str, Image]
"""The images of a dataset by URL, in their order."""


def indexed(images: Iterable[Image]) -> dict[str, Image]:
    """The images by URL. Raises ValueError when two have the same."""
    images = tuple(images)
    by_url = {image.zarr_url: image for image in images}
    if len(by_url) < len(images):
        seen: set[str] = set()
        twice = {image.zarr_url for image in images if image.zarr_url in seen or seen.add(image.zarr_url)}  # type: ignore[func-returns-value]
        raise ValueError(f"images are listed more than once: {', '.join(sorted(twice))}")
    return by_url


def faults(images: ImageList, changes: Changes, zarr_dir: str) -> Iterator[str]:
    """Why changes can't be applied: contradictions, new images outside ``zarr_dir``, removals of unknown ones."""
    for url in contradictions(changes):
        yield f"more than one thing is said of image {url}"
    inside = normalize_url(zarr_dir).rstrip("/") + "/"
    named = {update.zarr_url for update in changes.updates}
    for url in named:
        if url not in images and not url.startswith(inside):
            yield f"new image {url} must be below the dataset's directory {zarr_dir}"
    for url in changes.removals:
        if url not in images and url not in named:
            yield f"image {url} can't be removed: it is not in the list"


def apply(
    images: ImageList, changes: Changes, zarr_dir: str, output_types: Mapping[str, bool] | None = None
) -> dict[str, Image]:
    """The list after a task's changes; known images keep their places, new ones come at the end.

    ``output_types`` (of the task) are put on every updated image. Updates are applied one after the other: the origin
    of a new image counts when it is in the list at that moment. Raises ValueError when `faults` has something to say.
    """
    refused = list(faults(images, changes, zarr_dir))
    if refused:
        raise ValueError("; ".join(refused))
    result = dict(images)
    for update in changes.updates:
        result[update.zarr_url] = _updated(result, update, output_types or {})
    for url in changes.removals:
        del result[url]
    return result


def default_update(urls: Iterable[str]) -> Changes:
    """What is assumed when no unit said anything: each of these images was processed."""
    return Changes(tuple(ImageUpdate(url) for url in urls))


def _updated(images: Mapping[str, Image], update: ImageUpdate, output_types: Mapping[str, bool]) -> Image:
    known = images.get(update.zarr_url)
    if known is not None and update.origin in (None, update.zarr_url):
        base: Image | None = known
        origin = known.origin
    else:
        base = images.get(update.origin) if update.origin is not None else None
        origin = update.origin
    attributes = {**(base.attributes if base else {}), **update.attributes}
    return Image(
        update.zarr_url,
        origin,
        {name: value for name, value in attributes.items() if value is not None},
        {**(base.types if base else {}), **update.types, **output_types},
    )
