"""`trivet new`: a project to start from, for every contract that has one."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

PROJECTS = {
    "cytomine": (
        "trivet.contracts.cytomine.project",
        "trivet check {path} && trivet cytomine test {path}",
    ),
    "fractal": (
        "trivet.contracts.fractal.project",
        "trivet check {path} && trivet fractal preview {path}",
    ),
    "kaapana": (
        "trivet.contracts.kaapana.project",
        "trivet check {path} && trivet kaapana test {path}",
    ),
}
"""For every contract the module whose `files` makes a project, and what to try first."""


@click.command()
@click.argument("contract", type=click.Choice(sorted(PROJECTS)))
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The directory to make (default: NAME).")
def command(contract: str, name: str, output: Path | None) -> int:
    """Begin a project: a task that passes its own checks and tests, to be made yours.

    \b
    Example:
      trivet new kaapana my-tools
    """
    module, advice = PROJECTS[contract]
    try:
        files = import_module(module).files(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    directory = output or Path(name)
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise click.ClickException(f"{directory} is there already; nothing was written")
    try:
        for path, text in files.items():
            place = directory / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text if isinstance(text, bytes) else text.encode())
            if place.suffix == ".sh":
                place.chmod(0o755)
            print(place)
    except OSError as error:
        raise click.ClickException(f"{error.filename} can't be written: {error.strerror}") from None
    print(f"next: {advice.format(path=directory)}", file=sys.stderr)
    return 0
