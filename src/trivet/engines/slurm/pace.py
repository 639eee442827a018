"""How often to look: at files often, at SLURM seldom, and less often the longer nothing happens. Pure."""

from __future__ import annotations

GROWTH = 1.5


class Pace:
    """Looks from ``shortest`` to ``longest`` seconds apart. Times are monotonic seconds of the caller's."""

    def __init__(self, shortest: float, longest: float) -> None:
        self.shortest, self.longest = shortest, longest
        self.interval = shortest
        self.due = 0.0

    def looked(self, now: float, calls: int = 1) -> None:
        """A look is over; the next is later than the one before was. One of several calls is as good as several."""
        self.due = now + calls * self.interval
        self.interval = min(self.longest, self.interval * GROWTH)

    def hurry(self, now: float) -> None:
        """Something has happened, or is about to."""
        self.interval = self.shortest
        self.due = min(self.due, now + self.shortest)
