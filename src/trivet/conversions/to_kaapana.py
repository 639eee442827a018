"""A Cytomine task as a Kaapana container: files become channels, scalars variables, and items are run one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from trivet.contracts import kaapana
from trivet.contracts.cytomine import sidecars
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.scalars import to_text
from trivet.contracts.kaapana import CONTAINER_FILE
from trivet.contracts.source import Source
from trivet.contracts.written import Written
from trivet.conversions import parameters, project
from trivet.conversions.original import Original, Wishes
from trivet.tasks import types
from trivet.tasks.task import MISSING, Port, Task
from trivet.tasks.values import Value


def convert(task: Task, form: str, original: Original, wishes: Wishes) -> Written:
    """A container project in a form of the Kaapana Task API.

    Inputs that are files, geometries or arrays become channels: an item's directory holds the one file, or the array.
    All others become variables. The items of the first required channel are run one by one, the other channels have
    items of the same names. Every output becomes a channel. Raises ProblemsError.
    """
    return _Conversion(task, original, wishes).written(form)


class _Conversion:
    """One task while it is converted."""

    def __init__(self, task: Task, original: Original, wishes: Wishes) -> None:
        self.task, self.original, self.wishes = task, original, wishes
        self.model: Descriptor = task.document.model
        self.root = project.root_for("kaapana", (self.model.input_folder, self.model.output_folder))
        declared = [port for port in task.inputs if sidecars.owner(port.name) is None]
        self.channels = [port for port in declared if parameters.in_channel(port)]
        self.variables = {
            port.name: parameters.variable_name(port, declared) for port in declared if not parameters.in_channel(port)
        }
        self.values = [port for port in declared if port.name in self.variables]
        self.required = [port for port in self.channels if not port.optional]
        self.drivers = self.required[:1] or self.channels

    def written(self, form: str) -> Written:
        script = project.script("for_channels.sh.in", list(self._lines()), self._words(), self.wishes)
        wrapper = project.in_image(script, "kaapana")
        container = json.dumps(self._container(project.start(wrapper, self.wishes)), ensure_ascii=False)
        document = kaapana.write(kaapana.read(Source(CONTAINER_FILE, container, Path(self.task.document.base))), form)
        lost = tuple(parameters.lost(self.task, self.channels, self.values, self.variables))
        folders = [self.model.input_folder, self.model.output_folder]
        made = project.dockerfile(self.original, self.wishes, wrapper, folders, self._labels(), CONTAINER_FILE)
        told = project.readme(self.task, self.original, "Kaapana", list(self._rows()), lost, self._use())
        name = wrapper.rpartition("/")[2]
        return Written({**document.files, "Dockerfile": made, name: script, "README.md": told}, lost)

    # the document

    def _container(self, command: Sequence[str]) -> dict[str, Any]:
        task = self.task
        amount: dict[str, Any] = {
            "memory": parameters.memory(task.resources.memory or 0),
            "cpu": f"{task.resources.cpus:g}",
        }
        if task.resources.gpus:
            amount["nvidia.com/gpu"] = str(task.resources.gpus)
        template = {
            "identifier": task.name,
            "description": task.description or task.title,
            "inputs": [self._input(port) for port in self.channels],
            "outputs": [self._output(port) for port in task.outputs],
            "env": [self._variable(port) for port in self.values],
            "command": list(command),
            "resources": {"limits": amount},
        }
        return {
            "name": task.name,
            "description": f"{task.title} {task.version}",
            "api_version": 1,
            "templates": [template],
        }

    def _input(self, port: Port) -> dict[str, Any]:
        what = "the entries of the array" if isinstance(port.type, types.Array) else "one file"
        words = f"{parameters.described(port)}. Each item is a directory with {what}"
        if port.optional:
            words += "; optional: an item may be missing, the channel may be empty"
        channel: dict[str, Any] = {"name": port.name, "mounted_path": self._place(port), "description": words}
        if port in self.required and port not in self.drivers:
            channel["items"] = {"match": self.drivers[0].name}
        return channel

    def _output(self, port: Port) -> dict[str, Any]:
        what = (
            "array.yml and the entries of the array"
            if isinstance(port.type, types.Array)
            else f"{port.name}{parameters.ending(port)}"
        )
        words = f"{parameters.described(port)}. Each item has {what}" + (
            "; optional: or nothing" if port.optional else ""
        )
        channel: dict[str, Any] = {"name": port.name, "mounted_path": self._place(port), "description": words}
        if self.required:
            channel["items"] = {"each": self.drivers[0].name}
        return channel

    def _variable(self, port: Port) -> dict[str, Any]:
        kind = "boolean" if isinstance(port.type, types.Boolean) else "string"
        if isinstance(port.type, types.Integer):
            kind = "int"
        words = parameters.described(port)
        if port.optional:
            words += "; empty: none"
        elif port.default is MISSING:
            words += "; must be given"
        value = "" if port.default is MISSING else to_text(port.type, cast("Value", port.default))
        made = {"name": self.variables[port.name], "value": value, "type": kind, "adjustable": True}
        if isinstance(port.type, types.Enumeration):
            made["choices"] = [*port.type.values, *([""] if port.optional else [])]
        return {**made, "description": words}

    def _place(self, port: Port) -> str:
        return f"{self.root}/{'outputs' if port.access == 'out' else 'inputs'}/{port.name}"

    # the wrapper

    def _words(self) -> dict[str, str]:
        title = re.sub(r"\s+", " ", f"{self.task.title} {self.task.version}")
        return {"TITLE": title, "INPUTS": self.model.input_folder, "OUTPUTS": self.model.output_folder}

    def _lines(self) -> Iterator[str]:
        required = [port.name for port in self.task.outputs if not port.optional]
        results = (
            f"    t_result {port.name} {self._place(port)} {port.name}{parameters.ending(port)} || return 1"
            for port in self.task.outputs
        )
        yield from ["t_read() {", *(line for port in self.values for line in self._reading(port))]
        yield from [*(line for port in self.channels for line in self._laying(port)), "    :", "}"]
        yield f"t_program() {{ t_start {project.quoted(self.original.argv)}; }}"
        yield f"t_check() {{ {'t_written ' + ' '.join(required) if required else ':'}; }}"
        yield from ["t_write() {", *results, "    :", "}", ""]
        places = project.quoted(self._place(port) for port in self.drivers)
        if self.required:
            yield f"t_items {places}"
            yield "if [ $((t_done + t_failed)) -eq 0 ]; then"
            yield f"    printf 'no items in %s\\n' {places} >&2"
            yield "    exit 1"
            yield "fi"
        else:
            yield "# Nothing is required, so there may be no items at all: one result then."
            if places:
                yield f"t_items {places}"
            yield "if [ $((t_done + t_failed)) -eq 0 ]; then"
            yield "    t_item=result"
            yield "    t_run"
            yield "fi"
        yield "t_end"

    def _reading(self, port: Port) -> Iterator[str]:
        variable = self.variables[port.name]
        value = f'{port.name} "${{{variable}-}}"'
        write = f"t_text {value} || return 1"
        if isinstance(port.type, types.Boolean):
            write = f"t_boolean {value} || return 1"
        elif isinstance(port.type, types.Integer):
            write = f"t_integer {value} {' '.join(parameters.bounds(port.type))} || return 1"
        elif isinstance(port.type, types.Enumeration):
            write = f"t_choice {value} {project.quoted(port.type.values)} || return 1"
        if parameters.may_be_empty(port):
            yield f"    {write}"
            return
        yield f'    if [ -n "${{{variable}-}}" ]; then'
        yield f"        {write}"
        if not port.optional:
            yield "    else"
            yield f"        t_say 'the variable {variable} has no value'"
            yield "        return 1"
        yield "    fi"

    def _laying(self, port: Port) -> Iterator[str]:
        place, mode, depth = self._place(port), parameters.mode(port), parameters.depth(port.type)
        line = f"t_file {port.name} {place} {mode} || return 1"
        if depth:
            line = f't_array "$t_in/{port.name}" "{place}/$t_item" {depth} {mode} || return 1'
        if port.optional:
            yield f'    if [ -d "{place}/$t_item" ]; then {line}; fi'
        else:
            yield f"    {line}"

    # what is said

    def _labels(self) -> dict[str, str]:
        """Who and what, in the image: the container document has no words for it."""
        model = self.model
        authors = (f"{one['first_name']} {one['last_name']} <{one['email']}>" for one in model.authors)
        return {
            "title": model.name,
            "version": model.version,
            "description": model.description,
            "authors": ", ".join(authors),
            "source": model.source_code,
            "documentation": " ".join(model.dois),
        }

    def _rows(self) -> Iterator[Sequence[str]]:
        for port in self.channels:
            what = "the array's entries" if isinstance(port.type, types.Array) else "one file"
            yield f"input `{port.name}`", f"channel `{port.name}`", f"each item is a directory with {what}"
        for port in self.values:
            yield f"input `{port.name}`", f"variable `{self.variables[port.name]}`", port.type.describe()
        for port in self.task.outputs:
            what = (
                "array.yml and the entries"
                if isinstance(port.type, types.Array)
                else f"{port.name}{parameters.ending(port)}"
            )
            yield f"output `{port.name}`", f"channel `{port.name}`", f"`ITEM/` with {what}"
        yield "authors, version, source, DOIs", "labels of the image", ""

    def _use(self) -> str:
        image = f"{self.task.name.lower()}:{self.task.version.replace('+', '_')}"
        channels = "".join(f" --input {port.name}=DIR" for port in self.channels)
        return "\n".join(
            [
                "## Build and run",
                "",
                "```",
                f"docker build -t {image} .",
                f"trivet run {CONTAINER_FILE} --image {image}{channels} --output results",
                "```",
                "",
                "Items are run one after the other. One that fails does not stop the others; the exit code is that of",
                "the first failure.",
                "",
            ]
        )
