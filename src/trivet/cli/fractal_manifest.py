"""`trivet fractal manifest`: write, check or compare the manifest of a package of tasks."""

from __future__ import annotations

import click


@click.group()
def command() -> None:
    """Write, check or compare the manifest of a package."""
