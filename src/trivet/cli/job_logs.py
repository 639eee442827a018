"""``trivet job logs``: what the units of a job printed."""

from __future__ import annotations

import shutil
import sys

import click


@click.command(
    "logs",
    epilog="""\b
Examples:
  trivet job logs last
  trivet job logs last --step 1 --unit par-000000-0000003
""",
)
@click.argument("job")
@click.option("--step", metavar="STEP", help="The logs of a step's units, by its number or name.")
@click.option("--unit", metavar="NAME", help="With --step: only the log of this unit.")
def command(job: str, step: str | None, unit: str | None) -> int:
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
    out = sys.stdout.buffer
    if step is None:
        if directory.workflow_log.exists():
            with directory.workflow_log.open("rb") as stream:
                shutil.copyfileobj(stream, out)
        return 0
    names = [one.name for one in history.read(directory).steps]
    units = history.units(directory, step_of(step, names, names))
    if unit is not None:
        known = [one.name for one in units]
        if unit not in known:
            raise click.ClickException(f"the step has no unit `{unit}`; {closest(unit, known) or 'it has none yet'}")
        units = [one for one in units if one.name == unit]
    for one in units:
        if one.log is None:
            continue
        if unit is None:
            out.write(f"==> {one.name} <==\n".encode())
        with one.log.open("rb") as stream:
            shutil.copyfileobj(stream, out)
            size = stream.tell()
            stream.seek(max(size - 1, 0))
            if stream.read(1) not in (b"\n", b""):
                out.write(b"\n")
    return 0
