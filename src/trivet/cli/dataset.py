"""`trivet dataset`: the commands for image lists, each loaded when it is used."""

from __future__ import annotations

import click

from trivet.cli.group import Commands

COMMANDS = {
    "create": ("trivet.cli.dataset_create", "Make a dataset without images."),
    "list": ("trivet.cli.dataset_list", "List datasets."),
    "show": ("trivet.cli.dataset_show", "Show images with their attributes and types."),
    "filter": ("trivet.cli.dataset_filter", "Print the URLs of the images that have attributes and types."),
    "add": ("trivet.cli.dataset_add", "Add images."),
    "remove": ("trivet.cli.dataset_remove", "Take images out of the list; their files stay."),
    "export": ("trivet.cli.dataset_export", "Write a dataset as a file of the public server."),
    "import": ("trivet.cli.dataset_import", "Make a dataset from a file of the public server."),
    "scan": ("trivet.cli.dataset_scan", "Build the list from OME-Zarr data that are already there."),
}


@click.group(cls=Commands, table=COMMANDS)
def command() -> None:
    """Image lists with attributes and types, as Fractal's tasks work on them.

    \b
    Example:
      trivet dataset scan plates --name screen
    """
