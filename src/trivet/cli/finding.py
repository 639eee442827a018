"""The run that a user names."""

from __future__ import annotations

import click

from trivet.records import home
from trivet.records.directory import RunDirectory
from trivet.runs import adoption


def found(name: str) -> RunDirectory:
    """The run of that name, taken over first when its driver died. A usage error tells what there is instead."""
    adoption.adopt(home())
    try:
        return adoption.find(home(), name)
    except LookupError as error:
        raise click.ClickException(str(error)) from None
