"""Checking targets and reporting what was found: `trivet check` without its command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trivet.cli.reporting import Checked, report
from trivet.contracts import contract as room
from trivet.contracts import examine
from trivet.runs.sources import complete, search, with_options
from trivet.tasks.problem import Problem, ProblemsError, has_errors

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions
    from trivet.contracts.source import Source
    from trivet.tasks.document import Document


def check(
    targets: Sequence[str],
    form: str = "text",
    strict: bool = False,
    python: str | None = None,
    templates: TemplateOptions | None = None,
    selected: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
) -> int:
    """Check all targets and report in one of the formats; the exit code is 1 when there is an error.

    ``selected`` and ``ignored`` hold codes or how they begin; what prevents reading is told whatever they say.
    """
    checked = [one for target in targets for one in _check(target, python, templates)]
    if selected or ignored:
        checked = [_chosen(one, selected or ("",), ignored) for one in checked]
    if strict:
        checked = [one.strict() for one in checked]
    report(form, checked)
    return 1 if any(has_errors(one.problems) for one in checked) else 0


def _check(target: str, python: str | None, templates: TemplateOptions | None) -> list[Checked]:
    sources, problems = search(target, python)
    unread: dict[str, list[Problem]] = {}
    for problem in problems:
        unread.setdefault(problem.file or target, []).append(problem)
    checked = [Checked(file, problems=tuple(found)) for file, found in unread.items()]
    for source in sources:
        source = with_options(source, templates)
        try:
            source = complete(source, from_image=False)
        except ProblemsError as error:  # the file it needs is broken, which is said; it itself is still checked
            checked.append(Checked(error.problems[0].file, problems=error.problems))
        document, found = examine(source)
        contract, kind = (document.contract, document.kind) if document else (None, None)
        if document is not None and (contract, kind) == ("kaapana", "container"):
            found += _of_project(source, document)
        elif contract == "fractal" and document is not None:
            from trivet.contracts.fractal import lint

            found += source.place(lint.check(document))
        if document is not None and source.archive is not None:
            found += room(document.contract).verify(document)
        checked.append(Checked(source.name, contract, kind, tuple(found)))
    return checked


def _chosen(checked: Checked, selected: tuple[str, ...], ignored: tuple[str, ...]) -> Checked:
    problems = (
        problem
        for problem in checked.problems
        if problem.code.startswith("T") or (problem.code.startswith(selected) and not problem.code.startswith(ignored))
    )
    return replace(checked, problems=tuple(problems))


def _of_project(source: Source, document: Document) -> list[Problem]:
    """What is found beside a container file, where it stands in the project that its image is built from."""
    import os.path

    directory = os.path.dirname(source.name)  # noqa: PTH120
    if source.image is not None or not os.path.isfile(os.path.join(directory, "Dockerfile")):  # noqa: PTH113, PTH118
        return []
    from trivet.contracts.kaapana import older

    templates = getattr(document.model.content, "templates", ())
    return list(older.hints(directory or ".", {one.name for template in templates for one in template.variables}))
