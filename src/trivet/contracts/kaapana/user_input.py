"""What a user gave when a workflow was started: the ``task_form`` of a DagRun's ``conf``, put over template and task.

Two shapes of it are published: ``{"VARIABLE": "value"}`` by the contract's guide, and by its implementation
``{"env": [{"name": "VARIABLE", "value": "value"}]}``. Both are read; nothing but what is allowed is ever taken from
them (Kaapana Task API, user input).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from trivet.contracts.fields import name_of
from trivet.contracts.kaapana import document, merge
from trivet.contracts.kaapana.model import Container, Reading, Setting, TaskFile, Template
from trivet.contracts.kaapana.rules import find_template
from trivet.contracts.source import Source
from trivet.tasks.document import Document
from trivet.tasks.problem import DocumentPath, Problem, ProblemsError, closest, has_errors

ALLOWED = ("env",)
"""What a user may give unless the operator of the workflow allows more."""

ALLOWABLE = ("env", "command", "resources")
"""What an operator may allow: never the image, a directory of the host or a namespace."""


class UserInput(NamedTuple):
    """What a user gave for one task: values of variables, and whatever else was allowed.

    ``source`` is the file it came from, where its settings stand.
    """

    settings: tuple[Setting, ...] = ()
    more: Mapping[str, Any] = {}
    source: Source | None = None


def read(source: Source, task_id: str, allowed: Collection[str] = ALLOWED) -> UserInput:
    """The user input for a task from a file with the request, its ``conf``, or the ``task_form`` alone.

    Raises ProblemsError with everything that is wrong with it.
    """
    data, problem = source.parsed
    if problem is not None:
        raise ProblemsError(source.place([problem]))
    form, path, problems = _task_form(data)
    given, faults = of_task(form, task_id, path, allowed)
    problems += faults
    if has_errors(problems):
        raise ProblemsError(source.place(problems))
    return given._replace(source=source)


def of_task(
    form: Mapping[str, Any], task_id: str, path: DocumentPath = (), allowed: Collection[str] = ALLOWED
) -> tuple[UserInput, list[Problem]]:
    """What a ``task_form`` (standing at ``path``) holds for one task, and what is wrong with it. Pure."""
    if task_id not in form:
        hint = closest(task_id, form) or "the form is empty"
        return UserInput(), [Problem("K070", f"`task_form` has no task `{task_id}`", hint=hint, path=path)]
    problems: list[Problem] = []
    given, path = form[task_id], (*path, task_id)
    if not isinstance(given, dict):
        problems.append(Problem("K071", f"the input of `{task_id}` must be an object, not {name_of(given)}", path=path))
        return UserInput(), problems
    if not is_structured(given):
        return UserInput(tuple(_settings(given.items(), path, problems))), problems
    pairs, inner = _pairs(given["env"], (*path, "env"), problems), (*path, "env")
    more = {}
    for key, value in given.items():
        if key == "env" and "env" in allowed:
            continue
        if key in allowed and key in ALLOWABLE:
            more[key] = value
        else:
            message = f"`{key}` can't be given by the user of a workflow"
            hint = f"allowed: {', '.join(name for name in allowed if name in ALLOWABLE) or 'nothing'}"
            problems.append(Problem("K072", message, hint=hint, path=(*path, key)))
    return UserInput(tuple(_settings(pairs, inner, problems)), more), problems


def unknown_tasks(form: Mapping[str, Any], task_ids: Collection[str], path: DocumentPath = ()) -> list[Problem]:
    """A problem for every task in the form that the workflow, with these ids, does not have. Pure."""
    return [
        Problem("K070", f"the workflow has no task `{name}`", hint=closest(name, task_ids), path=(*path, name))
        for name in form
        if name not in task_ids
    ]


def is_structured(given: Mapping[str, Any]) -> bool:
    """True for the implementation's shape: an ``env`` that is a list of names with values, or an object of them."""
    env = given.get("env")
    if isinstance(env, list):
        return all(isinstance(item, dict) and "name" in item for item in env)
    return isinstance(env, dict)


def misfits(template: Template, given: UserInput, reserved: Collection[str] = ()) -> Iterator[Problem]:
    """What a user gave that the template does not declare or allow, or that clashes with ``reserved`` variables of the
    platform. Pure."""
    declared = {variable.name: variable for variable in template.variables if variable.declared}
    for setting in given.settings:
        if setting.name in reserved:
            message = f"variable `{setting.name}` is set by the platform; no user may give it"
            yield Problem("K073", message, path=setting.path)
        elif setting.name not in declared:
            message = f"template `{template.identifier}` has no variable `{setting.name}`"
            hint = closest(setting.name, declared) or "it has no variables"
            yield Problem("K073", message, path=setting.path, hint=hint)
        else:
            for problem in merge.override_misfits(declared[setting.name], setting):
                yield replace(
                    problem, hint=problem.hint if problem.code == "K045" else "leave it out", path=setting.path
                )


