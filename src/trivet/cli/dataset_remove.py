"""``trivet dataset remove``: fewer images."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from trivet.cli.dataset_words import filter_options, guarded, opened, selected, url_of

if TYPE_CHECKING:
    from trivet.datasets.imagelist import ImageList


@click.command("remove", epilog="Example: trivet dataset remove screen --attribute well=A01")
@click.argument("dataset")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@filter_options
def command(*, dataset: str, urls: tuple[str, ...], types: tuple[str, ...], attributes: tuple[str, ...]) -> int:
    """Take images out of the list, by URL or all that have these types and attributes. Their files stay.

    Earlier versions of the dataset still have them.
    """
    from trivet.datasets.imagelist import removed

    if bool(urls) is bool(types or attributes):
        raise click.UsageError("Name the images, or choose them with --type and --attribute.")
    found, before = opened(dataset)
    named = [url_of(url) for url in urls]

    def without(images: ImageList) -> ImageList:
        chosen = named or [image.zarr_url for image in selected(images, types, attributes)]
        return removed(images, chosen)

    after = guarded(lambda: found.edit(without, time.time(), {"command": "dataset remove"}))
    gone = len(before.images) - len(after.images)
    print(f"{found.path.name}: {gone} fewer, {len(after.images)} images; no file was deleted", file=sys.stderr)
    return 0
