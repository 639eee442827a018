"""``trivet dataset show``: images with their attributes and types."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from trivet.cli.dataset_words import filter_options, opened, selected, version_option
from trivet.cli.tables import print_table, table

if TYPE_CHECKING:
    from trivet.datasets.images import Image
    from trivet.records.datasets import DatasetDirectory, Head, Version


@click.command("show", epilog="Example: trivet dataset show screen --type is_3D=false --attribute well=A01,A02")
@click.argument("dataset")
@filter_options
@version_option
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="At most so many images.")
@click.option("--versions", is_flag=True, help="List the versions instead, and who made them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all chosen images.")
@click.option("--contact-sheet", "sheet", metavar="FILE", help="Also draw small pictures of them on one PNG.")
def command(
    *,
    dataset: str,
    types: tuple[str, ...],
    attributes: tuple[str, ...],
    number: int | None,
    limit: int,
    versions: bool,
    as_json: bool,
    sheet: str | None,
) -> int:
    """Show the images of a dataset with their attributes and types, in the order of the list.

    DATASET is a name, or a directory written with a slash.
    """
    found, version = opened(dataset, number)
    if versions:
        _print_versions(found, as_json)
        return 0
    images = selected(version.images, types, attributes)
    if sheet is not None:
        from trivet.cli.dataset_pictures import write_contact_sheet

        write_contact_sheet(images, found.zarr_dir, sheet)
    if as_json:
        print(json.dumps(_data(found, version, images), indent=2, ensure_ascii=False))
        return 0
    zarr_dir = found.zarr_dir
    facts = [
        ("directory", zarr_dir),
        ("version", f"{version.head.number}, {_time(version.head)}, by {_author(version.head)}"),
        ("images", str(len(version.images)) + ("" if len(images) == len(version.images) else f", {len(images)} shown")),
        *((f"attribute {name}", values) for name, values in _attributes(images).items()),
        *((f"type {name}", counts) for name, counts in _types(images).items()),
    ]
    print(found.path.name)
    print(*table(None, facts), sep="\n")
    if images and limit:
        print()
        _print_images(images[:limit], zarr_dir)
    if len(images) > limit:
        print(f"… {len(images)} images; --limit {len(images)} shows all, --json too")
    return 0


def _print_images(images: Sequence[Image], zarr_dir: str) -> None:
    attributes = list(dict.fromkeys(name for image in images for name in image.attributes))
    types = list(dict.fromkeys(name for image in images for name in image.types))
    rows = [
        (
            _relative(image.zarr_url, zarr_dir),
            *(str(image.attributes.get(name, "")) for name in attributes),
            *(_truth(image.types.get(name)) for name in types),
            _relative(image.origin, zarr_dir) if image.origin else "",
        )
        for image in images
    ]
    print_table(("image", *attributes, *types, "origin"), rows)


def _data(dataset: DatasetDirectory, version: Version, images: Sequence[Image]) -> dict[str, Any]:
    from trivet.datasets.images import to_json

    return {
        "name": dataset.path.name,
        "zarr_dir": dataset.zarr_dir,
        **_head_data(version.head),
        "images": [to_json(image) for image in images],
    }


def _print_versions(dataset: DatasetDirectory, as_json: bool) -> None:
    heads = dataset.heads()
    if as_json:
        print(json.dumps([_head_data(head) | {"images": head.images} for head in heads], indent=2))
        return
    rows = [(str(head.number), str(head.images), _time(head), _author(head)) for head in heads]
    print_table(("VERSION", "IMAGES", "MADE", "BY"), rows)


def _head_data(head: Head) -> dict[str, Any]:
    return {"version": head.number, "changed": _time(head), "by": dict(head.by)}


def _attributes(images: Sequence[Image]) -> Mapping[str, str]:
    """The values of each attribute, the first ones when there are many."""
    values: dict[str, dict[str, None]] = {}
    for image in images:
        for name, value in image.attributes.items():
            values.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(_shortened(list(found))) for name, found in values.items()}


def _shortened(values: list[str], limit: int = 12) -> Iterator[str]:
    yield from sorted(values)[:limit]
    if len(values) > limit:
        yield f"… ({len(values)} values)"


def _types(images: Sequence[Image]) -> Mapping[str, str]:
    counts: dict[str, int] = {}
    for image in images:
        for name, value in image.types.items():
            counts[name] = counts.get(name, 0) + value
    return {name: f"{count} yes, {len(images) - count} no" for name, count in counts.items()}


def _relative(url: str, zarr_dir: str) -> str:
    return url.removeprefix(zarr_dir.rstrip("/") + "/")


def _truth(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _time(head: Head) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(head.at))


def _author(head: Head) -> str:
    return f"job {head.by['job']}, step {head.by['step']}" if "job" in head.by else str(head.by.get("command", ""))
