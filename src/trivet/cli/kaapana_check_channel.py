"""``trivet kaapana check-channel``: what departs from the convention for channels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trivet.tasks.problem import Problem

KINDS = ("each", "combine", "match")


class Related(click.ParamType[tuple[str, str]]):
    """``each=DIR``, ``combine=DIR`` or ``match=DIR``."""

    name = "KIND=DIR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        kind, _, directory = str(value).partition("=")
        if kind not in KINDS or not directory:
            self.fail(f"{value!r} is not of the form {', '.join(f'{kind}=DIR' for kind in KINDS)}", param, ctx)
        return kind, directory


@click.command(
    "check-channel",
    epilog="Example: trivet kaapana check-channel results/nrrd --relation each=scans",
)
@click.argument("directory", type=click.Path())
@click.option(
    "--relation",
    "relations",
    multiple=True,
    type=Related(),
    help="How its items relate to those of another channel: results of each of them, results that combine them, or "
    "the same ones. May be given several times.",
)
@click.option("--strict", is_flag=True, help="Take warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as trivet check --format json does.")
def command(*, directory: str, relations: tuple[tuple[str, str], ...], strict: bool, as_json: bool) -> int:
    """Check a directory against the convention for channels: one directory for each item, named by its identifier.

    Every run does so with its inputs and outputs. The exit code is 1 when the directory can't be read, with --strict
    also when there is a warning.
    """
    from trivet.cli.reporting import Checked, report
    from trivet.tasks.problem import has_errors

    checked = Checked(directory, "kaapana", "channel", tuple(_problems(directory, relations)))
    if strict:
        checked = checked.strict()
    report("json" if as_json else "text", [checked])
    return 1 if has_errors(checked.problems) else 0


def _problems(directory: str, relations: tuple[tuple[str, str], ...]) -> list[Problem]:
    from trivet.contracts.kaapana.channels import compare, examine, identifiers

    name = Path(directory).resolve().name
    try:
        contents = examine(directory, name)
    except (OSError, ValueError) as error:
        return [_unreadable(directory, error)]
    problems = list(contents.problems)
    for kind, other in relations:
        try:
            problems += compare(kind, name, contents.items, other, identifiers(other))
        except (OSError, ValueError) as error:
            problems.append(_unreadable(other, error))
    return [problem if problem.file else problem.at(directory) for problem in problems]


def _unreadable(directory: str, error: OSError | ValueError) -> Problem:
    from trivet.tasks.problem import Problem

    if not isinstance(error, OSError):
        message = f"the channel can't be read: {error}"
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        message = "there is no directory here"
    else:
        message = f"the channel can't be read: {error.strerror or error}"
    return Problem("K049", message, hint="check the path", file=directory)
