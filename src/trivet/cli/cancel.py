"""``trivet cancel``: end a run."""

from __future__ import annotations

import click


@click.command("cancel", epilog="Example: trivet cancel last")
@click.argument("run")
@click.option("--wait/--no-wait", default=True, help="Wait until it is over.")
def command(run: str, wait: bool) -> int:
    """End a run: its units get TERM, and KILL after their grace; queued ones never start.

    Works for a run of any process, also in the background or on another machine that shares the directory.
    """
    from trivet.cli.finding import found
    from trivet.runs.follow import wait_until_over
    from trivet.runs.summary import summarise

    directory = found(run)
    record = directory.read()
    if "result" in record:
        raise click.ClickException(f"run {directory.id} is over: {record['result']['state']}")
    directory.ask("cancel")
    if wait and not wait_until_over(directory, record["options"]["grace"] + 30):
        raise click.ClickException(f"run {directory.id} has not ended yet; look again with `trivet runs`")
    print(f"{directory.id}  {summarise(directory).state}")
    return 0
