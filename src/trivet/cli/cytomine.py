"""`trivet cytomine`: the commands for what only this contract has, each loaded when it is used."""

from __future__ import annotations

import click

from trivet.cli.group import Commands

COMMANDS = {
    "test": ("trivet.cli.cytomine_test", "Run a task on its test cases and compare what it gives."),
    "pack": ("trivet.cli.cytomine_pack", "Make a bundle: build the image, save it, zip it."),
    "unpack": ("trivet.cli.cytomine_unpack", "Take a bundle apart."),
    "describe": ("trivet.cli.cytomine_describe", "Print a descriptor as a page of documentation."),
}


@click.group(cls=Commands, table=COMMANDS)
def command() -> None:
    """What only Cytomine's contract has.

    \b
    Example:
      trivet cytomine pack my-task/
    """
