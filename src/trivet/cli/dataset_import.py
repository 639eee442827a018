"""``trivet dataset import``: a dataset from a file of the public server."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("import", epilog="Example: trivet dataset import screen.json --name screen-2")
@click.argument("file")
@click.option("--name", help="Its name here, if not the one in the file.")
@click.option("--zarr-dir", metavar="DIR", help="Where the images lie now, if the directory was moved.")
def command(*, file: str, name: str | None, zarr_dir: str | None) -> int:
    """Make a dataset from a file that the public server of Fractal, or `trivet dataset export`, has written.

    FILE may be - for stdin. No image may be listed twice, and all must lie below the dataset's directory. With
    --zarr-dir every URL below the old directory becomes one below the new.
    """
    from trivet.cli.dataset_words import UNUSABLE, made, tell, url_of
    from trivet.contracts.parsing import parse_json
    from trivet.datasets.exchange import read_content, relocated
    from trivet.tasks.problem import Problem, ProblemsError

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProblemsError([Problem(UNUSABLE, f"the file can't be read: {reason}", file=file)]) from None
    data, problem = parse_json(text)
    if problem is not None:
        raise ProblemsError([problem.at(file, problem.line, problem.column)])
    if name is not None and isinstance(data, dict):
        data["name"] = name
    problems: list[Problem] = []
    content = read_content(data, problems)
    placed = [problem.at(file) for problem in problems]
    if content is None:
        raise ProblemsError(placed)
    tell(placed)
    made(content if zarr_dir is None else relocated(content, url_of(zarr_dir)), "dataset import")
    return 0
