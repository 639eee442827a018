"""Units that wait: in lanes of their kind, in the order in which they came."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from trivet.engines.worker_capacity import NOTHING, Capacity, Demand, more
    from trivet.engines.worker_units import Common
else:
    from worker_capacity import NOTHING, more

Job = tuple[int, "Common", list[str], str, Optional[str]]
"""When it came (a number that grows), and what `Units.start` is given."""


class Lane:
    """Units that need the same; of a script that is run warm, those of that script only."""

    __slots__ = ("jobs", "share")

    def __init__(self, share: Demand) -> None:
        self.share = share
        self.jobs: OrderedDict[str, Job] = OrderedDict()

    @property
    def since(self) -> int:
        """When its first unit came."""
        for job in self.jobs.values():
            return job[0]
        raise LookupError


class Queue:
    """First come, first served, but nobody waits for what he does not need.

    The first unit that does not fit keeps what is free of what it needs; a later one starts if it fits into the rest.
    So a small unit may pass a large one, and can't keep it from starting.
    """

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.lanes: dict[Any, Lane] = {}
        self.count = 0

    def __bool__(self) -> bool:
        return bool(self.lanes)

    def add(self, id: str, common: Common, argv: list[str], cwd: str, log: Optional[str]) -> None:
        key: Any = common.demand
        if common.kind is not None:
            key = (key, tuple(argv[:2]), common.kind)
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = Lane(self.capacity.share(common.demand))
        self.count += 1
        lane.jobs[id] = (self.count, common, argv, cwd, log)

    def remove(self, id: str) -> bool:
        """Forget a unit; False if it does not wait here."""
        for key, lane in self.lanes.items():
            if lane.jobs.pop(id, None) is not None:
                if not lane.jobs:
                    del self.lanes[key]
                return True
        return False

    def next(self, held: Any) -> Optional[tuple[str, Common, list[str], str, Optional[str]]]:
        """The unit to start now, if there is one. ``held`` tells of a lane that its units wait for something else."""
        kept = NOTHING
        lanes = self.lanes.items() if len(self.lanes) == 1 else sorted(self.lanes.items(), key=lambda one: one[1].since)
        for key, lane in lanes:
            if not self.capacity.fits(lane.share, kept):
                kept = more(kept, lane.share)
            elif not held(lane):
                id, (_, common, argv, cwd, log) = lane.jobs.popitem(last=False)
                if not lane.jobs:
                    del self.lanes[key]
                return id, common, argv, cwd, log
        return None
