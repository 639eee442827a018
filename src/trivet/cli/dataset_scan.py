"""``trivet dataset scan``: the image list of OME-Zarr data that are already there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivet.contracts.fractal.scanning import Found


@click.command("scan", epilog="Example: trivet dataset scan plates/p.zarr --name screen")
@click.argument("directory")
@click.option("--name", help="Make this dataset, or add to it what it does not have yet.")
def command(*, directory: str, name: str | None) -> int:
    """Find the OME-Zarr images of a plate, a well, or of everything below a directory.

    Attributes are plate and well, the type is is_3D. Only metadata are read, of NGFF 0.4 and 0.5. Without --name, the
    dataset is printed as a file for `trivet dataset import`. What is broken is left out and told; the exit code is 1
    then.
    """
    from trivet.cli.dataset_words import UNUSABLE, tell
    from trivet.contracts.fractal.scanning import scan
    from trivet.tasks.problem import Problem, ProblemsError, has_errors

    try:
        found = scan(Path(directory))
    except NotADirectoryError:
        raise ProblemsError([Problem(UNUSABLE, "there is no directory here", file=directory)]) from None
    except ValueError as error:
        raise ProblemsError([Problem(UNUSABLE, str(error), file=directory)]) from None
    tell(found.problems)
    if name is None:
        _print(found, directory)
    elif found.images:
        _keep(found, name)
    return 1 if has_errors(found.problems) else 0


def _print(found: Found, directory: str) -> None:
    from trivet.datasets.exchange import Content, to_json
    from trivet.datasets.imagelist import indexed

    name = Path(directory).resolve().name.removesuffix(".zarr")
    content = Content(name, found.zarr_dir, indexed(found.images))
    print(json.dumps(to_json(content), indent=2, ensure_ascii=False))


def _keep(found: Found, name: str) -> None:
    from trivet.cli.dataset_words import guarded, made
    from trivet.datasets.exchange import NAME, Content, name_fault
    from trivet.datasets.imagelist import ImageList, added, indexed
    from trivet.records import home
    from trivet.records.datasets import find
    from trivet.tasks.problem import Problem, ProblemsError

    fault = name_fault(name)
    if fault:
        raise ProblemsError([Problem(NAME, fault)])
    try:
        dataset = find(home(), name)
    except LookupError:
        made(Content(name, found.zarr_dir, indexed(found.images)), "dataset scan")
        return
    zarr_dir = guarded(lambda: dataset.zarr_dir)
    fresh = 0

    def with_new(images: ImageList) -> ImageList:
        nonlocal fresh
        new = [image for image in found.images if image.zarr_url not in images]
        fresh = len(new)
        return added(images, new, zarr_dir)

    after = guarded(lambda: dataset.edit(with_new, time.time(), {"command": "dataset scan"}))
    print(f"{name}: {fresh} more, {len(after.images)} images", file=sys.stderr)
