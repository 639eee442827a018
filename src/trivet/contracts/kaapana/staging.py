"""How a unit is started: channels are mounted, variables are set, the command replaces the image's entrypoint."""

from __future__ import annotations

import re
from pathlib import Path

from trivet.contracts.folding import value_of
from trivet.contracts.kaapana.ports import text_of, variables_of
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.task import Task
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Invocation, Mount, Unit

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """Make a directory for every output channel, and say how to start the container.

    Nothing else is set in its environment than what template and call declare. Raises ProblemsError when an input's
    directory is missing: it is never created.
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
    for port, directory in zip(task.outputs, output_directories(task), strict=True):
        made = where.make("outputs", directory)
        # The image's own user, whoever that is, must be able to write here.
        made.chmod(0o777)
        mounts.append(Mount(str(made), port.location, writable=True))
    return Invocation(
        program=task.program,
        command=task.command or None,
        environment=environment,
        mounts=tuple(mounts),
        resources=task.resources,
        network=task.network,
    )


def output_directories(task: Task) -> list[str]:
    """The name of each output channel's directory below ``outputs``: its own where that is safe as a file name."""
    return [
        port.name if _SAFE.fullmatch(port.name) and ".." not in port.name else f".{index}"
        for index, port in enumerate(task.outputs)
    ]
