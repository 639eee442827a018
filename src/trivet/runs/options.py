"""How a run is to be done, apart from what is done."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from trivet.runs.retrying import Retries
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Resources
from trivet.tasks.work import NOTHING_SAID, THREADS, Demand, Invocation, PodSettings

CALLER = "caller"
"""The user who starts a run, as the user that a container runs as."""

_USER = re.compile(r"[0-9]{1,10}(:[0-9]{1,10})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be done.

    ``slots``: how many units run at once (None: as many as the engine finds right). ``time_limit`` and ``grace`` in
    seconds, for each unit. ``output`` is the directory outputs are published in (None: where the document wants them,
    else the run's own). ``cpus``, ``memory`` (bytes) and ``gpus`` replace what the task says it needs.
    ``user`` is who the program of an image runs as, ``UID``, ``UID:GID`` or ``caller`` (None: as the image says).
    ``command_as_args``: the task's command becomes the arguments of the image's own entrypoint. ``namespace`` is that
    of Kubernetes, before the one the task names. ``into_existing``: outputs that are directories go into existing ones,
    where files replace those of their name and everything else stays; for callers whose users know no better.
    ``cold``: every unit is a process of its own from the start, nothing is imported ahead. ``retries``: how often a
    unit is started again when it failed for a reason that may pass. ``site`` is the configuration of a cluster (a
    file).
    """

    engine: str = "local"
    runtime: str | None = None
    slots: int | None = None
    time_limit: float | None = None
    grace: float = 10.0
    output: str | None = None
    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    user: str | None = None
    command_as_args: bool = False
    namespace: str | None = None
    into_existing: bool = False
    cold: bool = False
    retries: int = 0
    site: str | None = None

    def __post_init__(self) -> None:
        if self.slots is not None and self.slots < 1:
            raise ValueError("at least one unit must be able to run at once")
        if self.time_limit is not None and self.time_limit <= 0:
            raise ValueError("a time limit must be longer than nothing")
        if self.retries < 0:
            raise ValueError("a unit can't be started again less than never")
        if self.user not in (None, CALLER) and not _USER.fullmatch(str(self.user)):
            raise ValueError(f"the user {self.user!r} is neither `{CALLER}` nor numbers (UID or UID:GID)")

    def needs(self, stated: Resources) -> Resources:
        """What a unit gets, of what it needs by its task's word and of what the caller said instead."""
        return Resources(
            stated.cpus if self.cpus is None else self.cpus,
            stated.memory if self.memory is None else self.memory,
            stated.gpus if self.gpus is None else self.gpus,
        )

    @property
    def retrying(self) -> Retries:
        """When units are started again. A cluster takes nodes away as a matter of course: such units are started again
        there even if nobody asked for it."""
        return Retries(self.retries, taken_away=3 if self.engine == "slurm" else 0)

    def applied(
        self, invocation: Invocation, failures: Sequence[Reason] = (), usual: Demand = NOTHING_SAID
    ) -> Invocation:
        """The invocation that staging made, as the caller wants it done.

        A unit that is started again, for the reasons in ``failures``, gets twice the memory after each of ``oom``, and
        twice the time after each ``timeout``: of what it asks for, or else of what is ``usual`` where it runs.
        """
        changes: dict[str, Any] = {}
        needs = self.needs(invocation.resources)
        if needs != invocation.resources:
            changes["resources"] = needs
        asked = invocation.resources.memory
        if None not in (asked, needs.memory) and asked != needs.memory:  # notes may tell how the task's came about
            message = f"memory limit {needs.memory:,} bytes, as the caller says, not {asked:,}"
            changes["notes"] = (*invocation.notes, Problem("B021", message, "info"))
        if self.time_limit is not None:
            changes["time_limit"] = self.time_limit
        if self.cpus is not None:  # staging has told libraries how many threads, by what the task's word was
            told = dict.fromkeys(THREADS & invocation.environment.keys(), str(max(int(self.cpus), 1)))
            changes["environment"] = {**invocation.environment, **told}
        if self.cold and invocation.warm:
            changes["warm"] = False
        if self.grace != invocation.grace:
            changes["grace"] = self.grace
        if isinstance(invocation.program, ContainerImage):
            if self.user is not None:
                changes["user"] = f"{os.getuid()}:{os.getgid()}" if self.user == CALLER else self.user
            if self.command_as_args and invocation.command:
                changes |= {"command": None, "args": (*invocation.command, *invocation.args)}
            pod = self._pod(invocation.pod or PodSettings())
            if pod != (invocation.pod or PodSettings()):
                changes["pod"] = pod
        applied = replace(invocation, **changes) if changes else invocation
        return _raised(applied, failures, usual) if failures else applied

    def _pod(self, pod: PodSettings) -> PodSettings:
        if self.namespace:
            pod = replace(pod, namespace=self.namespace)
        given = {
            "cpu": None if self.cpus is None else f"{round(self.cpus * 1000)}m",
            "memory": None if self.memory is None else str(self.memory),
            "nvidia.com/gpu": None if self.gpus is None else str(self.gpus),
        }
        given = {key: amount for key, amount in given.items() if amount is not None}
        if pod.resources is None or not given:
            return pod
        halves = {
            half: {key: one for key, one in amounts.items() if key not in given}
            for half, amounts in pod.resources.items()
        }
        limits = {**halves.get("limits", {}), **{key: str(amount) for key, amount in given.items() if amount != "0"}}
        return replace(pod, resources={**halves, "limits": limits})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Options:
        return cls(**data)


def _raised(invocation: Invocation, failures: Sequence[Reason], usual: Demand) -> Invocation:
    """The invocation of a further attempt, with more of what the attempts before lacked."""
    memory, limit = invocation.resources.memory, invocation.time_limit
    notes = list(invocation.notes)
    if Reason.OOM in failures and (had := memory or usual.memory) is not None:
        memory = had << failures.count(Reason.OOM)
        message = f"started again after it ran out of memory: its limit is {memory:,} bytes now"
        notes.append(Problem("B022", message, "info"))
    if Reason.TIMEOUT in failures and (took := limit or usual.time) is not None:
        limit = took * 2 ** failures.count(Reason.TIMEOUT)
        notes.append(Problem("B022", f"started again after its time was up: it has {limit:g} s now", "info"))
    resources = replace(invocation.resources, memory=memory)
    return replace(invocation, resources=resources, time_limit=limit, notes=tuple(notes))
