"""``trivet dataset add``: more images."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivet.tasks.problem import Problem


@click.command(
    "add", epilog="Example: trivet dataset add screen plates/p.zarr/A/01/0 --attribute well=A01 --type is_3D=true"
)
@click.argument("dataset")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute of all of them.")
@click.option("--type", "types", multiple=True, metavar="NAME=BOOLEAN", help="A type of all of them.")
@click.option("--origin", metavar="URL", help="The image they were derived from.")
@click.option("--from", "file", metavar="FILE", help="A JSON list of images, or a dataset's file; - is stdin.")
def command(
    *,
    dataset: str,
    urls: tuple[str, ...],
    attributes: tuple[str, ...],
    types: tuple[str, ...],
    origin: str | None,
    file: str | None,
) -> int:
    """Add images to the end of the list: all of them, or none when one is known already or not below the directory.

    A value is a number, true or false where JSON has one, otherwise text; write '"7"' for a text of digits.
    """
    from trivet.cli.dataset_files import images_in
    from trivet.cli.dataset_words import guarded, opened, pair, scalar, tell, url_of
    from trivet.datasets.exchange import read_images
    from trivet.datasets.imagelist import added
    from trivet.tasks.problem import ProblemsError, has_errors

    if bool(urls) is (file is not None):
        raise click.UsageError("Name the images, or the file that lists them with --from.")
    found, _ = opened(dataset)
    zarr_dir, now = found.zarr_dir, time.time()
    problems: list[Problem] = []
    if file is None:
        own = {
            "origin": None if origin is None else url_of(origin),
            "attributes": {name: scalar(value) for name, value in map(pair, attributes)},
            "types": dict(map(pair, types)),
        }
        images = read_images([{"zarr_url": url_of(url), **own} for url in urls], zarr_dir, problems)
        if has_errors(problems):
            raise ProblemsError(problems)
    else:
        images, problems = images_in(file, zarr_dir)
    tell(problems)
    more, by = images.values(), {"command": "dataset add"}
    after = guarded(lambda: found.edit(lambda known: added(known, more, zarr_dir), now, by))
    print(f"{found.path.name}: {len(images)} more, {len(after.images)} images", file=sys.stderr)
    return 0
