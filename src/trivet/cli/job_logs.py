"""``trivet job logs``: what the units of a job printed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivet.records.directory import JobDirectory


@click.command(
    "logs",
    epilog="""\b
Examples:
  trivet job logs last --follow
  trivet job logs last --step 1 --unit par-000000-0000003
""",
)
@click.argument("job")
@click.option("--step", metavar="STEP", help="The logs of a step's units, by its number or name.")
@click.option("--unit", metavar="NAME", help="With --step: only the log of this unit.")
@click.option("-f", "--follow", is_flag=True, help="Go on while the job does.")
def command(job: str, step: str | None, unit: str | None, follow: bool) -> int:
    """Print what the units of a job printed, byte by byte, while it goes on or later.

    Without --step, the job's own log is printed: what was begun, and how it ended. Logs of several units are each
    headed by the unit's name; units that printed nothing are left out.
    """
    from trivet.cli.job_words import found, step_of
    from trivet.tasks.problem import closest
    from trivet.workflows import history

    if unit is not None and step is None:
        raise click.UsageError("--unit goes with --step STEP")
    directory = found(job)
    if step is None:
        if follow:
            _follow(directory, directory.path, directory.workflow_log.name)
        elif directory.workflow_log.exists():
            _print(directory.workflow_log)
        return 0
    steps = history.read(directory).steps
    names = [one.name for one in steps]
    order = step_of(step, names, names)
    units = history.units(directory, order)
    if unit is not None:
        known = [one.name for one in units]
        if unit not in known:
            raise click.ClickException(f"the step has no unit `{unit}`; {closest(unit, known) or 'it has none yet'}")
        units = [one for one in units if one.name == unit]
    if follow:
        from trivet.workflows.layout import StepLayout

        root = StepLayout.of(directory, order, steps[order].task).root
        _follow(directory, root, f"{unit or ''}*-log.txt", headed=unit is None)
        return 0
    for one in units:
        if one.log is not None:
            if unit is None:
                print(f"==> {one.name} <==", flush=True)
            _print(one.log)
    return 0


def _print(log: Path) -> None:
    """A log as it is, and the end of its last line."""
    out = sys.stdout.buffer
    with log.open("rb") as stream:
        shutil.copyfileobj(stream, out)
        stream.seek(max(stream.tell() - 1, 0))
        if stream.read(1) not in (b"\n", b""):
            out.write(b"\n")
    out.flush()


def _follow(job: JobDirectory, folder: Path, pattern: str, headed: bool = False) -> None:
    """The logs in a folder as they grow, each piece headed by its unit where it is not the one before's."""
    from trivet.runs.follow import growing

    last, end = None, "\n"
    for log, text in growing(job, lambda: sorted(folder.glob(pattern))):
        if headed and log != last:
            name = log.name.removesuffix("log.txt").rstrip("-")
            print("" if end == "\n" else "\n", f"==> {name} <==", sep="", flush=True)
        last, end = log, "\n" if text.endswith(b"\n") else ""
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
