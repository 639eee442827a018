"""What must hold in the documents beyond their shape (Kaapana Task API; most of it is checked by no other reader)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trivet.contracts.fields import duplicates, name_of
from trivet.contracts.kaapana import CONTAINER_FILE
from trivet.contracts.kaapana.document import attached_container
from trivet.contracts.kaapana.merge import fits_kind, misfits
from trivet.contracts.kaapana.model import (
    Amounts,
    Binding,
    Channel,
    Container,
    Reading,
    TaskFile,
    Template,
    Variable,
)
from trivet.contracts.kaapana.template_options import has_templates
from trivet.tasks.document import Document
from trivet.tasks.problem import DocumentPath, Problem, closest, has_errors, nearest

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*", re.ASCII)
_RESOURCES = ("memory", "cpu", "ephemeral-storage")
_MARKER = re.compile(r"\{[{%]")


def check(document: Document) -> Sequence[Problem]:
    """Every problem of a document, in the order of the file; those of an attached container file come last."""
    reading: Reading = document.model
    own = list(reading.problems)
    other: list[Problem] = []
    if isinstance(reading.content, Container):
        own += _unrendered(document.data, ())
        own += _container(reading.content)
    elif isinstance(reading.content, TaskFile):
        if not any(problem.path == ("image",) for problem in own):
            own += _image(reading.content.image)
        own += _task(reading.content, "config" not in document.data)
        other = _with_container(document, reading.content, own)
    return [*_in_file_order(own, document.data), *other]


def find_template(container: Container, identifier: str) -> Template | Problem:
    """The template of that identifier, or the problem that there is none."""
    for template in container.templates:
        if template.identifier == identifier:
            return template
    message = f"`{container.name}` has no template `{identifier}`"
    hint = closest(identifier, (template.identifier for template in container.templates))
    return Problem("K040", message, path=("taskTemplate",), hint=hint or "its container file has no templates")


def _with_container(document: Document, task: TaskFile, own: list[Problem]) -> list[Problem]:
    """Check a task against its template; problems of the container file itself are returned, placed in it."""
    if isinstance(task.template, Template):
        own += misfits(task.template, task)
        return []
    container, source, problems = attached_container(document)
    if source is None and not task.template:
        return []
    if source is None:
        message = f"template `{task.template}` is in the {CONTAINER_FILE} of the image, which was not looked into"
        own.append(Problem("K041", message, "info", path=("taskTemplate",)))
        return []
    if container is not None:
        problems = [*problems, *_container(container)]
    if container is not None and task.template and not has_errors(problems):
        template = find_template(container, task.template)
        own += [template] if isinstance(template, Problem) else misfits(template, task)
    return source.place(problems)


def _container(container: Container) -> Iterator[Problem]:
    yield from _duplicates("K010", "template", container.templates, "identifier")
    for template in container.templates:
        yield from _template(template)


def _task(task: TaskFile, at_top: bool) -> Iterator[Problem]:
    from trivet.contracts.kaapana import config

    for word, bindings in (("input", task.inputs), ("output", task.outputs)):
        yield from _duplicates("K011", f"{word} channel", bindings, "name")
        for binding in bindings:
            yield from _binding(word, binding)
    yield from _duplicates("K012", "variable", task.settings, "name")
    for setting in task.settings:
        yield from _variable_name(setting.name, setting.path)
        if "\0" in setting.value:
            message = f"the value of `{setting.name}` contains a NUL character"
            yield Problem("K017", message, path=(*setting.path, "value"))
    yield from _command(task.command, ())
    yield from _amounts(task.resources, ())
    yield from config.faults(task.config, at_top)
    if isinstance(task.template, Template):
        yield from _template(task.template)


def _template(template: Template) -> Iterator[Problem]:
    yield from _duplicates("K011", "input channel", template.inputs, "name")
    yield from _duplicates("K011", "output channel", template.outputs, "name")
    for channel in (*template.inputs, *template.outputs):
        yield from _mounted_path(channel)
    yield from _overlaps((*template.inputs, *template.outputs))
    if any(channel.relations for channel in (*template.inputs, *template.outputs)):
        from trivet.contracts.kaapana import relations

        yield from relations.faults(template)
    yield from _duplicates("K012", "variable", template.variables, "name")
    for variable in template.variables:
        yield from _variable_name(variable.name, variable.path)
        yield from _variable(variable)
    yield from _command(template.command, template.path)
    yield from _amounts(template.resources, template.path)


def _image(image: str) -> Iterator[Problem]:
    if has_templates(image):
        return
    from trivet.images import references

    try:
        references.parse(image)
    except ValueError as error:
        yield Problem("K009", f"no image can be called {image!r}: {error}", "warning", path=("image",))


def _command(words: Sequence[str] | None, path: DocumentPath) -> Iterator[Problem]:
    if words and not words[0]:
        hint = "leave `command` out for what the image starts itself"
        yield Problem("K009", "the first word of `command` is empty", path=(*path, "command", 0), hint=hint)
    for index, word in enumerate(words or ()):
        if "\0" in word:
            yield Problem("K009", "a word of `command` contains a NUL character", path=(*path, "command", index))


def _duplicates(code: str, word: str, things: Sequence[Any], key: str) -> Iterator[Problem]:
    for index, name in duplicates(things, lambda thing: getattr(thing, key)):
        if name:
            yield Problem(code, f"there is more than one {word} `{name}`", path=(*things[index].path, key))


def _mounted_path(channel: Channel) -> Iterator[Problem]:
    path = channel.mounted_path
    fault = ""
    if not path.startswith("/"):
        fault = "is not absolute"
    elif not path.strip("/"):
        fault = "would hide the whole image"
    elif ".." in path.split("/"):
        fault = "contains `..`"
    elif ":" in path or any(ord(character) < 32 for character in path):
        fault = "contains a colon or a control character, which no container engine accepts"
    if path and fault:
        hint = f"write for example /home/kaapana/{channel.name}"
        message = f"mounted path {path!r} of channel `{channel.name}` {fault}"
        yield Problem("K014", message, path=(*channel.path, "mounted_path"), hint=hint)


def _overlaps(channels: Sequence[Channel]) -> Iterator[Problem]:
    owners: dict[tuple[str, ...], str] = {}
    places = [tuple(part for part in channel.mounted_path.split("/") if part not in ("", ".")) for channel in channels]
    for channel, place in zip(channels, places, strict=True):
        if not place:
            continue
        if place in owners:
            message = f"channels `{owners[place]}` and `{channel.name}` have the same mounted path"
            yield Problem("K015", message, path=(*channel.path, "mounted_path"))
        owners.setdefault(place, channel.name)
    for channel, place in zip(channels, places, strict=True):
        above = next((place[:depth] for depth in range(1, len(place)) if place[:depth] in owners), None)
        if above is not None:
            message = f"the mounted path of `{channel.name}` lies inside that of `{owners[above]}`"
            hint = "give each channel a directory of its own"
            yield Problem("K015", message, path=(*channel.path, "mounted_path"), hint=hint)


def _variable_name(name: str, path: DocumentPath) -> Iterator[Problem]:
    where = (*path, "name")
    if "=" in name or "\0" in name:
        yield Problem("K016", f"{name!r} can't be the name of a variable", path=where)
    elif name and not _ENV_NAME.fullmatch(name):
        yield Problem("K016", f"Kubernetes refuses {name!r} as the name of a variable", "warning", path=where)


def _variable(variable: Variable) -> Iterator[Problem]:
    where = (*variable.path, "value")
    name, value = variable.name, variable.value
    if "\0" in value:
        yield Problem("K017", f"the default of `{name}` contains a NUL character", path=where)
    elif value == "":
        if (variable.choices and "" not in variable.choices) or variable.kind != "string":
            message = f"the default of `{name}` is empty, which is none of its allowed values"
            hint = "the program must cope with it, or the user give a value"
            yield Problem("K017", message, "info", path=where, hint=hint)
    elif variable.choices and value not in variable.choices:
        message = f"the default {value!r} of `{name}` is not one of its choices"
        yield Problem("K017", message, path=where, hint=closest(value, variable.choices))
    elif not fits_kind(variable.kind, value):
        message = f"the default {value!r} of `{name}` is not {_KINDS[variable.kind]}"
        yield Problem("K018", message, path=where)
    for index, choice in enumerate(variable.choices):
        if choice and not fits_kind(variable.kind, choice):
            message = f"choice {choice!r} of `{name}` is not {_KINDS[variable.kind]}"
            yield Problem("K018", message, path=(*variable.path, "choices", index))
    for index, choice in duplicates(variable.choices, str):
        message = f"choice {choice!r} of `{name}` is given twice"
        yield Problem("K019", message, "warning", path=(*variable.path, "choices", index))


_KINDS = {"int": "a whole number", "boolean": "true or false", "string": "a text"}


def _binding(word: str, binding: Binding) -> Iterator[Problem]:
    if binding.host_path is not None and "\0" in binding.host_path:
        yield Problem("K013", "the host path contains a NUL character", path=binding.path)
    if binding.volume is not None:
        message = f"{word} channel `{binding.name}` is a volume of Kubernetes; a run needs a path in its place"
        hint = f"give --input {binding.name}=DIR" if word == "input" else "give --output DIR"
        yield Problem("K048", message, "warning", path=binding.path, hint=hint)


def _amounts(amounts: Amounts, path: DocumentPath) -> Iterator[Problem]:
    if not amounts:
        return
    from trivet.contracts.kaapana.resources import is_foreign, quantity

    known: dict[tuple[str, str], Any] = {}
    for half, values in amounts.items():
        for key, amount in values.items():
            where = (*path, "resources", half, key)
            if key not in _RESOURCES and "/" not in key and not key.startswith("hugepages-"):
                near = nearest(key, _RESOURCES)
                hint = f"did you mean `{near}`?" if near else "known: memory, cpu, and names like nvidia.com/gpu"
                yield Problem("K025", f"`{key}` is no resource of Kubernetes", "warning", path=where, hint=hint)
            try:
                known[half, key] = quantity(amount)
            except ValueError as error:
                wrong = isinstance(amount, dict | list | bool) or amount is None
                message = f"`{key}` must be an amount, not {name_of(amount)}" if wrong else f"`{key}`: {error}"
                yield Problem("K023", message, path=where)
            if is_foreign(amount):
                hint = "write for example 500Mi"
                yield Problem("K023", f"Kubernetes refuses the amount {amount!r}", "warning", path=where, hint=hint)
    for key in amounts.get("requests", {}):
        request, limit = known.get(("requests", key)), known.get(("limits", key))
        if request is not None and limit is not None and request > limit:
            message = f"`{key}` requests {amounts['requests'][key]}, more than its limit {amounts['limits'][key]}"
            yield Problem("K024", message, path=(*path, "resources", "requests", key))


def _unrendered(data: Any, path: DocumentPath) -> Iterator[Problem]:
    """Templates in a container file are never filled when it is read from an image."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _unrendered(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _unrendered(value, (*path, index))
    elif isinstance(data, str) and _MARKER.search(data):
        message = "templates are filled in a task.json only; here the text is used as it is written"
        yield Problem("K032", message, "warning", path=path)


def _in_file_order(problems: Iterable[Problem], data: Any) -> list[Problem]:
    def place(problem: Problem) -> list[int]:
        order, value = [], data
        for step in problem.path:
            if isinstance(step, int):
                order.append(step)
                value = value[step] if isinstance(value, list) and step < len(value) else None
            else:
                keys = list(value) if isinstance(value, Mapping) else []
                order.append(keys.index(step) if step in keys else len(keys))
                value = value.get(step) if isinstance(value, Mapping) else None
        return order

    return sorted(problems, key=place)
