"""``trivet run``: bind, stage, run, collect, record."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivet.cli.options import Pair, template_options, unit_options
from trivet.cli.reporting import problem_lines

if TYPE_CHECKING:
    from trivet.contracts.kaapana.user_input import UserInput
    from trivet.records.directory import RunDirectory
    from trivet.runs.options import Options
    from trivet.tasks.call import Call
    from trivet.tasks.task import Task
    from trivet.tasks.values import Value

_FOR_TASKS = ("values_file", "inputs_from", "each", "python", "templates", "conf", "task_id", "gather")
"""What a run that is repeated has already."""


@click.command(
    "run",
    epilog="""\b
Examples:
  trivet run count-nuclei/ image=@slide.png min_area=30
  trivet run count-nuclei/ --values values.yml --memory 8Gi
  trivet run 'processing-container.json#dicom-to-nrrd' --image dicom-tools:1.0 --input dicom=./patients
  trivet run 'tiny-tasks#Segment' --input zarr_url=run:last/zarr_urls --detach
  trivet run run:20261120-223501-7f3a     (the same once more)
""",
)
@click.argument("target", metavar="PATH[#TASK]")
@click.argument("values", nargs=-1, type=Pair())
@click.option(
    "-i",
    "--input",
    "files",
    multiple=True,
    type=Pair(),
    metavar="NAME=PATH",
    help="A file, a directory, or run:RUN/OUTPUT.",
)
@click.option("--values", "values_file", type=click.Path(), help="A JSON or YAML file with values of inputs by name.")
@click.option(
    "--inputs-from",
    type=click.Path(),
    metavar="DIR",
    help="Cytomine: a directory that holds the inputs as the program finds them.",
)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False), help="Where outputs go (default: into the run's own directory)."
)
@click.option("--each", metavar="NAME", help="Repeat the task for each element of this input.")
@click.option("--image", help="The container image to use, instead of the document's own.")
@click.option("--python", metavar="PATH", help="Interpreter or prefix of the environment a package's tasks run in.")
@click.option(
    "--engine",
    default="local",
    show_default=True,
    help="Where units are started: local, slurm, kubernetes (dry runs only).",
)
@click.option(
    "--site",
    type=click.Path(),
    help="SLURM: the cluster's configuration (default: TRIVET_SITE, slurm.toml in TRIVET_HOME, or what SLURM says).",
)
@click.option(
    "--runtime",
    type=click.Choice(["docker", "podman", "apptainer"]),
    help="What runs images (default: the first that answers).",
)
@click.option("--slots", type=click.IntRange(min=1), help="How many units run at once (default: one for each CPU).")
@unit_options
@click.option("--cold", is_flag=True, help="Fractal: start every unit anew, and import nothing ahead.")
@click.option(
    "--user", metavar="USER", help="Who runs in the container: caller, UID or UID:GID (default: the image says)."
)
@click.option("--command-as-args", is_flag=True, help="Give the task's command to the image's entrypoint as arguments.")
@click.option("--namespace", metavar="NAME", help="Kubernetes: the namespace, before the one the task names.")
@click.option("--into-existing", is_flag=True, help="Let outputs go into directories that hold something already.")
@click.option(
    "--gather-parallel-output",
    "gather",
    is_flag=True,
    help="Fractal version 1: gather what parallel units say in lists, instead of ignoring it.",
)
@template_options
@click.option("--conf", type=click.Path(), help="Kaapana: a file with the user input of a workflow request, as JSON.")
@click.option("--task-id", metavar="ID", help="Kaapana: which task of the workflow this is, for --conf.")
@click.option("--dry-run", is_flag=True, help="Print what would be started, as YAML, and start nothing.")
@click.option("--show-secrets", is_flag=True, help="Print passwords in a dry run.")
@click.option("--watch/--detach", default=True, help="Stay and show the log, or let it run in the background.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    target: str,
    values: tuple[tuple[str, str], ...],
    files: tuple[tuple[str, str], ...],
    watch: bool,
    dry_run: bool,
    show_secrets: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Run a task: check its inputs, start it, and collect what it gives.

    NAME=VALUE gives an input; NAME=@FILE takes the value from a file, and the same name twice makes a list. A word
    replaces what --values gives, and that what --inputs-from gives. The log goes to stderr, the outputs to stdout. The
    exit code is that of the task.
    """
    from trivet.records import home
    from trivet.records.codec import problem_from_json
    from trivet.runs import adoption, start

    if dry_run:
        from trivet.cli.dry_run import show

        return show(*_call(target, (*values, *files), given), as_json, show_secrets)
    adoption.adopt(home())
    call, options = _call(target, (*values, *files), given)
    try:
        run = start.create(call, options, home())
    except OSError as error:
        reason = error.strerror or error
        raise click.ClickException(
            f"runs can't be recorded in {home()}: {reason}; TRIVET_HOME names another place"
        ) from None
    for note in run.read()["notes"]:
        print(*problem_lines(problem_from_json(note)), sep="\n", file=sys.stderr)
    if not watch:
        start.detach(run, call.task.document.secrets)
        print(json.dumps({"id": run.id, "directory": str(run.path)}) if as_json else run.id)
        return 0
    return _drive(run, call, as_json)


