"""`trivet kaapana test`: build a container project and run its tasks on their test data."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from trivet.cli.options import Pair

if TYPE_CHECKING:
    from trivet.runs.trials import Case, Tried


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option("--image", metavar="REF", help="Test this image instead of building one.")
@click.option("--build-arg", "arguments", multiple=True, type=Pair(), help="Handed on to the Dockerfile.")
@click.option(
    "--runtime",
    type=click.Choice(["docker", "podman", "apptainer"]),
    help="What runs images, and builds them if it can.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the results here (default: they are compared and removed).",
)
def command(
    directory: Path, image: str | None, arguments: tuple[tuple[str, str], ...], runtime: str | None, output: Path | None
) -> int:
    """Build the image of a container project, and run every template on its test data.

    Every task.json of the project is run; what it gives must be what is in the directory NAME.expected beside
    NAME.json, where there is one. A template without a task.json is run when it needs no input, otherwise it is told.

    Exit code 1 when the image can't be built, a run fails, an output differs or a template was not tried out.

    \b
    Example:
      trivet kaapana test . --build-arg BASE=python:3.13-slim
    """
    from trivet.runs import trials
    from trivet.runs.building import build

    name = trials.container_name(directory)
    found, untried = trials.cases(directory)
    if image is None:
        image = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ":trivet-test"
        try:
            build(directory, image, dict(arguments), runtime)
        except CalledProcessError as error:
            raise click.ClickException(f"the image could not be built (exit code {error.returncode})") from None
        except OSError as error:
            raise click.ClickException(f"the image could not be built: {error}") from None
    with TemporaryDirectory(prefix="trivet-test-", ignore_cleanup_errors=True) as temporary:
        outputs = output or Path(temporary)
        tried = [_try(case, image, outputs.absolute(), runtime) for case in found]
    return _report(tried, untried, image, output)


def _try(case: Case, image: str, outputs: Path, runtime: str | None) -> Tried:
    from trivet.engines import EngineError
    from trivet.records import home
    from trivet.runs import trials
    from trivet.runs.reporting import Reporter

    print(f"running {case.name} ({case.target})", file=sys.stderr)
    try:
        return trials.attempt(case, image, outputs / case.name, home(), runtime, Reporter())
    except (EngineError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _report(tried: list[Tried], untried: list[str], image: str, output: Path | None) -> int:
    from trivet.cli.reporting import problem_lines
    from trivet.runs import trials

    for one in tried:
        for problem in one.problems:
            print(*problem_lines(problem), sep="\n")
        where = f"; trivet logs {one.run}" if one.run and not one.ok else ""
        print(f"{'ok' if one.ok else 'failed'} {one.case.template} ({one.case.target}){where}")
    for problem in trials.untried(untried):
        print(*problem_lines(problem), sep="\n")
    failed = sum(not one.ok for one in tried)
    kept = f"; results in {output}" if output is not None else ""
    print(f"{image}: {len(tried)} run, {failed} failed, {len(untried)} not tried out{kept}", file=sys.stderr)
    return 1 if failed or untried or not tried else 0
