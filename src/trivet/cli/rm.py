"""``trivet rm``: remove runs that are over."""

from __future__ import annotations

import shutil
import sys

import click

from trivet.records import UnreadableError
from trivet.records.directory import RunDirectory
from trivet.records.journal import last_owner


@click.command("rm", epilog="Example: trivet rm 20261120-223501-7f3a")
@click.argument("runs", nargs=-1, required=True)
def command(runs: tuple[str, ...]) -> int:
    """Remove the directories of runs that are over, with logs and outputs.

    Outputs that were published elsewhere (`--output`) stay. A run that goes on is refused: cancel it first.
    """
    from trivet.cli.finding import found

    code = 0
    # All names are looked up first: `last` means one run however often it is said.
    for directory in dict.fromkeys([found(name) for name in runs]):
        if not _over(directory):
            print(f"{directory.id} still runs; end it first: trivet cancel {directory.id}", file=sys.stderr)
            code = 1
            continue
        # Under another name first: a half-removed directory is never taken for a run.
        doomed = directory.path.rename(directory.path.with_name(f".{directory.id}.removed"))
        shutil.rmtree(doomed)
        print(directory.id)
    return code


def _over(run: RunDirectory) -> bool:
    """True for a run that has ended, or that is damaged and driven by nobody."""
    try:
        last_owner(run.journal)
        return "result" in run.read()
    except UnreadableError:
        return run.resting or not _driven(run)


def _driven(run: RunDirectory) -> bool:
    try:
        return run.owner_alive()
    except UnreadableError:
        return False
