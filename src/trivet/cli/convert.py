"""`trivet convert`: a document written in another form, or a task as a project of another contract."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivet.contracts import TARGETS
from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.contracts.source import Source
    from trivet.contracts.written import Written
    from trivet.conversions import Original, Wishes

_AUTHOR = re.compile(r"\s*(\S+)\s+([^<]*?[^<\s])\s*<([^<>]+)>\s*,\s*(.*\S)\s*")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_CHANNEL = re.compile(r"(.+)=(files|file|image)")


@click.command()
@click.argument("path", metavar="TASK", type=click.Path())
@click.option("--to", "target", required=True, type=click.Choice(sorted(TARGETS)), help="What to write.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file to write, or the directory (default: stdout)."
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--strict", is_flag=True, help="Write nothing if anything would be lost.")
@click.option("--image", help="The image of the task, if its document names another or none.")
@click.option("--entrypoint", help="What the image starts, as a command line, if it can't be asked for it.")
@click.option("--shell-from", metavar="IMAGE", help="Take a shell from this image (busybox), if the task's has none.")
@click.option("--namespace", help="Of a Cytomine task: com.example.my_lab.my_task.")
@click.option("--task-version", help="Of a Cytomine task: 1.0.0.")
@click.option(
    "--author",
    "authors",
    multiple=True,
    metavar="PERSON",
    help="Of a Cytomine task: 'First Last <MAIL>, Organization'.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME=KIND",
    help="What an item of a Kaapana channel is for Cytomine: files (default), one file, one image.",
)
def command(path: str, target: str, output: Path | None, force: bool, strict: bool, **wishes: Any) -> int:
    """Write a task in another form or for another platform, and say what of it could not be kept.

    Within a contract its document is written anew: templates, and keys that only others understand, are left as they
    are. For another contract a project is written: a Dockerfile that puts a script in front of the task's own image,
    the new document, and a README. TASK is then a file, a directory, a bundle or an image, with #TEMPLATE behind it for
    one of several. What is lost is told on stderr; the exit code is 1 when nothing could be written.

    \b
    Examples:
      trivet convert task.json --to kaapana > task.new.json
      trivet convert processing-container.json --to kaapana:guide -o old-form/
      trivet convert __FRACTAL_MANIFEST__.json --to fractal -o new/
      trivet convert descriptor.yml --to kaapana -o my-container/
      trivet convert processing-container.json#segment --to cytomine --image tools:1.0 -o my-task/
    """
    from trivet.cli.reporting import problem_lines

    wanted, form = TARGETS[target]
    lines: list[Problem] = []
    written = _rewritten(path, wanted, form, lines) or _converted(path, wanted, form, wishes, lines)
    for problem in lines:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    if strict and lines:
        raise click.ClickException(f"{len(lines)} of these can't be kept or known; nothing was written (--strict)")
    if output is None and len(written.files) == 1:
        print(*written.files.values(), sep="", end="")
    elif output is None:
        raise click.UsageError(f"this gives {len(written.files)} files ({', '.join(written.files)}); give --output DIR")
    else:
        _store(written.files, output, force)
    return 0


def _rewritten(path: str, wanted: str, form: str, lost: list[Problem]) -> Written | None:
    """A document of the wanted contract in another form; None for a task of another contract."""
    from trivet.contracts import LOOKED_FOR, contract, detect
    from trivet.contracts.kaapana.template_options import TemplateOptions
    from trivet.runs.sources import with_options

    found = _only_document(path)
    if found is None:
        return None
    source = with_options(found, TemplateOptions(enabled=False))
    name = detect(source)
    if name is None:
        unknown = Problem("T010", "this is not a task document of any known contract", hint=f"looked for {LOOKED_FOR}")
        raise ProblemsError(source.place([source.parsed[1] or unknown]))
    if name != wanted or not hasattr(contract(name), "write"):
        return None
    try:
        written = contract(wanted).write(contract(name).read(source), form)
    except ProblemsError as error:
        raise ProblemsError(source.place(error.problems)) from None
    lost += source.place(written.lost)
    return written


def _only_document(path: str) -> Source | None:
    """The document that a file, or nothing else in a directory or a wheel, is; None where it is not that plain."""
    from trivet.contracts.source import load
    from trivet.runs.sources import find, split

    if split(path)[1] is not None:
        return None
    if Path(path).is_dir() or path.lower().endswith(".whl"):
        sources = find(path)
        return sources[0] if len(sources) == 1 else None
    return load(Path(path)) if Path(path).is_file() and not path.lower().endswith(_ARCHIVES) else None


def _converted(path: str, wanted: str, form: str, given: Mapping[str, Any], lost: list[Problem]) -> Written:
    """A task of another contract as a project of the wanted one."""
    import shlex

    from trivet.contracts.source import Source
    from trivet.conversions import DIRECTIONS, Original, convert
    from trivet.runs.choosing import one_task
    from trivet.runs.image_start import original_of

    wishes = _wishes(given)
    try:
        argv = tuple(shlex.split(given["entrypoint"] or ""))
    except ValueError as error:
        raise click.UsageError(f"--entrypoint: {error}") from None
    task, _ = one_task(path, image=given["image"])
    document = task.document
    possible = (task.contract, wanted) in DIRECTIONS
    original: Original = original_of(task, argv) if possible else Original("", ())
    source = Source(document.origin, next(iter(document.texts.values())), Path(document.base))
    try:
        written = convert(task, wanted, form, original, wishes)
    except ProblemsError as error:
        raise ProblemsError(source.place(error.problems)) from None
    lost += source.place(written.lost)
    return written


def _wishes(given: Mapping[str, Any]) -> Wishes:
    from trivet.conversions.original import Author, Wishes

    def matched(option: str, pattern: re.Pattern[str], form: str) -> Iterator[tuple[str, ...]]:
        for text in given[option]:
            match = pattern.fullmatch(text)
            if match is None:
                raise click.UsageError(f"--{option.removesuffix('s')} {text!r}: write {form}")
            yield match.groups()

    people = matched("authors", _AUTHOR, "'First Last <mail@example.org>, Organization'")
    return Wishes(
        given["namespace"] or "",
        given["task_version"] or "",
        tuple(Author(first, last, organization, mail) for first, last, mail, organization in people),
        {pair[0]: pair[1] for pair in matched("channels", _CHANNEL, "NAME=KIND, a KIND being files, file or image")},
        given["shell_from"] or "",
    )


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
