"""``trivet rm``: remove runs that are over."""

from __future__ import annotations

import shutil
import sys

import click


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
        try:
            over = "result" in directory.read()
        except ValueError:
            over = not directory.owner_alive()
        if not over:
            print(f"{directory.id} still runs; end it first: trivet cancel {directory.id}", file=sys.stderr)
            code = 1
            continue
        # Under another name first: a half-removed directory is never taken for a run.
        doomed = directory.path.rename(directory.path.with_name(f".{directory.id}.removed"))
        shutil.rmtree(doomed)
        print(directory.id)
    return code
