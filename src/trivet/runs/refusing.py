"""What can be known to be wrong before a run starts: said by the task's contract, and by this machine's size."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from trivet.contracts import contract
from trivet.engines import hardware
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, Severity
from trivet.tasks.quantities import format_memory
from trivet.tasks.task import ContainerImage, Program, Resources


def refusals(call: Call) -> Sequence[Problem]:
    """What the contract has to say against a call, and what it would only warn of.

    A contract that looks into inputs before anything starts has a function of this name.
    """
    room = contract(call.task.contract)
    return room.refusals(call) if hasattr(room, "refusals") else ()


def shortages(program: Program, needs: Resources) -> list[Problem]:
    """What a unit needs and this machine does not have. Fewer CPUs only take longer; processes are told, not held to
    it."""
    problems = []
    severity: Severity = "error" if isinstance(program, ContainerImage) else "warning"
    cpus, total = hardware.cpus(), hardware.memory()["total"]
    if needs.cpus is not None and cpus is not None and needs.cpus > cpus:
        message = f"the task asks for {needs.cpus:g} CPUs and this machine has {cpus}; it will take longer"
        problems.append(Problem("B015", message, "warning"))
    if needs.memory is not None and needs.memory > total:
        message = (
            f"the task asks for {format_memory(needs.memory)} of memory and this machine has {format_memory(total)}"
        )
        problems.append(Problem("B016", message, severity, "take a larger machine, or give --memory with less"))
    if needs.gpus and needs.gpus > (gpus := _gpus()):
        message = f"the task asks for {needs.gpus} GPU{'s' * (needs.gpus > 1)} and this machine has {gpus or 'none'}"
        problems.append(
            Problem("B016", message, severity, "take another machine, or give --gpus 0 if it can do without")
        )
    return problems


def _gpus() -> int:
    try:
        return len(hardware.gpus())
    except (OSError, subprocess.SubprocessError):
        return 0
