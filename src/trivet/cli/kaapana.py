"""`trivet kaapana`: the commands for what only this contract has, each loaded when it is used."""

from __future__ import annotations

import click

from trivet.cli.group import Commands

COMMANDS = {
    "merge": ("trivet.cli.kaapana_merge", "Print a task.json merged with its template."),
    "check-channel": ("trivet.cli.kaapana_check_channel", "Check a directory against the convention for channels."),
    "suggest-scale-rule": ("trivet.cli.kaapana_suggest", "Fit a scale rule to the past runs of a template."),
    "test": ("trivet.cli.kaapana_test", "Build a container project and run its tasks on their test data."),
}


@click.group(cls=Commands, table=COMMANDS)
def command() -> None:
    """What only Kaapana's contract has.

    \b
    Example:
      trivet kaapana merge task.json
    """
