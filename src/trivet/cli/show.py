"""`trivet show`: what a task takes, gives and needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, cast

import click

from trivet.cli.options import template_options
from trivet.cli.reporting import printable, problem_lines
from trivet.cli.tables import table, width_of_terminal
from trivet.runs.choosing import tasks
from trivet.tasks.description import task_data
from trivet.tasks.problem import has_errors
from trivet.tasks.quantities import format_memory
from trivet.tasks.task import MISSING, ContainerImage, Port, Task
from trivet.tasks.values import FileRef, Value, to_json

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions


@click.command()
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list of tasks.")
@click.option("--python", metavar="PREFIX", help="The environment a package is installed in: its directory or python.")
@click.option("--image", metavar="REF", help="The image to use instead of the one the document names.")
@template_options
def command(
    target: str, as_json: bool, python: str | None, image: str | None, templates: TemplateOptions | None
) -> int:
    """Show what a task takes, gives and needs, whatever its contract; or how a run went.

    TARGET is a document, a bundle, a wheel, a directory, the name of an installed package or a container image; with
    #NAME behind it, one task of it. run:RUN is a run, with all its units.

    \b
    Examples:
      trivet show my-task/processing-container.json#my-template
      trivet show fractal-tasks-core --python ~/envs/core --json
      trivet show run:last
    """
    if target.startswith("run:"):
        return _show_run(target.removeprefix("run:"), as_json)
    found, problems = tasks(target, python, image, templates)
    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    if as_json:
        print(json.dumps([task_data(task) for task in found], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join("\n".join(_lines(task)) for task in found))
    return 1 if has_errors(problems) else 0


def _show_run(name: str, as_json: bool) -> int:
    from trivet.cli.finding import found
    from trivet.cli.run_view import run_data, run_lines

    run = found(name)
    if as_json:
        print(json.dumps(run_data(run), indent=2, ensure_ascii=False))
    else:
        print(*run_lines(run), sep="\n")
    return 0


def _lines(task: Task) -> Iterator[str]:
    origin = f"{task.contract} {task.document.kind}, {task.document.origin}"
    yield printable(" ".join(filter(None, [task.name, task.version])) + f"  ({origin})")
    title = task.title if task.title != task.name else ""
    for text in (title, task.description):
        for paragraph in text.splitlines():
            yield from (f"  {printable(line)}" for line in wrap(paragraph, max(width_of_terminal() - 2, 24)))
    yield ""
    yield from table(None, [(name, value) for name, value in _facts(task) if value])
    for heading, ports in (("Inputs", task.inputs), ("Outputs", task.outputs)):
        if ports:
            yield ""
            yield heading
            yield from table(("name", "type", "value", "seen as", "description"), _rows(ports))


def _facts(task: Task) -> Iterator[tuple[str, str]]:
    yield "namespace", task.namespace
    program = task.program
    if isinstance(program, ContainerImage):
        yield "image", program.reference or "not named: give --image REF"
        yield "archive", "/".join(filter(None, [program.archive, program.member]))
    else:
        yield "environment", program.prefix or "this one"
        yield "packages", ", ".join(f"{name} {version}" for name, version in program.versions.items())
    yield "command", " ".join(task.command)
    yield "resources", _resources(task)
    yield "network", "yes" if task.network else "no"
    yield "repeated over", task.repeats or ""
    yield "more inputs", "any other name is accepted, as text" if task.open_inputs else ""


def _resources(task: Task) -> str:
    cpus, memory, gpus = task.resources.cpus, task.resources.memory, task.resources.gpus
    words = [
        None if cpus is None else f"{cpus:g} CPU" + ("" if cpus == 1 else "s"),
        None if memory is None else f"{format_memory(memory)} memory",
        None if gpus is None else f"{gpus} GPU" + ("" if gpus == 1 else "s"),
    ]
    return ", ".join(word for word in words if word) or "nothing said"


def _rows(ports: Sequence[Port]) -> list[tuple[str, ...]]:
    return [
        (
            port.name,
            port.type.describe() + (", changed in place" if port.access == "inout" else ""),
            _value(port),
            port.location,
            " ".join((port.description or port.title).split()),
        )
        for port in ports
    ]


def _value(port: Port) -> str:
    if port.default is MISSING:
        return "optional" if port.optional else "" if port.access == "out" else "required"
    value = cast("Value", port.default)
    text = value.path if isinstance(value, FileRef) else json.dumps(to_json(value), ensure_ascii=False)
    return f"always {text}" if not port.adjustable else text
