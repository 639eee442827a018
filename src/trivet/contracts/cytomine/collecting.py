"""From what a program wrote to the values of the outputs, checked the same way whatever ran it."""

from __future__ import annotations

import os
from pathlib import Path

from trivet.contracts.cytomine.matching import unmatched
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.staging import inputs_of
from trivet.contracts.cytomine.values import Reader, listed
from trivet.contracts.folding import failure
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, has_errors
from trivet.tasks.states import Reason
from trivet.tasks.task import Port
from trivet.tasks.values import Value
from trivet.tasks.work import AttemptDirectory, Outcome, Unit, UnitResult


def collect(call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
    """Read every output and say everything that is wrong with them.

    A program that did not end with 0 has failed, whatever it wrote. A missing optional output is fine; files that no
    output declares are left where they are, with a warning.
    """
    failed = failure(unit, outcome)
    if failed is not None:
        return failed
    folder = where.root / "outputs"
    model: Descriptor = call.task.document.model
    reader = Reader()
    outputs: dict[str, Value] = {}
    missing: list[str] = []
    invalid: list[str] = []
    for port in call.task.outputs:
        path = folder / port.name
        if not os.path.lexists(path):
            if not port.optional:
                missing.append(port.name)
                reader.note("C200", ("outputs", port.name), "was not written", _written(port, folder))
            continue
        value = reader.decode(port.type, path, ("outputs", port.name))
        if value is None:
            invalid.append(port.name)
        else:
            outputs[port.name] = value
    reader.problems += _extra(call.task.outputs, folder)
    written = {("outputs", port.name): outputs.get(port.name) for port in call.task.outputs}
    differing = list(unmatched(model.links, inputs_of(call, unit) | written))
    problems = (*reader.problems, *differing)
    if not has_errors(problems):
        return UnitResult(unit.name, exit_code=outcome.exit_code, outputs=outputs, problems=problems)
    if missing:
        reason, message = Reason.MISSING_OUTPUT, f"not written: {listed(missing)}"
    elif invalid:
        reason, message = Reason.INVALID_OUTPUT, f"not valid: {listed(invalid)}"
    else:
        reason, message = Reason.UNMATCHED_OUTPUT, differing[0].message
    return UnitResult(unit.name, reason, message, outcome.exit_code, outputs, problems)


def _written(port: Port, folder: Path) -> str:
    """What the program may have written instead: the same name with an extension is the usual mistake."""
    near = sorted(name for name in _names(folder) if name.partition(".")[0].casefold() == port.name.casefold())
    if near:
        return f"`{near[0]}` is there; the name must be `{port.name}` exactly, without an extension"
    return f"the program must write {port.location}"


def _extra(ports: tuple[Port, ...], folder: Path) -> list[Problem]:
    extra = sorted(_names(folder) - {port.name for port in ports})
    if not extra:
        return []
    return [Problem("C204", f"the output folder holds files that no output declares: {listed(extra)}", "warning")]


def _names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()
