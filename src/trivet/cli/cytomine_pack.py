"""`trivet cytomine pack`: a bundle of a descriptor and its image."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trivet.cli.options import Pair


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option("--image", metavar="REF", help="Take this image instead of building one.")
@click.option("--build-arg", "arguments", multiple=True, type=Pair(), help="Handed on to the Dockerfile.")
@click.option("--runtime", type=click.Choice(["docker", "podman"]), help="What builds and saves the image.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write (NAMESPACE-VERSION.zip)."
)
@click.option("--force", is_flag=True, help="Replace a bundle that is there already.")
def command(
    directory: Path,
    image: str | None,
    arguments: tuple[tuple[str, str], ...],
    runtime: str | None,
    output: Path | None,
    force: bool,
) -> int:
    """Make a bundle of the descriptor in a directory, the image built from its Dockerfile, and logo.png.

    The same descriptor and image give the same bytes, whichever engine saved the image. The bundle is checked before
    it gets its name.

    \b
    Example:
      trivet cytomine pack my-task/ --build-arg BASE=python:3.13-slim
    """
    from trivet.cli.reporting import problem_lines
    from trivet.contracts.cytomine.packing import bundle_name
    from trivet.engines import EngineError
    from trivet.runs import packing

    target = output or Path(bundle_name(packing.descriptor_in(directory)[1]))
    if target.exists() and not force:
        raise click.ClickException(f"{target} is there already; give --force to replace it")

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    try:
        packed = packing.pack(directory, target, image, dict(arguments), runtime, say)
    except (EngineError, OSError) as error:
        raise click.ClickException(str(error)) from None
    for problem in packed.problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    say(f"image {packed.digest}")
    print(target)
    return 0
