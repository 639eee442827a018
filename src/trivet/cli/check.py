"""`trivet check`: what is wrong with task documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trivet.cli.checking import check
from trivet.cli.options import template_options
from trivet.cli.reporting import FORMATS

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", help="How problems are written on stdout."
)
@click.option("--strict", is_flag=True, help="Take warnings as errors.")
@click.option("--python", metavar="PREFIX", help="The environment in which a package's name is looked up.")
@template_options
def command(
    targets: tuple[str, ...], form: str, strict: bool, python: str | None, templates: TemplateOptions | None
) -> int:
    """Say what is wrong with task documents, all of it.

    PATH is a document of any contract (which one is seen by its content), a bundle or a wheel, a directory that is
    searched for documents, the name of an installed package, or a container image.

    Exit code 1 when there is an error.

    \b
    Example:
      trivet check my-task/ --format github
    """
    return check(targets, form, strict, python, templates)
