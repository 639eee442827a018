"""Starting a plain command and gathering what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

from trivet.contracts.command.document import CommandModel
from trivet.contracts.folding import failure, value_of
from trivet.tasks import types
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Port
from trivet.tasks.values import FileRef, Value
from trivet.tasks.work import AttemptDirectory, Invocation, Mount, Outcome, Unit, UnitResult

INPUTS, OUTPUTS = "/inputs", "/outputs"


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """The command with its placeholders filled in.

    In a container, files are mounted read-only below ``/inputs`` and outputs are written below ``/outputs``; on this
    machine, the program gets the real paths and works in the directory of its attempt when it has outputs.
    """
    model: CommandModel = call.task.document.model
    contained = isinstance(call.task.program, ContainerImage)
    mounts: list[Mount] = []
    texts: dict[str, str] = {}
    for port in model.inputs:
        value = value_of(call, unit, port.name)
        if isinstance(value, FileRef) and contained:
            mounts.append(Mount(value.path, f"{INPUTS}/{port.name}", directory=Path(value.path).is_dir()))
            texts[port.name] = f"{INPUTS}/{port.name}"
        else:
            texts[port.name] = as_text(value)
    workdir = None
    if model.outputs:
        outputs = where.make("outputs")
        workdir = OUTPUTS if contained else str(outputs)
        if contained:
            mounts.append(Mount(str(outputs), OUTPUTS, writable=True))
        for name, path in model.paths.items():
            (outputs / path).parent.mkdir(parents=True, exist_ok=True)
            texts[name] = f"{workdir}/{path}"
    words = tuple("".join(text + texts[name] if name else text for text, name in word) for word in model.words)
    return Invocation(
        call.task.program,
        words,
        mounts=tuple(mounts),
        workdir=workdir,
        resources=call.task.resources,
        network=call.task.network,
        title=call.task.name,
    )


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    """The declared outputs: files by reference, scalars read from theirs."""
    failed = failure(unit, outcome)
    if failed is not None:
        return failed
    model: CommandModel = call.task.document.model
    if not model.outputs:
        return UnitResult(unit.name, exit_code=0)
    outputs: dict[str, Value] = {}
    problems: list[Problem] = []
    missing = False
    for port in model.outputs:
        path = where.root / "outputs" / model.paths[port.name]
        if not path.exists():
            missing = missing or not port.optional
            message = f"output `{port.name}` ({path.name}) was not written"
            problems.append(Problem("R020", message, "info" if port.optional else "error"))
            continue
        try:
            outputs[port.name] = _read(port, path)
        except ValueError as error:
            problems.append(Problem("R021", f"output `{port.name}` ({path.name}): {error}"))
    errors = [problem.message for problem in problems if problem.severity == "error"]
    reason = (Reason.MISSING_OUTPUT if missing else Reason.INVALID_OUTPUT) if errors else None
    return UnitResult(unit.name, reason, "; ".join(errors), 0, outputs, tuple(problems))


def as_text(value: Value) -> str:
    """A value as one word of a command line: text as it is, a file's path, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, FileRef):
        return value.path
    return "" if value is None else json.dumps(value)


def _read(port: Port, path: Path) -> Value:
    if port.type.is_file:
        if path.is_dir() != isinstance(port.type, types.Directory):
            raise ValueError("is a directory" if path.is_dir() else "is not a directory")
        return FileRef(str(path), name=path.name)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if isinstance(port.type, types.String | types.Datetime):
        value: Value = text
    else:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValueError(f"is not valid JSON: {error}") from None
    faults = list(port.type.faults(value))
    if faults:
        raise ValueError("; ".join(faults))
    return value
