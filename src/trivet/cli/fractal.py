"""`trivet fractal`: the commands for what only this contract has, each loaded when it is used."""

from __future__ import annotations

import click

from trivet.cli.group import Commands

COMMANDS = {
    "manifest": ("trivet.cli.fractal_manifest", "Write, check or compare the manifest of a package."),
    "preview": ("trivet.cli.fractal_preview", "Write the argument forms of all tasks as one HTML page."),
}


@click.group(cls=Commands, table=COMMANDS)
def command() -> None:
    """What only Fractal's contract has: for authors of packages of tasks.

    \b
    Example:
      trivet fractal manifest check --package my_tasks
    """
