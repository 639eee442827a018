"""What is wrong with a call of a task of version 1 before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from trivet.contracts.fractal.commands import command_of
from trivet.contracts.fractal.manifest import entry_of
from trivet.contracts.fractal.v1.manifest import METADATA, level_of
from trivet.contracts.fractal.v1.units import components
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError


def refusals(call: Call) -> Sequence[Problem]:
    """A program that is not there; components that nobody named. A call may still lack values that were refused."""
    entry = entry_of(call.task.document, call.task.name)
    problems: list[Problem] = []
    executor = (entry.get("meta") or {}).get("executor")
    if executor is not None:
        message = f"the part {executor!r} of an old server's configuration is not known; the defaults are taken"
        problems.append(Problem("F033", message, "info", "say what is needed: --cpus, --memory, --gpus"))
    try:
        command_of(call.task.document, entry, "")
    except ProblemsError as error:
        problems += error.problems
    try:
        if level_of(entry) is not None and METADATA in call.values:
            components(call)
    except ProblemsError as error:
        problems += error.problems
    return problems
