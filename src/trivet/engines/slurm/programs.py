"""Attempts as a job can start them: the one place where containers become plain commands, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trivet.engines import Attempt
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptId, Outcome

Say = Callable[[AttemptId, str], None]
Programs = Callable[[Sequence[Attempt], Say], tuple[Sequence[Attempt], Mapping[AttemptId, Outcome]]]
"""Attempts in which every program is one of the node's own, and outcomes of those that can't be run. It may take its
time, and say for whom it works."""

NEEDS_APPTAINER = (
    "container images run on SLURM by Apptainer, which is not here; a daemon like Docker's is no way: "
    "what it starts is not the job's, so SLURM neither limits nor ends it"
)


def no_containers(attempts: Sequence[Attempt], say: Say) -> tuple[Sequence[Attempt], Mapping[AttemptId, Outcome]]:
    """Programs of the node as they are; container images never run."""
    plain = [one for one in attempts if not isinstance(one.invocation.program, ContainerImage)]
    refused = {one.id for one in attempts} - {one.id for one in plain}
    return plain, {id: Outcome(None, reason=Reason.SUBMIT_ERROR, message=NEEDS_APPTAINER) for id in refused}
