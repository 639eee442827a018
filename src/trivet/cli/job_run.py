"""``trivet job run``: a workflow on a dataset, from its file to its last step."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from trivet.cli.options import unit_options

if TYPE_CHECKING:
    from trivet.cli.job_asking import Plan
    from trivet.records.directory import JobDirectory
    from trivet.tasks.problem import Problem


def _statuses(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...]:
    """The statuses in the value of an option."""
    from trivet.datasets.statuses import STATUSES

    if given is None:
        return ()
    words = tuple(dict.fromkeys(word.strip() for word in given.split(",")))
    for word in words:
        if word not in STATUSES:
            raise click.BadParameter(f"{word!r} is no status of an image: {', '.join(STATUSES)}")
    return words


@click.command(
    "run",
    epilog="""\b
Examples:
  trivet job run workflow.json --dataset screen
  trivet job run workflow.json --zarr-dir plates --python my-env
  trivet job run workflow.json --dataset screen --first "Segment nuclei" --only failed,unset
  trivet job run workflow.json --dataset screen --dry-run
""",
)
@click.argument("workflow", metavar="WORKFLOW.json")
@click.option("--dataset", metavar="NAME", help="The dataset; a file (.json) is imported first.")
@click.option("--zarr-dir", metavar="DIR", help="Make a dataset with images below DIR, named as the workflow.")
@click.option("--images", metavar="FILE", help="With --zarr-dir: a list of images to begin with, as JSON.")
@click.option("--first", metavar="STEP", help="Begin with this step: its number, from 0, or name.")
@click.option("--last", metavar="STEP", help="End after this step.")
@click.option("--type", "types", multiple=True, metavar="NAME=BOOLEAN", help="Only images of this type, at every step.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=VALUE[,VALUE]",
    help="Only images with one of these values; may be given several times.",
)
@click.option(
    "--only",
    metavar="STATUS[,STATUS]",
    callback=_statuses,
    help="Only images with this status at the first step: done, failed, submitted, unset.",
)
@click.option("--python", metavar="PATH", help="The environment in which packages are looked for first.")
@click.option("--no-validate-args", "validate", is_flag=True, flag_value=False, default=True, help="Let arguments be.")
@click.option("--engine", default="local", show_default=True, help="Where units are started: local, slurm.")
@click.option("--site", metavar="FILE", help="SLURM: the configuration of the cluster.")
@click.option("--slots", type=click.IntRange(min=1), help="How many CPUs units share (default: all of the machine).")
@unit_options
@click.option("--cold", is_flag=True, help="Start every unit anew, and import nothing ahead.")
@click.option(
    "--gather-parallel-output",
    "gather",
    is_flag=True,
    help="Version 1: gather what parallel units say in lists, instead of ignoring it.",
)
@click.option("--dry-run", is_flag=True, help="Look at everything, print what is expected, and start nothing.")
@click.option("--watch/--detach", default=True, help="Stay and show how it goes, or let it run in the background.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(workflow: str, dry_run: bool, watch: bool, as_json: bool, **given: Any) -> int:
    """Run a workflow of Fractal's tasks on a dataset, step by step.

    Tasks are looked for among the collected packages (trivet fractal collect), then in Trivet's own environment. All
    that can be known to fail is told before anything starts. The job runs from a copy of the workflow; results of
    images that are done stay whatever happens later, and the job stops after a step with a failed unit.

    A job that begins with a later step goes on with what the steps before it leave: their output types are taken as
    filters, unless --type says something else. Exit code 1 when a unit failed.
    """
    from trivet.cli.job_asking import plan
    from trivet.tasks.problem import ProblemsError, has_errors

    planned = plan(workflow, given)
    if dry_run:
        return _rehearse(planned, as_json)
    if has_errors(planned.problems):
        raise ProblemsError(planned.problems)
    _tell(planned.problems)
    return begin(planned.request(), watch, as_json)


def begin(request: Any, watch: bool, as_json: bool) -> int:
    """Make a job and drive it, or let it run in the background; the exit code."""
    from trivet.records import home
    from trivet.workflows import start

    try:
        job = start.create(request, home())
    except OSError as error:
        reason = error.strerror or error
        raise click.ClickException(
            f"jobs can't be recorded in {home()}: {reason}; TRIVET_HOME names another place"
        ) from None
    if not watch:
        start.detach(job)
        print(json.dumps({"id": job.id, "directory": str(job.path)}) if as_json else job.id)
        return 0
    return drive(job, as_json)


def drive(job: JobDirectory, as_json: bool) -> int:
    """Drive a job to its end; the exit code."""
    from trivet.cli.job_summary import print_result
    from trivet.cli.job_watching import JobWatcher
    from trivet.cli.results import INTERRUPTED
    from trivet.engines import EngineError
    from trivet.records.journal import NotOwnerError
    from trivet.tasks.states import RunState
    from trivet.workflows import start

    watcher = JobWatcher(job)
    try:
        result = start.drive(job, watcher)
    except (EngineError, NotOwnerError, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        watcher.close()
    print_result(job, result, as_json)
    if result.state is RunState.FINISHED:
        return 0
    return INTERRUPTED if result.state is RunState.CANCELLED and result.message == "interrupted" else 1


def _rehearse(planned: Plan, as_json: bool) -> int:
    from dataclasses import asdict

    from trivet.cli.reporting import problem_json
    from trivet.cli.tables import print_table
    from trivet.runs.start import SLURM
    from trivet.tasks.problem import has_errors

    arrays = []
    if planned.asked.options.engine == SLURM and not has_errors(planned.problems):
        from trivet.records import home
        from trivet.workflows import preflight

        arrays = list(preflight.arrays(planned.asked, planned.rows, str(home() / "jobs/dry-run")))
    if as_json:
        data = {
            "workflow": planned.file.name,
            "dataset": {"name": planned.dataset.name, "zarr_dir": planned.dataset.zarr_dir},
            "images": len(planned.asked.images),
            "type_filters": dict(planned.asked.type_filters),
            "attribute_filters": {name: list(values) for name, values in planned.asked.attribute_filters.items()},
            "steps": [asdict(row) for row in planned.rows],
            "problems": [problem_json(problem) for problem in planned.problems],
            **({"arrays": arrays} if arrays else {}),
        }
        print(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        cells = [
            (
                str(row.index),
                row.name,
                row.kind,
                _expected(row.images, row.exact, row.kind),
                ", ".join(f"{name}={str(value).lower()}" for name, value in row.type_filters.items()),
            )
            for row in planned.rows
        ]
        if cells:
            print_table(("STEP", "NAME", "TYPE", "IMAGES", "CHOSEN BY"), cells)
        if arrays:
            from trivet.cli.dry_run import print_documents

            print()
            print_documents(arrays)
        _tell(planned.problems)
    return 1 if has_errors(planned.problems) else 0


def _expected(images: int | None, exact: bool, kind: str) -> str:
    if kind.startswith(("converter", "version 1, once")):
        return "makes them"
    if images is None:
        return "?"
    return str(images) if exact else f"{images} or others"


def _tell(problems: Sequence[Problem]) -> None:
    from trivet.cli.reporting import problem_lines

    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
