"""`trivet fractal preview`: the argument forms of a package's tasks as one HTML page."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from trivet.tasks.problem import ProblemsError

_SHOWN = 5
"""How many of the manifests that were found are named."""


@click.command()
@click.argument("target", metavar="PACKAGE")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file to write (default: PACKAGE-forms.html)."
)
@click.option("--force", is_flag=True, help="Replace a file that is no such page.")
@click.option("--python", metavar="PREFIX", help="The environment in which a package's name is looked up.")
def command(target: str, output: Path | None, force: bool, python: str | None) -> int:
    """Write one HTML page with the form of every task's arguments, as a user will see it.

    PACKAGE is a manifest, the directory of a package, a wheel, or the name of an installed package. The page needs
    nothing but itself: open it in a browser. What the public web form can't show is said at every task.

    \b
    Example:
      trivet fractal preview my_tasks/ -o forms.html
    """
    from trivet.contracts import fractal
    from trivet.contracts.fractal import lint, preview
    from trivet.records.files import write_text
    from trivet.runs.sources import find

    sources = [source for source in find(target, python) if fractal.detect(source)]
    if len(sources) != 1:
        found = ", ".join(source.name for source in sources[:_SHOWN]) or "none"
        found += f" and {len(sources) - _SHOWN} more" if len(sources) > _SHOWN else ""
        raise click.ClickException(f"one manifest of a Fractal package is wanted in {target}; found: {found}")
    [source] = sources
    document = fractal.read(source)
    try:
        text = preview.page(document, source.place(lint.check(document)))
    except ProblemsError as error:
        raise ProblemsError(source.place(error.problems)) from None
    path = output or Path(_name(text))
    if not force and path.exists() and not (path.is_file() and preview.MARK.encode() in path.read_bytes()):
        raise click.ClickException(f"{path} is there already and is no such page; --force replaces it")
    try:
        write_text(path, text)
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}") from None
    print(path)
    print(f"open it in a browser: {path.absolute().as_uri()}", file=sys.stderr)
    return 0


def _name(text: str) -> str:
    """The usual name of a page: that of its package."""
    title = re.search(r"<title>(.*?)</title>", text)
    return re.sub(r"[^\w.-]+", "-", title[1] if title else "").strip("-") + "-forms.html"
