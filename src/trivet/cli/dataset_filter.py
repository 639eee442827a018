"""``trivet dataset filter``: the URLs of some images, for other programs."""

from __future__ import annotations

import json
import sys

import click

from trivet.cli.dataset_words import filter_options, opened, selected, version_option


@click.command("filter", epilog="Example: trivet dataset filter screen --type is_3D=true --attribute well=A01,A02")
@click.argument("dataset")
@filter_options
@version_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of images.")
def command(
    *, dataset: str, types: tuple[str, ...], attributes: tuple[str, ...], number: int | None, as_json: bool
) -> int:
    """Print the URL of every image that has these types and attributes, one on a line.

    An image without a type has false. An image without an attribute has none of its values. Types which some of the
    chosen images have and others have not are told on stderr, since one image often stands there twice then: as it was,
    and as a task made it.
    """
    from trivet.datasets.filters import non_unique_types
    from trivet.datasets.images import to_json

    _, version = opened(dataset, number)
    images = selected(version.images, types, attributes)
    if as_json:
        print(json.dumps([to_json(image) for image in images], indent=2, ensure_ascii=False))
    else:
        for image in images:
            print(image.zarr_url)
    print(f"{len(images)} of {len(version.images)} images", file=sys.stderr)
    mixed = non_unique_types(images)
    if mixed:
        print(
            f"some have it and others not: {', '.join(mixed)}; choose with --type NAME=true or false", file=sys.stderr
        )
    return 0