def applied(made: Document, given: UserInput, name: str | None = None) -> Document:
    """A faultless document with the user's values in place of the task's, or of those of the template ``name``.

    Raises ProblemsError when the document is none of this contract, or when something given does not fit.
    """
    if made.contract != "kaapana":
        message = "the user input of a workflow (`task_form`) belongs to a Kaapana container or task"
        raise ProblemsError([Problem("K074", message, file=made.origin)])
    reading: Reading = made.model
    template = _template(made, reading.content, name)
    problems = list(misfits(template, given))
    if given.source is not None:
        problems = given.source.place(problems)
    if has_errors(problems):
        raise ProblemsError(problems)
    data = {**reading.data}
    if isinstance(reading.content, TaskFile) or not template.path:
        data = _overlaid(data, given)
    else:
        data["templates"] = list(data["templates"])
        data["templates"][int(template.path[1])] = _overlaid(data["templates"][int(template.path[1])], given)
    text = json.dumps(document.escaped(data) if isinstance(reading.content, TaskFile) else data, indent=2)
    (main, _), *others = made.texts.items()
    archive = Path(reading.archive) if reading.archive else None
    return document.read(Source(main, text, Path(made.base), dict(others), image=reading.image, archive=archive))


def _template(made: Document, content: Container | TaskFile | None, name: str | None) -> Template:
    found: Template | Problem | None = None
    if isinstance(content, Container):
        only = content.templates[0].identifier if len(content.templates) == 1 else ""
        found = find_template(content, name or only)
    elif isinstance(content, TaskFile) and isinstance(content.template, Template):
        found = content.template
    elif isinstance(content, TaskFile):
        attached, _, _ = document.attached_container(made)
        found = find_template(attached, str(content.template)) if attached is not None else None
    if isinstance(found, Template):
        return found
    raise ProblemsError([found or Problem("K041", "the template is not known", file=made.origin)])


def _overlaid(data: Mapping[str, Any], given: UserInput) -> dict[str, Any]:
    """A task or template with what the user gave; variables that are not there yet come last."""
    values = {setting.name: setting.value for setting in given.settings}
    env = [
        {**item, "value": values.pop(item["name"])} if item["name"] in values else item
        for item in data.get("env") or ()
    ]
    return {**data, "env": [*env, *({"name": name, "value": value} for name, value in values.items())], **given.more}


def _task_form(data: Any) -> tuple[Mapping[str, Any], DocumentPath, list[Problem]]:
    path: DocumentPath = ()
    for key in ("conf", "task_form"):
        if isinstance(data, dict) and key in data:
            data, path = data[key], (*path, key)
    if path[-1:] == ("task_form",) and isinstance(data, dict):
        return data, path, []
    message = "there is no `task_form` object in it"
    hint = 'a user\'s input looks like {"task_form": {"task-id": {"VARIABLE": "value"}}}'
    return {}, path, [Problem("K071", message, hint=hint, path=path)]


def _pairs(env: Any, path: DocumentPath, problems: list[Problem]) -> list[tuple[Any, Any]]:
    if isinstance(env, dict):
        return list(env.items())
    pairs = []
    for index, item in enumerate(env):
        if "value" not in item:
            message = f"variable `{item['name']}` has no `value`"
            problems.append(Problem("K071", message, path=(*path, index)))
            continue
        pairs.append((item["name"], item["value"]))
    return pairs


def _settings(pairs: Any, path: DocumentPath, problems: list[Problem]) -> Iterator[Setting]:
    seen: set[str] = set()
    for name, value in pairs:
        where = (*path, name) if isinstance(name, str) else path
        if not isinstance(name, str) or not name:
            problems.append(Problem("K071", f"the name of a variable must be text, not {name_of(name)}", path=where))
        elif name in seen:
            problems.append(Problem("K071", f"variable `{name}` is given more than once", path=where))
        elif isinstance(value, dict | list) or value is None:
            message = f"the value of `{name}` must be text, a number, true or false, not {name_of(value)}"
            hint = "leave it out to keep the default" if value is None else ""
            problems.append(Problem("K071", message, path=where, hint=hint))
        else:
            seen.add(name)
            yield Setting(name, value if isinstance(value, str) else json.dumps(value), where)
