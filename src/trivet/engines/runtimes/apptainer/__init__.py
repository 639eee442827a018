"""Apptainer: an image becomes a file (SIF), a container a process of whoever starts it; nothing serves anybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from trivet.engines import Attempt
from trivet.engines.runtimes.apptainer.command import NAME, Caller, Sif, as_command, faults, starts
from trivet.engines.runtimes.apptainer.sif import SifCache
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptId, Login, Outcome

__all__ = ["NAME", "SifCache", "containers_as_commands"]


class Sifs(Protocol):
    """Where SIF files are."""

    def ensure(self, program: ContainerImage, say: Callable[[str], None], login: Login | None = None) -> Sif:
        """The SIF of a program's image. Raises ImageUnavailableError."""


Scratch = Callable[[AttemptId, Sif], Path]


def containers_as_commands(
    attempts: Sequence[Attempt],
    cache: Sifs,
    say: Callable[[AttemptId, str], None] = lambda id, message: None,
    scratch: Scratch | None = None,
    caller: Caller | None = None,
) -> tuple[list[Attempt], dict[AttemptId, Outcome]]:
    """Attempts whose programs are processes: a container image has become an `apptainer exec` of its SIF.

    The SIF of each image is made first, in this process (a login node, say), once for all; an attempt of another
    program is passed on as it is. ``say`` is told what an attempt waits for. ``scratch`` gives an existing directory
    for what an attempt writes to /tmp, /var/tmp and its home; without it they are in memory, and as large as the
    site allows (64 MB where it says nothing), unless APPTAINER_WORKDIR names a directory where the command is started.

    The id of the image that an attempt runs is its invocation's label ``trivet.image``. A job that asks for GPUs has to
    hand on what its batch system chose: APPTAINERENV_CUDA_VISIBLE_DEVICES.

    Returns the attempts in order, without those that can never run, and the outcomes of these. What the command's own
    outcome means, `outcomes.explained` says.
    """
    ready: list[Attempt] = []
    never: dict[AttemptId, Outcome] = {}
    caller = caller or Caller.here()
    for attempt in attempts:
        invocation = attempt.invocation
        program = invocation.program
        if not isinstance(program, ContainerImage):
            ready.append(attempt)
            continue
        wrong = list(faults(invocation, caller))
        if wrong:
            never[attempt.id] = Outcome(None, reason=Reason.SUBMIT_ERROR, message="; ".join(wrong))
            continue
        try:
            sif = cache.ensure(program, lambda message, id=attempt.id: say(id, message), invocation.login)  # type: ignore[misc]
        except ImageUnavailableError as error:
            never[attempt.id] = Outcome(None, reason=Reason.IMAGE_PULL, message=str(error))
            continue
        if not starts(invocation, sif):
            message = f"the image {program.reference} starts nothing: it has neither entrypoint nor command"
            never[attempt.id] = Outcome(None, reason=Reason.SUBMIT_ERROR, message=message)
            continue
        place = None if scratch is None else str(scratch(attempt.id, sif))
        ready.append(Attempt(attempt.id, as_command(invocation, sif, caller, place)))
    return ready, never
