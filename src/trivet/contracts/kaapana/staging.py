"""How a unit is started: channels are mounted, variables are set, the command replaces the image's entrypoint."""

from __future__ import annotations

import re
from pathlib import Path

from trivet.contracts.folding import value_of
from trivet.contracts.kaapana import limits
from trivet.contracts.kaapana.channels import examine
from trivet.contracts.kaapana.limits import Scaled, Sized
from trivet.contracts.kaapana.measuring import measure
from trivet.contracts.kaapana.pods import labels_of, overruled, pod_settings
from trivet.contracts.kaapana.ports import template_of, text_of, variables_of
from trivet.contracts.kaapana.relations import departures
from trivet.contracts.kaapana.resources import neutral
from trivet.contracts.kaapana.secrets import login_of
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.task import Task
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Invocation, Mount, Unit

_EXPECTED = "expected-memory"
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """Make a directory for every output channel, and say how to start the container.

    Nothing else is set in its environment than what template and call declare. Scale rules are applied to the channels
    as they are now, and every channel is looked at; the notes say what was found. Raises ProblemsError when an input's
    directory is missing (it is never created), and when its memory can't be what the rules want.
    """
    task = call.task
    mounts, environment, problems = [], {}, []
    variables = variables_of(task)
    channels = {port.name: port.location for port in task.inputs if port.type.is_file}
    for name in {**call.values, **unit.values}:
        value = value_of(call, unit, name)
        if name not in channels:
            variable = variables.get(name)
            environment[variable.name if variable else name] = text_of(variable, value)
        elif isinstance(value, FileRef):
            if not Path(value.path).is_dir():
                message = f"input `{name}`: there is no directory {value.path}"
                problems.append(Problem("K049", message, hint="check the path"))
            mounts.append(Mount(value.path, channels[name]))
    if problems:
        raise ProblemsError(problems)
    scaled = measured(call, unit)
    if scaled.expected is not None:
        (where.make() / _EXPECTED).write_text(str(scaled.expected))
    for port, directory in zip(task.outputs, output_directories(task), strict=True):
        made = where.make("outputs", directory)
        # The image's own user, whoever that is, must be able to write here.
        made.chmod(0o777)
        mounts.append(Mount(str(made), port.location, writable=True))
    login, refused = login_of(task)
    return Invocation(
        program=task.program,
        command=task.command or None,
        environment=environment,
        mounts=tuple(mounts),
        resources=neutral(scaled.amounts),
        network=task.network,
        title=task.name,
        labels=labels_of(task),
        login=login,
        pod=pod_settings(task, scaled.amounts),
        notes=(*refused, *overruled(task, environment), *scaled.notes),
    )


def input_directories(call: Call, unit: Unit) -> dict[str, str]:
    """The directory of each input channel of a unit."""
    values = ((port.name, value_of(call, unit, port.name)) for port in call.task.inputs if port.type.is_file)
    return {name: value.path for name, value in values if isinstance(value, FileRef)}


def expected_memory(where: AttemptDirectory) -> int | None:
    """Bytes that the scale rules foresaw when this attempt was staged; None when no rule raised its limit."""
    try:
        return int((where.root / _EXPECTED).read_text())
    except (FileNotFoundError, ValueError):
        return None


def measured(call: Call, unit: Unit) -> Scaled:
    """Limits and requests of a unit given the channels it reads, and what is to be said about these.

    Without a scale rule the amounts are the template's own. Raises ProblemsError when a channel can't be measured, or
    memory can't be what the rules want.
    """
    template = template_of(call.task)
    directories = input_directories(call, unit)
    sized: list[Sized] = []
    items: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    for channel in template.inputs:
        directory = directories.get(channel.name)
        if directory is None:
            continue
        try:
            if channel.scale_rule is not None:
                sized.append(Sized(channel.name, channel.scale_rule, measure(directory, channel.scale_rule)))
            items[channel.name], found = examine(directory, channel.name)
        except (OSError, ValueError) as error:
            raise ProblemsError([Problem("K028", f"channel `{channel.name}` can't be measured: {error}")]) from None
        problems += found
    problems += departures(template.inputs, items, directories)
    scaled = limits.scaled(template.resources, sized) if sized else Scaled(template.resources)
    return scaled._replace(notes=(*scaled.notes, *problems))


def output_directories(task: Task) -> list[str]:
    """The name of each output channel's directory below ``outputs``: its own where that is safe as a file name."""
    return [
        port.name if _SAFE.fullmatch(port.name) and ".." not in port.name else f".{index}"
        for index, port in enumerate(task.outputs)
    ]
