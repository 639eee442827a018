"""Submissions on their way to SLURM: handed over once, whatever fails between."""

from __future__ import annotations

import time
from contextlib import suppress

from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.job import Jobs
from trivet.engines.slurm.pace import Pace
from trivet.engines.slurm.place import Place
from trivet.engines.slurm.submission import Submission
from trivet.engines.slurm.telling import Telling

TRIES = (2.0, 60.0)
"""Shortest and longest time between two tries, in seconds."""


class Sending:
    """What is written, and not known to be SLURM's. It may be so where somebody died, or SLURM did not answer,
    in between: then the list of the user's jobs is asked for its token first."""

    def __init__(self, commands: Commands, jobs: Jobs, telling: Telling, place: Place) -> None:
        self._commands, self._jobs, self._telling, self._place = commands, jobs, telling, place
        self._unsent: list[Submission] = []
        self._doubtful: set[str] = set()
        self._pace = Pace(*TRIES)

    @property
    def due(self) -> float:
        """When to try again, in monotonic seconds."""
        return self._pace.due if self._unsent else float("inf")

    def add(self, found: Submission, doubtful: bool) -> None:
        """A submission to hand over; ``doubtful`` where somebody may have done so."""
        if found not in self._unsent:
            self._unsent.append(found)
            if doubtful:
                self._doubtful.add(found.token)
        self.hurry()

    def is_doubtful(self, found: Submission) -> bool:
        """Whether SLURM may have it already."""
        return found.token in self._doubtful

    def hurry(self) -> None:
        """Try at once."""
        self._pace.due = 0.0

    def send(self) -> bool:
        """Hand over everything; False when SLURM can't take it now."""
        try:
            known = self._commands.by_comment() if self._doubtful else {}
            while self._unsent:
                self._hand_over(self._unsent[0], known.get(self._unsent[0].token))
                self._doubtful.discard(self._unsent.pop(0).token)
        except SlurmError as error:
            for found in self._unsent:
                message = f"SLURM does not take the job now, it will be asked again: {error}"
                self._telling.all_wait(found, message + _advice(found, str(error)))
            self._pace.looked(time.monotonic())
            return False
        self._pace.interval = self._pace.shortest
        return True

    def _hand_over(self, found: Submission, job: str | None) -> None:
        """Raises SlurmError when it may work later."""
        if job is None and not any(one.open for one in self._jobs.of(found)):
            self._forget(found, "it was cancelled before it was submitted")
            return
        if job is None:
            try:
                self._place.send(found)
                job = self._submitted(found)
            except SlurmError as error:
                if error.passing:
                    raise
                self._refused(found, str(error))
                return
        try:
            found.note(job)
        except OSError:
            found.job = job  # its own token, and the records of its jobs, tell it as well
        for element, ids in enumerate(found.elements):
            self._telling.accepted((id for id in ids if self._telling.lives(id)), found.name(element))

    def _submitted(self, found: Submission) -> str:
        """The number of the job. Raises SlurmError; where it passes, nobody knows whether SLURM has the job."""
        there = self._place.there
        try:
            return self._commands.submit(there(found.place), there(found.place / "script.sh"))
        except SlurmError as error:
            if error.passing:
                self._doubtful.add(found.token)
            raise

    def _refused(self, found: Submission, message: str) -> None:
        """SLURM does not want it, and never will."""
        self._forget(found, message)
        self._telling.refused((id for ids in found.elements for id in ids), message)

    def _forget(self, found: Submission, message: str) -> None:
        with suppress(OSError):
            found.note(None, message)
        self._jobs.drop(found)


def _advice(found: Submission, message: str) -> str:
    """What helps where an array has more jobs than its user may submit: it is never taken."""
    if "submit" not in message.lower().replace("job submission failed", "") or len(found.elements) < 2:
        return ""
    return f"; it has {len(found.elements)} jobs: if you may not submit so many, lower max_num_jobs (batching_config)"
