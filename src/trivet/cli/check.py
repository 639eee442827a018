"""`trivet check`: what is wrong with task documents."""

from __future__ import annotations

import click

from trivet.cli.reporting import FORMATS, Checked, report
from trivet.contracts import examine
from trivet.runs.sources import complete, search
from trivet.tasks.problem import Problem, ProblemsError, has_errors


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", help="How problems are written on stdout."
)
@click.option("--strict", is_flag=True, help="Take warnings as errors.")
@click.option("--python", metavar="PREFIX", help="The environment in which a package's name is looked up.")
def command(targets: tuple[str, ...], form: str, strict: bool, python: str | None) -> int:
    """Say what is wrong with task documents, all of it.

    PATH is a document of any contract (which one is seen by its content), a bundle or a wheel, a directory that is
    searched for documents, the name of an installed package, or a container image.

    Exit code 1 when there is an error.

    \b
    Example:
      trivet check my-task/ --format github
    """
    checked = [one for target in targets for one in _check(target, python)]
    if strict:
        checked = [one.strict() for one in checked]
    report(form, checked)
    return 1 if any(has_errors(one.problems) for one in checked) else 0


def _check(target: str, python: str | None) -> list[Checked]:
    sources, problems = search(target, python)
    unread: dict[str, list[Problem]] = {}
    for problem in problems:
        unread.setdefault(problem.file or target, []).append(problem)
    checked = [Checked(file, problems=tuple(found)) for file, found in unread.items()]
    for source in sources:
        try:
            source = complete(source, from_image=False)
        except ProblemsError as error:  # the file it needs is broken, which is said; it itself is still checked
            checked.append(Checked(error.problems[0].file, problems=error.problems))
        document, found = examine(source)
        contract, kind = (document.contract, document.kind) if document else (None, None)
        checked.append(Checked(source.name, contract, kind, tuple(found)))
    return checked
