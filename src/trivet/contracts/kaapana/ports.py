"""The contract's documents as tasks: channels are directory ports, variables are value ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trivet.contracts.kaapana import CONTAINER_FILE
from trivet.contracts.kaapana.document import attached_container
from trivet.contracts.kaapana.merge import TRUE, fits_kind, merged, misfits
from trivet.contracts.kaapana.model import Binding, Channel, Container, Reading, TaskFile, Template, Variable
from trivet.contracts.kaapana.resources import neutral
from trivet.contracts.kaapana.rules import find_template
from trivet.tasks import types
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import ContainerImage, Port, Task
from trivet.tasks.values import FileRef, Value

NETWORK_LABEL = "network-access-"
"""Labels of this prefix with the value ``true`` ask the platform for access to a network."""

_STYLES = (
    ("true", "false"),
    ("True", "False"),
    ("TRUE", "FALSE"),
    ("1", "0"),
    ("yes", "no"),
    ("Yes", "No"),
    ("YES", "NO"),
)


def tasks(document: Document) -> Sequence[Task]:
    """One task for every template of a container, or the one of a task.json.

    Raises ProblemsError when a task.json's template is not known or does not fit.
    """
    reading: Reading = document.model
    if isinstance(reading.content, Container):
        program = ContainerImage(reading.image or "", reading.archive)
        container = reading.content
        return [
            _task(document, template, template.identifier, program, container.name) for template in container.templates
        ]
    if not isinstance(reading.content, TaskFile):
        raise ProblemsError(reading.problems)
    task = reading.content
    template, container_name = _template_of(document, task)
    program = ContainerImage(task.image)
    labels = task.config.get("labels") or {}
    network = any(name.startswith(NETWORK_LABEL) and _says_yes(value) for name, value in labels.items())
    made = _task(document, merged(template, task), task.name, program, container_name)
    paths = _host_paths(document, task.inputs)
    inputs = tuple(
        replace(port, default=FileRef(paths[port.name])) if port.name in paths else port for port in made.inputs
    )
    wanted = _host_paths(document, task.outputs)
    outputs = tuple(replace(port, place=wanted.get(port.name)) for port in made.outputs)
    return [replace(made, inputs=inputs, outputs=outputs, network=network)]


def image_of(document: Document) -> str | None:
    """The image whose container file a task.json needs, None when it is attached or the template is inline.

    It is the one the caller chose, where one was chosen: that is what runs.
    """
    reading: Reading = document.model
    task = reading.content
    if not isinstance(task, TaskFile) or isinstance(task.template, Template) or CONTAINER_FILE in document.texts:
        return None
    return reading.image or task.image or None


def variables_of(task: Task) -> Mapping[str, Variable]:
    """The declared variables of a task of this contract, by the name of their port."""
    return dict(_named(template_of(task)))


def template_of(task: Task) -> Template:
    """The template behind a task of this contract, with the values of its task.json."""
    content = task.document.model.content
    if isinstance(content, TaskFile):
        return merged(_template_of(task.document, content)[0], content)
    template: Template = next(item for item in content.templates if item.identifier == task.name)
    return template


def text_of(variable: Variable | None, value: Value) -> str:
    """What the container finds in the variable: the default as it is written, true or false in the default's style."""
    if variable is not None:
        if value == variable.value or value == _typed(variable):
            return variable.value
        if isinstance(value, bool):
            style = next((style for style in _STYLES if variable.value in style), _STYLES[0])
            return style[0] if value else style[1]
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _template_of(document: Document, task: TaskFile) -> tuple[Template, str]:
    """The template a task.json means, and the name of its container where that is known."""
    if isinstance(task.template, Template):
        template, name = task.template, ""
    else:
        container, source, problems = attached_container(document)
        if source is None:
            message = f"template `{task.template}` is in the {CONTAINER_FILE} of image {task.image}"
            hint = f"build or pull the image, or put its {CONTAINER_FILE} beside the task"
            raise ProblemsError([Problem("K041", message, path=("taskTemplate",), hint=hint)])
        if container is None or has_errors(problems):
            raise ProblemsError(source.place(problems))
        found = find_template(container, task.template)
        if isinstance(found, Problem):
            raise ProblemsError([found])
        template, name = found, container.name
    faults = [problem for problem in misfits(template, task) if problem.severity == "error"]
    if faults:
        raise ProblemsError(faults)
    return template, name


def _task(
    document: Document,
    template: Template,
    name: str,
    program: ContainerImage,
    namespace: str,
) -> Task:
    channels = [
        Port(channel.name, types.Directory(), "in", channel.description, location=channel.mounted_path)
        for channel in template.inputs
    ]
    variables = [_parameter(port, variable) for port, variable in _named(template)]
    return Task(
        contract="kaapana",
        name=name,
        title=name,
        namespace=namespace,
        description=template.description,
        inputs=(*channels, *variables),
        outputs=tuple(_output(channel) for channel in template.outputs),
        program=program,
        command=template.command or (),
        document=document,
        resources=neutral(template.resources),
        open_inputs=True,
    )


def _named(template: Template) -> Iterator[tuple[str, Variable]]:
    """Every variable with the name of its port: its own, unless a channel has it."""
    taken = {channel.name for channel in template.inputs}
    for variable in template.variables:
        name = variable.name
        while name in taken:
            name = f"env.{name}"
        taken.add(name)
        yield name, variable


def _host_paths(document: Document, bindings: Sequence[Binding]) -> dict[str, str]:
    """Absolute paths by channel; relative ones start at the task.json, and no ``..`` is left in them."""
    paths = {binding.name: Path(document.base, binding.host_path) for binding in bindings if binding.host_path}
    return {name: str(path.resolve() if ".." in path.parts else path) for name, path in paths.items()}


def _output(channel: Channel) -> Port:
    return Port(channel.name, types.Directory(), "out", channel.description, location=channel.mounted_path)


def _parameter(name: str, variable: Variable) -> Port:
    kind: types.ValueType = types.String()
    if variable.choices:
        kind = types.Enumeration(variable.choices)
    elif variable.kind == "int":
        kind = types.Integer()
    elif variable.kind == "boolean":
        kind = types.Boolean()
    return Port(
        name,
        kind,
        "in",
        variable.description,
        default=_typed(variable),
        adjustable=variable.adjustable,
        location=variable.name,
    )


def _typed(variable: Variable) -> Value:
    """The default as a value of its port's type; an empty one stays text."""
    if variable.choices or not fits_kind(variable.kind, variable.value):
        return variable.value
    if variable.kind == "int":
        return int(variable.value)
    if variable.kind == "boolean":
        return variable.value.lower() in TRUE
    return variable.value


def _says_yes(value: object) -> bool:
    return str(value).lower() == "true"
