"""`trivet check`: what is wrong with task documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from trivet.cli.checking import check
from trivet.cli.options import template_options
from trivet.cli.reporting import FORMATS

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions


def _codes(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The codes in the values of an option, each whole or its first letters."""
    codes = [code.strip() for value in given for code in value.split(",")]
    for code in codes:
        if not re.fullmatch("[A-Z][0-9]{0,3}", code):
            raise click.BadParameter(f"{code!r} is no code of a problem; give E, E05 or F041, for example")
    return tuple(codes)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", help="How problems are written on stdout."
)
@click.option("--strict", is_flag=True, help="Take warnings as errors.")
@click.option("--select", "selected", multiple=True, callback=_codes, help="Tell only of these codes: E, E05,F04 …")
@click.option("--ignore", "ignored", multiple=True, callback=_codes, help="Tell nothing of these codes.")
@click.option("--python", metavar="PREFIX", help="The environment in which a package's name is looked up.")
@template_options
def command(
    targets: tuple[str, ...],
    form: str,
    strict: bool,
    selected: tuple[str, ...],
    ignored: tuple[str, ...],
    python: str | None,
    templates: TemplateOptions | None,
) -> int:
    """Say what is wrong with task documents, all of it.

    PATH is a document of any contract (which one is seen by its content), a bundle or a wheel, a directory that is
    searched for documents, the name of an installed package, or a container image.

    Codes are given whole or by how they begin, several with commas between. What can't be read is always told.

    Exit code 1 when there is an error.

    \b
    Examples:
      trivet check my-task/ --format github
      trivet check my_tasks-1.0-py3-none-any.whl --ignore E05
    """
    return check(targets, form, strict, python, templates, selected, ignored)
