"""``trivet dataset export``: a dataset as a file of the public server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from trivet.cli.dataset_words import UNUSABLE, counted, filter_options, opened, selected, version_option
from trivet.tasks.problem import Problem, ProblemsError


@click.command("export", epilog="Example: trivet dataset export screen -o screen.json")
@click.argument("dataset")
@click.option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout.")
@filter_options
@version_option
def command(
    *, dataset: str, output: str | None, types: tuple[str, ...], attributes: tuple[str, ...], number: int | None
) -> int:
    """Write a dataset as the public server of Fractal does: its name, its directory, its images."""
    from trivet.datasets.exchange import Content, to_json
    from trivet.datasets.imagelist import indexed
    from trivet.records.files import write_text

    found, version = opened(dataset, number)
    images = selected(version.images, types, attributes)
    content = to_json(Content(found.path.name, found.zarr_dir, indexed(images)))
    text = json.dumps(content, indent=2, ensure_ascii=False)
    if output is None:
        print(text)
        return 0
    try:
        write_text(Path(output), text + "\n")
    except OSError as error:
        message = f"the file can't be written: {error.strerror}"
        raise ProblemsError([Problem(UNUSABLE, message, file=output)]) from None
    print(f"{output}: {counted(images)}", file=sys.stderr)
    return 0
