"""`trivet convert`: a document written in another form, or as one of another contract."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from trivet.contracts import TARGETS
from trivet.tasks.problem import Problem, ProblemsError


@click.command()
@click.argument("path", metavar="FILE", type=click.Path())
@click.option("--to", "target", required=True, type=click.Choice(sorted(TARGETS)), help="What to write.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file to write, or the directory (default: stdout)."
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def command(path: str, target: str, output: Path | None, force: bool) -> int:
    """Write a document in another form, and say what of it could not be kept.

    Templates, and keys that only others understand, are left as they are. What is lost is told on stderr; the exit
    code is 1 when nothing could be written.

    \b
    Examples:
      trivet convert task.json --to kaapana > task.new.json
      trivet convert processing-container.json --to kaapana:guide -o old-form/
    """
    from trivet.cli.reporting import problem_lines
    from trivet.contracts import LOOKED_FOR, contract, detect
    from trivet.contracts.kaapana.template_options import TemplateOptions
    from trivet.contracts.source import load
    from trivet.runs.sources import with_options

    source = with_options(load(Path(path)), TemplateOptions(enabled=False))
    name = detect(source)
    if name is None:
        unknown = Problem("T010", "this is not a task document of any known contract", hint=f"looked for {LOOKED_FOR}")
        raise ProblemsError(source.place([source.parsed[1] or unknown]))
    wanted, form = TARGETS[target]
    try:
        written = contract(wanted).write(contract(name).read(source), form)
    except ProblemsError as error:
        raise ProblemsError(source.place(error.problems)) from None
    for problem in source.place(written.lost):
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    if output is None and len(written.files) == 1:
        print(*written.files.values(), sep="", end="")
    elif output is None:
        raise click.UsageError(f"this gives {len(written.files)} files ({', '.join(written.files)}); give --output DIR")
    else:
        _store(written.files, output, force)
    return 0


def _store(files: Mapping[str, str], output: Path, force: bool) -> None:
    from trivet.records.files import write_text

    into_directory = output.is_dir() or len(files) > 1 or output.suffix == ""
    places = {output / name if into_directory else output: text for name, text in files.items()}
    taken = [str(path) for path in places if path.exists() and not force]
    if taken:
        raise click.ClickException(f"{', '.join(taken)} is there already; --force replaces it")
    for path, text in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        print(path)
