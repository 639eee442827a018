"""``trivet rm``: remove runs that are over."""

from __future__ import annotations

import sys

import click

from trivet.records import UnreadableError
from trivet.records.directory import RunDirectory
from trivet.records.journal import last_owner


@click.command("rm", epilog="Example: trivet rm 20261120-223501-7f3a")
@click.argument("runs", nargs=-1, required=True)
@click.option("--keep-remote", is_flag=True, help="Leave what is in the folder of a cluster that is elsewhere.")
def command(runs: tuple[str, ...], keep_remote: bool) -> int:
    """Remove the directories of runs that are over, with logs and outputs.

    What a run has left in the folder of a cluster that is reached by SSH goes, too, unless --keep-remote is given.
    Outputs that were published elsewhere (`--output`) stay. A run that goes on is refused: cancel it first.
    """
    from trivet.cli.finding import found
    from trivet.cli.removing import removed

    code = 0
    # All names are looked up first: `last` means one run however often it is said.
    for directory in dict.fromkeys([found(name) for name in runs]):
        if not _over(directory):
            print(f"{directory.id} still runs; end it first: trivet cancel {directory.id}", file=sys.stderr)
            code = 1
            continue
        if removed(directory, keep_remote):
            print(directory.id)
        else:
            code = 1
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
