"""``trivet job logs``: what the units of a job printed."""

from __future__ import annotations

import glob
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
    from trivet.workflows.layout import StepLayout

    if unit is not None and step is None:
        raise click.UsageError("--unit goes with --step STEP")
    directory = found(job)
    root, pattern = directory.path, directory.workflow_log.name
    if step is not None:
        steps = history.read(directory).steps
        names = [one.name for one in steps]
        order = step_of(step, names, names)
        root = StepLayout.of(directory, order, steps[order].task).root
        pattern = "*-log.txt" if unit is None else f"{glob.escape(unit)}-*log.txt"
    headed = step is not None and unit is None
    if follow:
        _follow(directory, root, pattern, headed)
        return 0
    logs = [log for log in sorted(root.glob(pattern)) if log.stat().st_size > 0]
    if unit is not None and not logs:
        known = closest(unit, [_unit(log) for log in sorted(root.glob("*-log.txt"))])
        raise click.ClickException(f"no unit `{unit}` of the step has written anything; {known or 'nor has any other'}")
    for log in logs:
        if headed:
            print(f"==> {_unit(log)} <==", flush=True)
        _print(log)
    return 0


def _unit(log: Path) -> str:
    """The name of the unit whose log this is; further attempts of one have their number behind it."""
    return log.name.removesuffix("log.txt").rstrip("-")


def _print(log: Path) -> None:
    """A log as it is, and the end of its last line."""
    out = sys.stdout.buffer
    with log.open("rb") as stream:
        shutil.copyfileobj(stream, out)
        stream.seek(max(stream.tell() - 1, 0))
        if stream.read(1) not in (b"\n", b""):
            out.write(b"\n")
    out.flush()


def _follow(job: JobDirectory, folder: Path, pattern: str, headed: bool) -> None:
    """The logs in a folder as they grow, each piece headed by its unit where it is not the one before's."""
    from trivet.runs.follow import growing

    last, end = None, "\n"
    for log, text in growing(job, lambda: sorted(folder.glob(pattern))):
        if headed and log != last:
            print("" if end == "\n" else "\n", f"==> {_unit(log)} <==", sep="", flush=True)
        last, end = log, "\n" if text.endswith(b"\n") else ""
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
