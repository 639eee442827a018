"""How the variables of a Kaapana template are said as typed inputs, and what of a template can't be said."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trivet.contracts.kaapana.merge import fits_kind
from trivet.contracts.kaapana.model import Container, Template, Variable
from trivet.contracts.kaapana.ports import text_of
from trivet.tasks.problem import DocumentPath, Problem
from trivet.tasks.task import Task

_CHOICE = re.compile(r"[^\r\n]{1,256}")


def typed(variable: Variable) -> dict[str, Any]:
    """The input of a variable. One whose default is no value of its type may be left out, and has that default then."""
    choices = [choice for choice in dict.fromkeys(variable.choices) if _CHOICE.fullmatch(choice)]
    kind: Any = "string"
    default: Any = variable.value
    valid = True
    if choices:
        kind, valid = {"id": "enumeration", "values": choices}, default in choices
    elif not is_text(variable):
        kind = {"int": "integer", "boolean": "boolean"}[variable.kind]
        valid = fits_kind(variable.kind, default)
        if valid:
            default = int(default) if variable.kind == "int" else _truth(default)
    made = {
        "display_name": variable.name,
        "description": variable.description or f"The variable {variable.name}",
        "type": kind,
    }
    return made | ({"default": default} if valid else {"optional": True})


def _truth(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "yes")


def is_text(variable: Variable) -> bool:
    """Whether any text is a value, none of which may be changed."""
    return variable.kind == "string" and not any(_CHOICE.fullmatch(choice) for choice in variable.choices)


def spellings(variable: Variable) -> Mapping[str, str]:
    """What the program wants to see for some values, since the file says them in another way."""
    if variable.choices or not variable.value:
        return {}
    if variable.kind == "boolean":
        spelled = {text: text_of(variable, value) for text, value in (("true", True), ("false", False))}
        return {plain: text for plain, text in spelled.items() if plain != text}
    if variable.kind == "int" and fits_kind("int", variable.value) and str(int(variable.value)) != variable.value:
        return {str(int(variable.value)): variable.value}
    return {}


def lost(task: Task, template: Template, ids: Mapping[str, str]) -> Iterator[Problem]:
    """What a descriptor has no words for; ``ids`` are those of the inputs by variable."""
    for channel in (*template.inputs, *template.outputs):
        if channel.scale_rule is not None:
            message = f"the scale rule of `{channel.name}`: memory no longer follows the data"
            hint = "set configuration.resources.ram to what the largest data needs"
            path = _path(task, channel.scale_rule.path)
            yield Problem("X023", message, "warning", hint, path=path)
        for kind, other in channel.relations:
            if kind != "match":
                message = f"that the items of `{channel.name}` are `{kind}` of `{other}` is no longer checked"
                yield Problem("X024", message, "warning", path=_path(task, channel.path))
    for variable in template.variables:
        made = ids.get(variable.name)
        if made is not None and made != variable.name:
            message = f"the variable `{variable.name}` is the input `{made}`"
            yield Problem("X022", message, "warning", path=_path(task, variable.path))
        unsayable = [choice for choice in variable.choices if not _CHOICE.fullmatch(choice)]
        if unsayable and not (unsayable == [""] == [variable.value]):
            message = f"choices of `{variable.name}` that Cytomine can't say: {', '.join(map(repr, unsayable))}"
            yield Problem("X025", message, "warning", path=_path(task, variable.path))
    path = _path(task, (*template.path, "resources"))
    needs = task.resources
    if needs.memory is None:
        message = "memory has no limit in Kaapana; the App Engine gives every task one, 4Gi without a word"
        yield Problem("X026", message, "warning", "set configuration.resources.ram", path=path)
    if needs.cpus is None or needs.cpus != math.ceil(needs.cpus):
        message = f"whole CPUs only: {math.ceil(needs.cpus or 1)}"
        yield Problem("X026", message, "warning", path=path)
    if template.resources.get("requests"):
        yield Problem("X026", "there are limits only; `requests` are left out", "warning", path=path)


def _path(task: Task, path: DocumentPath) -> DocumentPath:
    """A path in the document that was read; a template in a container file beside it has none there."""
    content = task.document.model.content
    return path if isinstance(content, Container) or isinstance(content.template, Template) else ()
