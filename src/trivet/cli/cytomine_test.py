"""`trivet cytomine test`: a task on its test cases."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from trivet.cli.options import Pair

if TYPE_CHECKING:
    from trivet.contracts.cytomine.cases import Case
    from trivet.runs.case_runs import Tried
    from trivet.tasks.task import Task


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option("--image", metavar="REF", help="Test this image instead of building one.")
@click.option("--bundle", type=click.Path(exists=True, dir_okay=False), help="Test the image in this bundle.")
@click.option("--build-arg", "arguments", multiple=True, type=Pair(), help="Handed on to the Dockerfile.")
@click.option(
    "--runtime",
    type=click.Choice(["docker", "podman", "apptainer"]),
    help="What runs images, and builds them if it can.",
)
@click.option("--case", "names", multiple=True, metavar="NAME", help="Only the case of this file name.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the results here (default: they are compared and removed).",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of every case as JSON.")
def command(
    directory: Path,
    image: str | None,
    bundle: str | None,
    arguments: tuple[tuple[str, str], ...],
    runtime: str | None,
    names: tuple[str, ...],
    output: Path | None,
    as_json: bool,
) -> int:
    """Build the image of a task and run it on the cases in tests/*.yml.

    A case gives `inputs` (paths relative to its file) and what is `expected`: numbers within `tolerance`, geometries
    that cover the same points, files by path, sha256 or size, images also by format, width and height. With
    `exit_code` the task must fail.

    Exit code 1 when a case fails or the image can't be built.

    \b
    Example:
      trivet cytomine test my-task/ --build-arg BASE=python:3.13-slim
    """
    from trivet.contracts.cytomine.cases import read_cases
    from trivet.engines import EngineError

    if image and bundle:
        raise click.UsageError("an image is tested or a bundle, not both")
    try:
        task = _task(directory, image, bundle, dict(arguments), runtime)
        found = read_cases(task, directory)
        chosen = [case for case in found if not names or Path(case.file).stem in names]
        if not chosen:
            known = ", ".join(Path(case.file).stem for case in found)
            raise click.UsageError(f"there is no case of that name; known: {known}")
        with TemporaryDirectory(prefix="trivet-test-", ignore_cleanup_errors=True) as temporary:
            results = (output or Path(temporary)).absolute()
            tried = [_try(task, case, results, runtime) for case in chosen]
    except (EngineError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _report(tried, as_json)
    failed = sum(not one.ok for one in tried)
    print(
        f"{len(tried)} case{'s' * (len(tried) != 1)}, {failed} failed" + (f"; results in {output}" if output else ""),
        file=sys.stderr,
    )
    return 1 if failed else 0


def _task(
    directory: Path, image: str | None, bundle: str | None, arguments: dict[str, str], runtime: str | None
) -> Task:
    from trivet.contracts import contract
    from trivet.engines.runtimes import APPTAINER, open_api
    from trivet.runs.choosing import one_task
    from trivet.runs.packing import built, descriptor_in
    from trivet.tasks.problem import ProblemsError, has_errors

    if bundle is not None:
        task, problems = one_task(bundle)
        if has_errors(problems):
            raise ProblemsError(problems)
        return task
    source, model, _ = descriptor_in(directory)
    if image is None:
        _, version, release = open_api(None if runtime == APPTAINER else runtime)
        release()
        image = built(directory, model.reference, arguments, version.name)
    room = contract("cytomine")
    return room.tasks(room.read(replace(source, image=image)))[0]


def _try(task: Task, case: Case, results: Path, runtime: str | None) -> Tried:
    from trivet.records import home
    from trivet.runs.case_runs import attempt
    from trivet.runs.options import Options
    from trivet.runs.reporting import Reporter

    stem = Path(case.file).stem
    print(f"running {stem}", file=sys.stderr)
    return attempt(task, case, Options(runtime=runtime, output=str(results / stem)), home(), Reporter())


def _report(tried: list[Tried], as_json: bool) -> None:
    from trivet.cli.reporting import problem_lines

    if as_json:
        print(json.dumps([one.to_json() for one in tried], indent=2, ensure_ascii=False))
        return
    for one in tried:
        for problem in one.problems:
            print(*problem_lines(problem), sep="\n")
        where = f"; trivet logs {one.run}" if one.run and not one.ok else ""
        print(f"{'ok' if one.ok else 'failed'} {one.case.name}{where}")
