"""The image list of a dataset, indexed by URL, and what becomes of it when a task's changes are applied.

Everything takes time linear in the number of images and changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from trivet.datasets.changes import Changes, contradictions, merge
from trivet.datasets.images import Image, ImagePatch, ImageUpdate
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
        raise ValueError(f"images are listed more than once: {_joined(sorted(twice), ', ')}")
    return by_url


def faults(images: ImageList, changes: Changes, zarr_dir: str) -> Iterator[str]:
    """Why changes can't be applied: contradictions, new images outside ``zarr_dir``, removals of unknown ones."""
    for url in contradictions(changes):
        yield f"more than one thing is said of image {url}"
    yield from (fault for _, fault in _misplaced(images, changes, zarr_dir))


def apply(
    images: ImageList, changes: Changes, zarr_dir: str, output_types: Mapping[str, bool] | None = None
) -> dict[str, Image]:
    """The list after a task's changes; known images keep their places, new ones come at the end.

    ``output_types`` (of the task) are put on every updated image. Updates are applied one after the other: the origin
    of a new image counts when it is in the list at that moment. Raises ValueError when `faults` has something to say.
    """
    refused = list(faults(images, changes, zarr_dir))
    if refused:
        raise ValueError(_joined(refused))
    result = dict(images)
    for update in changes.updates:
        result[update.zarr_url] = _updated(result, update, output_types or {})
    for url in changes.removals:
        del result[url]
    return result


def judge(images: ImageList, outputs: Sequence[Changes], zarr_dir: str) -> tuple[Changes, Mapping[int, Sequence[str]]]:
    """The merged outputs that can be applied, and why each of the others (by position) can't.

    An output is taken as a whole or not at all: one bad output does not hold back what the others said.
    """
    everything = merge(outputs)
    reasons = {url: f"more than one thing is said of image {url}" for url in contradictions(everything)}
    for url, fault in _misplaced(images, everything, zarr_dir):
        reasons.setdefault(url, fault)
    if not reasons:
        return everything, {}
    refused = {}
    for position, output in enumerate(outputs):
        found = list(dict.fromkeys(reasons[url] for url in output.urls() if url in reasons))
        if found:
            refused[position] = found
    return merge(output for position, output in enumerate(outputs) if position not in refused), refused


def strangers(images: ImageList, changes: Changes) -> list[str]:
    """Origins that updates name, but which are not in the list when their turn comes: nothing is inherited of them."""
    known = set(images)
    missing: dict[str, None] = {}
    for update in changes.updates:
        if update.origin is not None and update.origin != update.zarr_url and update.origin not in known:
            missing[update.origin] = None
        known.add(update.zarr_url)
    return list(missing)


def patched(images: ImageList, patch: ImagePatch) -> dict[str, Image]:
    """The list after a person's edit: each field that is given replaces the old one. Raises KeyError if not listed."""
    image = images[patch.zarr_url]
    if patch.attributes is not None:
        image = replace(image, attributes=patch.attributes)
    if patch.types is not None:
        image = replace(image, types=patch.types)
    return {**images, patch.zarr_url: image}


def added(images: ImageList, more: Iterable[Image], zarr_dir: str) -> dict[str, Image]:
    """The list with new images at its end. Raises ValueError, saying everything, when one is known or outside
    ``zarr_dir``."""
    more = tuple(more)
    known = [f"image {image.zarr_url} is in the list already" for image in more if image.zarr_url in images]
    outside = outsiders((image.zarr_url for image in more), zarr_dir)
    if known or outside:
        raise ValueError(_joined([*known, *(f"{url} is not below {zarr_dir}" for url in outside)]))
    return {**images, **indexed(more)}


def removed(images: ImageList, urls: Iterable[str]) -> dict[str, Image]:
    """The list without some images, whose files stay. Raises ValueError, naming all, when some are not listed."""
    urls = dict.fromkeys(urls)
    unknown = [url for url in urls if url not in images]
    if unknown:
        raise ValueError(f"not in the list: {_joined(unknown, ', ')}")
    return {url: image for url, image in images.items() if url not in urls}


def outsiders(urls: Iterable[str], zarr_dir: str) -> list[str]:
    """Those URLs, in normal form, that do not lie below ``zarr_dir``, by their components."""
    inside = normalize_url(zarr_dir).rstrip("/") + "/"
    return [url for url in urls if not url.startswith(inside)]


def default_update(urls: Iterable[str]) -> Changes:
    """What is assumed when no unit said anything: each of these images was processed."""
    return Changes(tuple(ImageUpdate(url) for url in urls))


def _misplaced(images: ImageList, changes: Changes, zarr_dir: str) -> Iterator[tuple[str, str]]:
    """URLs of changes that are not where they should be, each with what is wrong."""
    named = dict.fromkeys(update.zarr_url for update in changes.updates)
    for url in outsiders((url for url in named if url not in images), zarr_dir):
        yield url, f"new image {url} must be below the dataset's directory {zarr_dir}"
    for url in changes.removals:
        if url not in images and url not in named:
            yield url, f"image {url} can't be removed: it is not in the list"


def _joined(words: Sequence[str], by: str = "; ", limit: int = 20) -> str:
    """The words in one text, however many there are."""
    return by.join(words[:limit]) + (f"{by}and {len(words) - limit} more" if len(words) > limit else "")


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
