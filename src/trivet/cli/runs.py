"""``trivet runs``: the list of runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from trivet.tasks.states import RunState

if TYPE_CHECKING:
    from trivet.runs.summary import Summary


@click.command("runs", epilog="Example: trivet runs --state FAILED --limit 5")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in RunState], case_sensitive=False),
    help="Only runs in this state; may be given several times.",
)
@click.option("--contract", help="Only runs of tasks of this contract.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the newest.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option(
    "--index",
    "url",
    envvar="TRIVET_INDEX",
    help="The database to list them in, as postgresql+psycopg://lab@host/trivet (default: SQLite).",
)
@click.option("--rebuild", is_flag=True, help="Build the index anew from the runs' directories.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    states: tuple[str, ...],
    contract: str | None,
    limit: int,
    everything: bool,
    url: str | None,
    rebuild: bool,
    as_json: bool,
) -> int:
    """List runs, newest first.

    Runs whose driver died are found and taken over by a new one.
    """
    from trivet.index import default_url
    from trivet.index.runs import Index, IndexUnusableError
    from trivet.records import home
    from trivet.runs import adoption

    adoption.adopt(home())

    def listed(url: str) -> list[Summary]:
        index = Index(home(), url)
        index.rebuild() if rebuild else index.refresh()
        rows = index.runs([state.upper() for state in states], contract, None if everything else limit)
        index.close()
        return rows

    try:
        rows = listed(url or default_url(home()))
    except IndexUnusableError as error:
        if url:
            raise click.ClickException(str(error)) from None
        print(f"trivet: {error}", file=sys.stderr)
        rows = listed("sqlite://")  # in memory: what can't be written can still be read
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return 0
    from trivet.cli.tables import table

    header = ("RUN", "STATE", "REASON", "UNITS", "TASK", "CREATED", "GOING ON")
    lines = [
        (
            *(row.id, row.state, row.reason or "", f"{row.done}/{row.units}"),
            *(f"{row.contract}:{row.task}", row.created, "" if row.final else row.message),
        )
        for row in rows
    ]
    for line in table(header, lines, indent=""):
        print(line)
    return 0
