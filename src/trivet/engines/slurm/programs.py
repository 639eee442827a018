"""Attempts as a job can start them: the one place where containers become plain commands, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from trivet.engines import Attempt
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptId, Outcome

Say = Callable[[AttemptId, str], None]

NEEDS_APPTAINER = (
    "container images run on SLURM by Apptainer, which is not here; a daemon like Docker's is no way: "
    "what it starts is not the job's, so SLURM neither limits nor ends it"
)


class Programs(Protocol):
    """How attempts become commands of the node, and what the outcomes of the commands mean."""

    def commands(self, attempts: Sequence[Attempt], say: Say) -> tuple[Sequence[Attempt], Mapping[AttemptId, Outcome]]:
        """Attempts whose programs are the node's own, and outcomes of those that can't be run. It may take its time,
        and ``say`` for whom it works."""

    def outcome(self, id: AttemptId, outcome: Outcome) -> Outcome:
        """What it means how the command of an attempt ended; asked once."""


class NodePrograms:
    """Programs of the node as they are; container images never run."""

    def commands(self, attempts: Sequence[Attempt], say: Say) -> tuple[Sequence[Attempt], Mapping[AttemptId, Outcome]]:
        """As for `Programs`."""
        plain = [one for one in attempts if not isinstance(one.invocation.program, ContainerImage)]
        refused = {one.id for one in attempts} - {one.id for one in plain}
        return plain, {id: Outcome(None, reason=Reason.SUBMIT_ERROR, message=NEEDS_APPTAINER) for id in refused}

    def outcome(self, id: AttemptId, outcome: Outcome) -> Outcome:
        """As for `Programs`."""
        return outcome


class ApptainerPrograms:
    """Containers by Apptainer: SIF files are made here, in the directory ``sifs`` that all nodes see, and run there."""

    def __init__(self, directory: Path, sifs: Path) -> None:
        self._directory, self._sifs = directory, sifs
        self._any = (directory / "scratch").exists()

    def commands(self, attempts: Sequence[Attempt], say: Say) -> tuple[Sequence[Attempt], Mapping[AttemptId, Outcome]]:
        """As for `Programs`."""
        if not any(isinstance(one.invocation.program, ContainerImage) for one in attempts):
            return attempts, {}
        from trivet.engines.runtimes.apptainer import SifCache, containers_as_commands
        from trivet.engines.runtimes.apptainer.units import lay_out

        self._any = True
        cache = SifCache(self._sifs)
        try:
            return containers_as_commands(attempts, cache, say, lambda id, sif: lay_out(self._directory, id, sif))
        finally:
            cache.close()

    def outcome(self, id: AttemptId, outcome: Outcome) -> Outcome:
        """As for `Programs`."""
        if not self._any:
            return outcome
        from trivet.engines.runtimes.apptainer.units import read

        return read(self._directory, id, outcome)
