"""The document of a plain command: read, checked, and as a task."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from trivet.contracts.fields import Fields
from trivet.contracts.parsing import duplicate_keys
from trivet.contracts.source import Source
from trivet.tasks import types
from trivet.tasks.problem import Problem, closest
from trivet.tasks.quantities import parse_memory
from trivet.tasks.task import MISSING, UNLIMITED, ContainerImage, Document, Environment, Port, Resources, Task

CODES = {"missing": "R001", "type": "R002", "unknown": "R003"}
TYPES: dict[str, types.ValueType] = {
    "boolean": types.Boolean(),
    "integer": types.Integer(),
    "number": types.Number(),
    "string": types.String(),
    "datetime": types.Datetime(),
    "geometry": types.Geometry(),
    "image": types.Image(),
    "file": types.File(),
    "directory": types.Directory(),
    "json": types.Json(),
}

Piece = tuple[str, str]
"""Text before a placeholder, and the name in it (empty at the end)."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class CommandModel:
    """A command document as read: ``words`` are the arguments cut at placeholders, ``paths`` the outputs' files."""

    name: str = ""
    description: str = ""
    image: str = ""
    words: tuple[tuple[Piece, ...], ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    paths: dict[str, str] = field(default_factory=dict)
    resources: Resources = UNLIMITED
    network: bool = False
    problems: tuple[Problem, ...] = ()


def read(source: Source) -> Document:
    """The document; what is wrong with it is in ``model.problems``."""
    data, problem = source.parsed
    model = CommandModel(problems=(problem,)) if problem else _model(data)
    return Document("command", "command", source.texts, str(source.base), source.name, data, model)


def task_of(document: Document) -> Task:
    """The task of a document without errors."""
    model: CommandModel = document.model
    return Task(
        contract="command",
        name=model.name,
        inputs=model.inputs,
        outputs=model.outputs,
        program=ContainerImage(model.image) if model.image else Environment(),
        document=document,
        resources=model.resources,
        title=model.name,
        description=model.description,
        command=tuple("".join(f"{text}{{{name}}}" if name else text for text, name in word) for word in model.words),
        network=model.network or not model.image,
    )


def _model(data: Any) -> CommandModel:
    problems = list(duplicate_keys(data))
    fields = Fields(data, problems, CODES)
    if fields.get("trivet", int, required=True) not in (1, None):
        fields.note("R004", "`trivet` must be 1, the version of this form", "trivet")
    name = fields.get("name", str, "command")
    description = fields.get("description", str, "")
    image = fields.get("image", str, "")
    command = fields.strings("command") or ()
    if not command:
        fields.note("R005", "`command` must name a program", "command")
    inputs = [_port(*item) for item in _members(fields, "inputs")]
    outputs, paths = [], {}
    for port_name, member in _members(fields, "outputs"):
        paths[port_name] = member.get("path", str, port_name)
        if paths[port_name].startswith("/") or ".." in paths[port_name].split("/") or not paths[port_name]:
            member.note("R006", f"`{paths[port_name]}` must stay inside the output directory", "path")
        outputs.append(_port(port_name, member, output=True))
    for port in outputs:
        if any(other.name == port.name for other in inputs):
            fields.note("R007", f"`{port.name}` is both an input and an output", "outputs", port.name)
    words = tuple(tuple(_pieces(word)) for word in command)
    names = [port.name for port in (*inputs, *outputs)]
    for index, word in enumerate(words):
        for _, placeholder in word:
            if placeholder and placeholder not in names:
                message = f"`{{{placeholder}}}` is neither an input nor an output"
                fields.note("R008", message, "command", index, hint=closest(placeholder, names))
    resources = _resources(fields)
    network = fields.get("network", bool, False)
    fields.unknown()
    return CommandModel(
        name, description, image, words, tuple(inputs), tuple(outputs), paths, resources, network, tuple(problems)
    )


def _members(fields: Fields, key: str) -> list[tuple[str, Fields]]:
    """The ports of a section; the short form ``name: type`` is the same as ``name: {type: …}``."""
    members = []
    section = fields.child(key)
    for name in section.data if section else ():
        data = section.data[name] if section else None
        long = {"type": data} if isinstance(data, str) else data
        member = Fields(long, fields.problems, fields.codes, (key, name))
        if not _NAME.fullmatch(name):
            member.note("R009", f"`{name}` is not a name; use letters, digits and _")
        if member.valid:
            members.append((name, member))
    return members


def _port(name: str, member: Fields, output: bool = False) -> Port:
    word = member.get("type", str, "", required=True)
    kind = TYPES.get(word)
    if kind is None and word:
        member.note("R010", f"unknown type `{word}`", "type", hint=closest(word, TYPES))
    kind = kind or types.ValueType()
    choices = member.get("choices", list)
    if choices:
        kind = types.Enumeration(tuple(choices))
    default = member.data.get("default", MISSING)
    if member.has("default") and not kind.is_file:
        for fault in kind.faults(default):
            member.note("R011", f"the default of `{name}`: {fault}", "default")
    description = member.get("description", str, "")
    optional = member.get("optional", bool, False)
    member.unknown()
    return Port(name, kind, "out" if output else "in", description, default=default, optional=optional)


def _pieces(word: str) -> list[Piece]:
    pieces, end = [], 0
    for match in _PLACEHOLDER.finditer(word):
        pieces.append((word[end : match.start()], match[1]))
        end = match.end()
    if end < len(word) or not pieces:
        pieces.append((word[end:], ""))
    return pieces


def _resources(fields: Fields) -> Resources:
    section = fields.child("resources")
    if section is None:
        return UNLIMITED
    memory = section.data.get("memory")
    amount = None
    if section.has("memory"):
        try:
            amount = parse_memory(memory)  # type: ignore[arg-type]
        except ValueError as error:
            section.note("R012", str(error), "memory")
    cpus = section.get("cpus", float if isinstance(section.data.get("cpus"), float) else int)
    gpus = section.get("gpus", int)
    section.unknown()
    return Resources(cpus, amount, gpus)