def _call(target: str, words: tuple[tuple[str, str], ...], given: dict[str, Any]) -> tuple[Call, Options]:
    from trivet.records import home
    from trivet.runs import inputs
    from trivet.runs.choosing import one_task
    from trivet.tasks.problem import ProblemsError, has_errors

    options = _options(given)
    if target.startswith("run:"):
        if words or any(given[name] for name in _FOR_TASKS):
            raise click.UsageError(
                "a run is repeated as it was; give options of how to run only, or name the task itself"
            )
        return _repeated(target.removeprefix("run:"), given["image"], options)
    user_input = _user_input(given["conf"], given["task_id"])
    task, problems = one_task(target, given["python"], given["image"], given["templates"], user_input)
    if has_errors(problems):
        raise ProblemsError(problems)
    values: dict[str, Value] = {}
    if given["inputs_from"]:
        values, more = inputs.in_directory(task, Path(given["inputs_from"]))
        problems = [*problems, *more]
    if given["values_file"]:
        from_file, more = inputs.in_file(task, Path(given["values_file"]), given["each"])
        values |= from_file
        problems = [*problems, *more]
    if given["gather"]:
        values[_gathering(task)] = True
    call = inputs.bound(task, words, home(), given["each"], values)
    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    return call, options


def _gathering(task: Task) -> str:
    """The input by which the output of parallel units is gathered."""
    from trivet.contracts.fractal.v1.manifest import GATHER

    if task.input(GATHER) is None:
        message = f"--gather-parallel-output is for parallel tasks of version 1 of Fractal; {task.name} is none"
        raise click.UsageError(message)
    return GATHER


def _repeated(name: str, image: str | None, given: Options) -> tuple[Call, Options]:
    """A run once more; what is said about how to run counts more than what was said then."""
    from trivet.records import home
    from trivet.runs.adoption import find
    from trivet.runs.options import Options
    from trivet.runs.repeating import repeated

    try:
        call, options = repeated(find(home(), name).read(), image)
    except LookupError as error:
        raise click.ClickException(str(error)) from None
    unsaid = asdict(Options())
    return call, replace(options, **{key: value for key, value in asdict(given).items() if value != unsaid[key]})


def _options(given: dict[str, Any]) -> Options:
    from trivet.runs.options import Options

    output, site = (given[name] and str(Path(given[name]).absolute()) for name in ("output", "site"))
    limits = ("slots", "cpus", "memory", "gpus", "time_limit", "grace", "retries", "cold")
    names = ("engine", "runtime", *limits, "user", "command_as_args", "namespace", "into_existing")
    try:
        return Options(output=output, site=site, **{name: given[name] for name in names})
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _user_input(conf: str | None, task_id: str | None) -> UserInput | None:
    if (conf is None) != (task_id is None):
        raise click.UsageError("--conf and --task-id are given together: a file, and the task in it that is meant")
    if conf is None or task_id is None:
        return None
    from trivet.contracts.kaapana import user_input
    from trivet.contracts.source import load

    return user_input.read(load(Path(conf)), task_id)


def _drive(run: RunDirectory, call: Call, as_json: bool) -> int:
    from trivet.cli.watching import Watcher
    from trivet.engines import EngineError
    from trivet.records.journal import NotOwnerError
    from trivet.runs import start

    watcher = Watcher(run)
    try:
        result = start.drive(run, watcher, call.task.document.secrets)
    except (EngineError, NotOwnerError, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        watcher.close()
    from trivet.cli.results import exit_code, print_result

    print_result(run, result, as_json, watcher.log_shown)
    return exit_code(result, interrupted=watcher.interrupted)
