"""A Kaapana template as a Cytomine task: channels become arrays of files, variables typed inputs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from trivet.contracts import cytomine
from trivet.contracts.kaapana.model import Channel, Template, Variable
from trivet.contracts.kaapana.ports import template_of
from trivet.contracts.source import Source
from trivet.contracts.written import Written
from trivet.conversions import project, variables
from trivet.conversions.original import CHANNELS, Author, Original, Wishes
from trivet.tasks.problem import Problem, ProblemsError, closest, has_errors
from trivet.tasks.task import Task

DESCRIPTOR = "descriptor.yml"
SCHEMA = "https://cytomine.com/schema-store/tasks/task.v0.json"
PLACEHOLDERS = Wishes("org.example", "1.0.0", (Author("First", "Last", "Organization", "first.last@example.org"),))

_VERSION = re.compile(r"v?([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)")
_ELEMENT = {"files": {"id": "array", "subtype": "file"}, "file": "file", "image": "image"}


class _Array(NamedTuple):
    """A channel and the ids of its two arrays: of files, and of their names."""

    channel: Channel
    id: str
    names: str
    kind: str

    @property
    def depth(self) -> int:
        return 2 if self.kind == "files" else 1


def convert(task: Task, form: str, original: Original, wishes: Wishes) -> Written:
    """A project with a descriptor of the Cytomine App Engine.

    A channel becomes an array of its items, each an array of its files (or one file, or one image, as wished), and a
    second array with their names ``ITEM/FILE``, which may be left out of the inputs. Variables become typed inputs;
    one that is not adjustable is fixed in the wrapper. Raises ProblemsError.
    """
    return _Conversion(task, original, wishes).written()


class _Conversion:
    """One task while it is converted."""

    def __init__(self, task: Task, original: Original, wishes: Wishes) -> None:
        self.task, self.original, self.wishes = task, original, wishes
        self.template: Template = template_of(task)
        channels = (*self.template.inputs, *self.template.outputs)
        self.root = project.root_for("cytomine", [channel.mounted_path for channel in channels])
        strangers = [name for name in wishes.channels if name not in {channel.name for channel in channels}]
        if strangers:
            hint = closest(strangers[0], (channel.name for channel in channels))
            raise ProblemsError([Problem("X002", f"there is no channel `{name}`", hint=hint) for name in strangers])
        taken: set[str] = set()
        self.inputs = [self._array(channel, taken) for channel in self.template.inputs]
        adjustable = (variable for variable in self.template.variables if variable.adjustable)
        self.ids = {variable.name: _id(variable.name, taken) for variable in adjustable}
        taken = set()
        self.outputs = [self._array(channel, taken) for channel in self.template.outputs]
        self.notes: list[Problem] = []
        self.version, self.namespace = self._version(), self._namespace()

    def written(self) -> Written:
        import yaml

        script = project.script("for_files.sh.in", list(self._lines()), self._words(), self.wishes)
        wrapper = project.in_image(script, "cytomine")
        text = yaml.safe_dump(self._descriptor(), sort_keys=False, allow_unicode=True, width=110)
        read = cytomine.read(Source(DESCRIPTOR, text, Path(self.task.document.base)))
        faults = [problem.at(DESCRIPTOR) for problem in cytomine.check(read) if problem.severity == "error"]
        if has_errors(faults):
            raise ProblemsError(faults)
        lost = (*self.notes, *variables.lost(self.task, self.template, self.ids))
        folders = [array.channel.mounted_path for array in (*self.inputs, *self.outputs)]
        made = project.dockerfile(self.original, self.wishes, wrapper, folders, {"title": self.task.name})
        told = project.readme(self.task, self.original, "Cytomine", list(self._rows()), lost, self._use())
        return Written(
            {DESCRIPTOR: text, "Dockerfile": made, wrapper.rpartition("/")[2]: script, "README.md": told}, lost
        )

    # the descriptor

    def _descriptor(self) -> dict[str, Any]:
        task = self.task
        authors = self.wishes.authors or PLACEHOLDERS.authors
        names = ("first_name", "last_name", "organization", "email")
        people = [{name: getattr(one, name) for name in names} | {"is_contact": one == authors[0]} for one in authors]
        return {
            "$schema": SCHEMA,
            "name": self._name(),
            "name_short": _word(task.name),
            "namespace": self.namespace,
            "version": self.version,
            "description": task.description[:2048],
            "authors": people,
            "configuration": {
                "input_folder": f"{self.root}/inputs",
                "output_folder": f"{self.root}/outputs",
                "image": {"file": f"/{self.namespace}-{self.version}.tar"},
                "resources": self._resources(),
            },
            "inputs": dict(self._inputs()),
            "outputs": dict(self._outputs()),
        }

    def _inputs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        ids = {array.channel.name: array.id for array in self.inputs}
        for array in self.inputs:
            channel = array.channel
            matched = [f"inputs/{ids[other]}" for kind, other in channel.relations if kind == "match" and other in ids]
            made = _parameter(channel.name, channel.description or "The items of the channel", _kind(array, "file"))
            yield array.id, made | ({"dependencies": {"matching": matched}} if matched else {})
            names = _parameter(f"{channel.name}: names", _NAMES[array.kind], _kind(array, "string"))
            yield array.names, names | {"optional": True, "dependencies": {"matching": [f"inputs/{array.id}"]}}
        for variable in self.template.variables:
            if variable.name in self.ids:
                yield self.ids[variable.name], variables.typed(variable)

    def _outputs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for array in self.outputs:
            channel = array.channel
            kind = {**_kind(array, "file"), "min_size": 1}
            yield array.id, _parameter(channel.name, channel.description or "The items of the channel", kind)
            names = _parameter(f"{channel.name}: names", _NAMES[array.kind], _kind(array, "string"))
            yield array.names, names | {"dependencies": {"matching": [f"outputs/{array.id}"]}}

    def _resources(self) -> dict[str, Any]:
        needs = self.task.resources
        made: dict[str, Any] = {} if needs.memory is None else {"ram": _ram(needs.memory)}
        made |= {"cpus": math.ceil(needs.cpus or 1), "gpus": needs.gpus or 0, "internet": self.task.network}
        return made

    def _array(self, channel: Channel, taken: set[str]) -> _Array:
        kind = self.wishes.channels.get(channel.name, CHANNELS[0])
        made = _id(channel.name, taken)
        return _Array(channel, made, _id(f"{made}_names", taken), kind)

    def _name(self) -> str:
        name = re.sub(r"[^a-zA-Z0-9_\s-]+", " ", self.task.name).strip()[:30]
        made = name if len(name) >= 3 else f"{name} task".strip()
        if made != self.task.name:
            self.notes.append(Problem("X022", f"the name `{self.task.name}` becomes `{made}`", "warning"))
        return made

    def _namespace(self) -> str:
        if self.wishes.namespace:
            return self.wishes.namespace
        parts = [_word(part) for part in (self.task.namespace, self.task.name) if part]
        made = ".".join([PLACEHOLDERS.namespace, *dict.fromkeys(parts)])
        self._placeholder("namespace", made, "--namespace")
        return made

    def _version(self) -> str:
        if not self.wishes.authors:
            self._placeholder("author", PLACEHOLDERS.authors[0].email, "--author")
        if self.wishes.version:
            return self.wishes.version
        tag = self.original.image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        found = _VERSION.fullmatch(tag)
        if found:
            return found[1]
        self._placeholder("version", PLACEHOLDERS.version, "--task-version")
        return PLACEHOLDERS.version

    def _placeholder(self, what: str, value: str, option: str) -> None:
        message = f"Kaapana tells no {what}, Cytomine wants one: `{value}` stands there now"
        self.notes.append(Problem("X021", message, "warning", f"give {option}, or correct the descriptor"))

    # the wrapper

    def _words(self) -> dict[str, str]:
        title = re.sub(r"\s+", " ", f"{self.task.name} {self.version}")
        return {"TITLE": title, "INPUTS": f"{self.root}/inputs", "OUTPUTS": f"{self.root}/outputs"}

    def _lines(self) -> Iterator[str]:
        for array in self.inputs:
            words = [array.id, array.names, array.channel.mounted_path, str(array.depth)]
            yield f"t_channel {project.quoted(words)} || exit 1"
        yield f"set -- {project.quoted(self.original.argv)}"
        for variable in reversed(self.template.variables):
            yield from self._variable(variable)
        yield 't_start $t_tool env "$@" || exit'
        for array in self.outputs:
            words = [array.id, array.names, array.channel.mounted_path, str(array.depth)]
            yield f"t_array {project.quoted(words)} || exit 1"

    def _variable(self, variable: Variable) -> Iterator[str]:
        yield f"t_value={quote(variable.value)}"
        if variable.name in self.ids:
            file = f'"$t_in/{self.ids[variable.name]}"'
            read = f"t_text {file}" if variables.is_text(variable) else f"t_value=$($t_tool cat {file}) || exit 1"
            yield f"if [ -e {file} ]; then"
            yield f"    {read}"
            spelled = variables.spellings(variable)
            if spelled:
                yield "    case $t_value in"
                yield from (f"    {quote(plain)}) t_value={quote(text)} ;;" for plain, text in spelled.items())
                yield "    esac"
            yield "fi"
        yield f'set -- {quote(variable.name)}="$t_value" "$@"'

    # what is said

    def _rows(self) -> Iterator[Sequence[str]]:
        for word, arrays in (("input", self.inputs), ("output", self.outputs)):
            for array in arrays:
                channel = f"{word} channel `{array.channel.name}`"
                yield channel, f"{word} `{array.id}`", f"array of {_SHOWN[array.kind]}"
                yield "names of its items and files", f"{word} `{array.names}`", "optional" if word == "input" else ""
        for variable in self.template.variables:
            if variable.name in self.ids:
                yield f"variable `{variable.name}`", f"input `{self.ids[variable.name]}`", ""
            else:
                yield f"variable `{variable.name}`, not adjustable", f"always `{variable.value}`", ""

    def _use(self) -> str:
        image = f"{self.namespace.replace('.', '/')}:{self.version.replace('+', '_')}"
        return "\n".join(
            [
                "Items without names are called `000000`, `000001` …, and so are their files. Variables that the",
                "template does not declare can't be given.",
                "",
                "## Build and run",
                "",
                "```",
                f"docker build -t {image} .",
                "trivet show .                 # what it wants",
                "trivet cytomine pack .        # the bundle for the App Engine",
                "```",
                "",
            ]
        )


_NAMES = {
    "files": "For each file its name in the channel, ITEM/FILE; the items in the order of the other array",
    "file": "For each item the name of its file in the channel, ITEM/FILE",
    "image": "For each item the name of its image in the channel, ITEM/FILE",
}
_SHOWN = {
    "files": "arrays of files, one for each item",
    "file": "files, one for each item",
    "image": "images, one for each item",
}


def _kind(array: _Array, element: str) -> dict[str, Any]:
    """The type of a channel's array; of strings it is the one of its names."""
    if element == "string":
        inner: Any = {"id": "array", "subtype": "string"} if array.depth == 2 else "string"
    else:
        inner = _ELEMENT[array.kind]
    return {"id": "array", "subtype": dict(inner) if isinstance(inner, dict) else inner}


def _parameter(title: str, description: str, kind: Any) -> dict[str, Any]:
    return {"display_name": title, "description": description, "type": kind}


def _id(name: str, taken: set[str]) -> str:
    """An id of a parameter that no other has, whatever the case of its letters."""
    plain = re.sub(r"[^a-zA-Z0-9_]+", "_", name) or "_"
    made, number = plain, 1
    while made.casefold() in taken:
        number += 1
        made = f"{plain}_{number}"
    taken.add(made.casefold())
    return made


def _word(text: str) -> str:
    """A part of a namespace: lower case, and no dash, at which the public engine cuts names."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "task"


def _ram(amount: int) -> str:
    return f"{amount // 2**20}Mi" if amount % 2**20 == 0 else f"{math.ceil(amount / 1000)}k"
