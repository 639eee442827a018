"""``trivet job stop``: end a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivet.records.directory import JobDirectory


@click.command("stop", epilog="Example: trivet job stop last")
@click.argument("job")
@click.option("--wait/--no-wait", default=True, help="Wait until it is over.")
def command(job: str, wait: bool) -> int:
    """End a job: its units get TERM, and KILL after their grace; queued ones never start.

    What is done stays, and `trivet job continue` goes on from there. Works for a job of any process, also in the
    background or on another machine that shares the directory.
    """
    from trivet.cli.job_view import headline
    from trivet.cli.job_words import found
    from trivet.runs.follow import wait_until_over
    from trivet.workflows import history

    directory = found(job)
    record = directory.read()
    if "result" in record:
        raise click.ClickException(f"job {directory.id} is over: {record['result']['state']}")
    if not directory.owner_alive():
        _abandon(directory)
        wait = False
    else:
        directory.ask("cancel")
    if wait and not wait_until_over(directory, record["options"]["grace"] + 30):
        raise click.ClickException(f"job {directory.id} has not ended yet; look again with `trivet job status`")
    print(headline(history.read(directory)))
    return 0


def _abandon(job: JobDirectory) -> None:
    """End what a driver that died left running."""
    from trivet.engines import EngineError
    from trivet.records.journal import NotOwnerError
    from trivet.workflows import start

    try:
        start.abandon(job, "it was stopped")
    except NotOwnerError as error:
        raise click.ClickException(str(error)) from None
    except (EngineError, OSError, ValueError) as error:  # a dataset that is gone, too
        hint = f"trivet job rm --force {job.id} removes it, and leaves what it started to itself"
        raise click.ClickException(f"{error}\n{hint}") from None
