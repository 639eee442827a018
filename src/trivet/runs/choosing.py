"""From what a user names to the tasks it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trivet.contracts import contract, examine
from trivet.runs.sources import complete, find, outdated, split
from trivet.tasks.problem import Problem, ProblemsError, closest, has_errors
from trivet.tasks.task import ContainerImage, Task

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions
    from trivet.contracts.kaapana.user_input import UserInput


def tasks(
    target: str,
    python: str | None = None,
    image: str | None = None,
    templates: TemplateOptions | None = None,
    user_input: UserInput | None = None,
) -> tuple[list[Task], list[Problem]]:
    """The tasks of a target, and what was found wrong with its documents.

    ``target`` is anything `find` takes, with ``#task`` behind it for one of them. ``image`` replaces the image the
    documents name; ``templates`` says how those in a Kaapana task.json are filled, ``user_input`` what a user of a
    Kaapana workflow gave for it. Raises ProblemsError when there is no task to give.
    """
    path, name = split(target)
    found: list[Task] = []
    problems: list[Problem] = []
    workflows: list[str] = []
    for source in find(path, python):
        if image is not None:
            source = replace(source, image=image)
        try:
            source = complete(source, options=templates)
            document, faults = examine(source)
            problems += [*faults, *outdated(source)]
            if document is not None and not has_errors(faults):
                if user_input is not None:
                    from trivet.contracts.kaapana.user_input import applied

                    document = applied(document, user_input, name)
                if document.kind == "workflow":
                    workflows.append(source.name)
                found += contract(document.contract).tasks(document)
        except ProblemsError as error:
            problems += error.problems
    if name is not None and found:
        names = [task.name for task in found]
        found = [task for task in found if task.name == name]
        if found:  # what is wrong with the documents of other tasks does not concern this one
            problems = [problem for problem in problems if problem.file in {task.document.origin for task in found}]
        else:
            problems.append(Problem("T016", f"there is no task `{name}`", hint=closest(name, names), file=path))
    if not found:
        hint = "run it with trivet job run FILE --dataset NAME"
        problems += (Problem("T020", "this is a workflow, not a task", hint=hint, file=file) for file in workflows)
        raise ProblemsError(problems)
    if image is not None:
        found = [replace(task, program=ContainerImage(image)) for task in found]
    return found, problems


def one_task(
    target: str,
    python: str | None = None,
    image: str | None = None,
    templates: TemplateOptions | None = None,
    user_input: UserInput | None = None,
) -> tuple[Task, list[Problem]]:
    """The only task of a target, as `tasks` finds it. Raises ProblemsError when there are several."""
    found, problems = tasks(target, python, image, templates, user_input)
    if len(found) > 1:
        path = split(target)[0]
        shown = ", ".join(f"`{path}#{task.name}`" for task in found[:12]) + (" …" if len(found) > 12 else "")
        raise ProblemsError([Problem("T017", f"{len(found)} tasks are here", hint=f"name one: {shown}", file=path)])
    return found[0], problems
