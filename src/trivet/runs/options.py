"""How a run is to be done, apart from what is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from trivet.tasks.task import Resources


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be done.

    ``slots``: how many units run at once (None: as many as the engine finds right). ``time_limit`` and ``grace`` in
    seconds, for each unit. ``output`` is the directory outputs are published in (None: where the document wants them,
    else the run's own). ``cpus``, ``memory`` (bytes) and ``gpus`` replace what the task says it needs.
    ``into_existing``: outputs that are directories go into existing ones, where files replace those of their name and
    everything else stays; for callers whose users know no better.
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
    into_existing: bool = False

    def __post_init__(self) -> None:
        if self.slots is not None and self.slots < 1:
            raise ValueError("at least one unit must be able to run at once")
        if self.time_limit is not None and self.time_limit <= 0:
            raise ValueError("a time limit must be longer than nothing")

    def needs(self, stated: Resources) -> Resources:
        """What a unit gets, of what it needs by its task's word and of what the caller said instead."""
        return Resources(
            stated.cpus if self.cpus is None else self.cpus,
            stated.memory if self.memory is None else self.memory,
            stated.gpus if self.gpus is None else self.gpus,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Options:
        return cls(**data)
