"""Whether a unit that failed is started again, and after how long. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trivet.tasks.states import Reason

LONGEST = 60.0
"""Seconds that are waited at most."""

_TAKEN_AWAY = (Reason.EVICTED, Reason.LOST)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a unit is started again for a reason that may pass.

    ``limit`` is what the caller wants; ``taken_away`` holds at least for units that did nothing wrong: their node
    failed, or was given to somebody else.
    """

    limit: int = 0
    taken_away: int = 0

    def delay(self, failures: Sequence[Reason]) -> float | None:
        """Seconds to wait after these failures of a unit until it is started again: 1, 2, 4 …; None for never."""
        last = failures[-1]
        limit = max(self.limit, self.taken_away) if last in _TAKEN_AWAY else self.limit
        if not last.may_pass or len(failures) > limit:
            return None
        return min(2.0 ** (len(failures) - 1), LONGEST)


NEVER = Retries()
