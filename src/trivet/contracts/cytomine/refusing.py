"""What is wrong with a call that its types alone don't tell: said before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from trivet.contracts.cytomine import sidecars
from trivet.contracts.cytomine.judging import Judge
from trivet.contracts.cytomine.matching import unmatched
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.staging import inputs_of
from trivet.contracts.folding import one_phase
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.values import Value


def refusals(call: Call) -> Sequence[Problem]:
    """Every fault of the inputs: content of files, geometries, texts that can't be written, arrays that don't match.

    What could only not be checked is told when a unit is staged.
    """
    judge = Judge()
    for port in call.task.inputs:
        value = call.values.get(port.name)
        for one in cast("Sequence[Value]", value) if port.name == call.each else (value,):
            judge.judge(port.type, one, ("inputs", port.name))
    model: Descriptor = call.task.document.model
    together: list[Problem] = []
    for unit in one_phase(call, 0) or ():
        values = inputs_of(call, unit)
        together += (*unmatched(model.links, values), *sidecars.faults(values))
    errors = [problem for problem in judge.problems if problem.severity == "error"]
    return list(dict.fromkeys((*errors, *together)))
