"""`trivet fractal`: the commands for what only this contract has, each loaded when it is used."""

from __future__ import annotations

import click

from trivet.cli.group import Commands

COMMANDS = {
    "manifest": ("trivet.cli.fractal_manifest", "Write, check or compare the manifest of a package."),
    "workflow": ("trivet.cli.fractal_workflow", "Check a workflow file, and print it as the server writes it today."),
    "preview": ("trivet.cli.fractal_preview", "Write the argument forms of all tasks as one HTML page."),
    "collect": ("trivet.cli.fractal_collect", "Get a package of tasks, in an environment of its own."),
    "packages": ("trivet.cli.fractal_packages", "List the packages that were collected."),
    "deactivate": ("trivet.cli.fractal_deactivate", "Remove a package's environment; it can be made again."),
    "reactivate": ("trivet.cli.fractal_reactivate", "Make a package's environment again, exactly as it was."),
    "remove": ("trivet.cli.fractal_remove", "Remove a package and its environment."),
}


@click.group(cls=Commands, table=COMMANDS)
def command() -> None:
    """What only Fractal's contract has: for authors of packages of tasks, and for those who use them.

    \b
    Examples:
      trivet fractal manifest check --package my_tasks
      trivet fractal collect fractal-tasks-core==2.1.0
    """
