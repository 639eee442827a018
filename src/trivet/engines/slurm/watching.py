"""Looking after jobs: at their records often, at SLURM's list seldom; and what is concluded when they are over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from trivet.engines import Ended, EngineEvent
from trivet.engines.slurm.commands import Commands, Row, SlurmError, spans
from trivet.engines.slurm.job import Job, Jobs
from trivet.engines.slurm.pace import Pace
from trivet.engines.slurm.place import Place
from trivet.engines.slurm.queue import outlooks, words
from trivet.engines.slurm.reasons import ACTIVE, UNKNOWN, WAITING, Final, in_line, waiting
from trivet.engines.slurm.submission import Submission
from trivet.engines.slurm.telling import Telling
from trivet.tasks.states import Reason

SETTLE = 1.0
"""Seconds that a record may need to be seen here after SLURM has said that its job is over."""
FORCE = 15.0
"""Seconds after which a job is cancelled that has not ended what it was asked to."""
SOON = 0.2


class Watching:
    """``polls``: shortest and longest time between two looks at SLURM's list, in seconds. ``watched``: somebody wants
    to know when jobs that wait may start, which takes one call more with each look, while one does; looks are rarer
    then."""

    def __init__(
        self, commands: Commands, jobs: Jobs, telling: Telling, place: Place, polls: tuple[float, float]
    ) -> None:
        self._commands, self._jobs, self._telling, self._place = commands, jobs, telling, place
        self._records, self._list = Pace(*place.looks), Pace(*polls)
        self._left: list[tuple[Job, Ended]] = []
        self._accounting: bool | None = None
        self.watched = False
        self._calls = 1

    @property
    def due(self) -> float:
        """When to look again, in monotonic seconds."""
        if not self._jobs:
            return self._records.due if self._left else float("inf")
        settled = min((job.settled_at for job in self._jobs if job.final is not None), default=float("inf"))
        return min(self._records.due, self._list.due, settled)

    def hurry(self) -> None:
        """There are new jobs, or new wishes about them."""
        self._records.hurry(time.monotonic())
        self._list.hurry(time.monotonic())

    def look(self) -> bool:
        """Look at what is due; True when SLURM's list was asked, and answered."""
        answered = False
        if self._records.due <= time.monotonic():
            self._look_at_records()
        if self._list.due <= time.monotonic() and self._jobs:
            answered = self._look_at_list()
        self._conclude()
        return answered

    def cancel(self, waits: dict[str, list[int]], pending: bool) -> None:
        """Let SLURM cancel elements of arrays; only those that wait, if ``pending``."""
        if waits:
            with suppress(SlurmError):  # asked again, by force, when nothing has come of it
                names = [f"{array}_[{spans(numbers)}]" for array, numbers in waits.items()]
                self._commands.cancel(names, pending)
            self._list.due = min(self._list.due, time.monotonic() + SOON)

    def _look_at_records(self) -> None:
        try:
            self._place.look(self._jobs)
        except SlurmError:  # looking at the list says so; a record without the logs that belong to it is no news
            self._records.looked(time.monotonic())
            return
        news: list[tuple[Job, EngineEvent]] = []
        seen: set[str] = set()
        for job in self._jobs:
            found = job.submission
            if found.token not in seen:
                seen.add(found.token)
                with suppress(OSError):
                    found.look()
            if job.element in found.records and not job.over:
                news += [(job, event) for event in job.read()]
                if job.told:
                    self._list.hurry(time.monotonic())
        self._tell(news)
        if news:
            self._records.interval = self._records.shortest
        self._records.looked(time.monotonic())
        self._jobs.sweep()

    def _tell(self, news: Iterable[tuple[Job, EngineEvent]]) -> None:
        """Tell what happened; of an end only when what the attempt has left is here."""
        started = []
        for job, event in news:
            if isinstance(event, Ended):
                self._left.append((job, event))
            else:
                started.append(event)
        self._telling.tell(started)
        if self._left:
            told = self._brought(self._left)
            if told is not None:
                self._left = []
                self._telling.tell(told)

    def _brought(self, left: Sequence[tuple[Job, Ended]]) -> list[Ended] | None:
        """The ends of attempts with their files brought here; None when that may work later."""
        try:
            self._place.bring([(job, event.id) for job, event in left])
        except SlurmError as error:
            if error.passing:
                return None
            if len(left) > 1:  # one of them need not spoil the others
                each = [self._brought([one]) for one in left]
                return None if None in each else [event for events in each for event in events or ()]
            event = left[0][1]
            message = f"what it has left can't be brought here: {error}"
            outcome = replace(event.outcome, reason=event.outcome.reason or Reason.LOST, message=message)
            return [replace(event, outcome=outcome)]
        return [event for _, event in left]

    def _look_at_list(self) -> bool:
        arrays = dict.fromkeys(job.submission.job for job in self._jobs if job.submission.job is not None)
        answered = True
        self._calls = 1
        if arrays:
            try:
                ended = self._sort(self._commands.jobs(arrays))
                if ended:
                    self._ask_about(ended)
            except SlurmError as error:
                answered = False
                message = f"SLURM does not answer, it will be asked again: {error}"
                for found in {job.submission.token: job.submission for job in self._jobs}.values():
                    self._telling.all_wait(found, message)
                self._telling.out_of_sight(f"{message}; what runs goes on")
            else:
                self._telling.in_sight()
        self._list.looked(time.monotonic(), self._calls)
        return answered

    def _sort(self, rows: Sequence[Row]) -> list[Job]:
        """Take what SLURM's list says; the jobs of which it does not say enough."""
        states = {(row.array, element): row for row in rows for element in row.elements}
        rest = {row.array: row for row in rows if row.rest}
        known = {row.array for row in rows}
        unclear: list[Job] = []
        forced: dict[str, list[int]] = {}
        why: dict[str, tuple[Submission, str, bool]] = {}
        now = time.monotonic()
        for job in self._jobs:
            array = job.submission.job
            if array is None or job.final is not None:
                continue
            row = states.get((array, job.element)) or rest.get(array)
            if row is None and array in known and not job.begun:
                self._over(job, Final("CANCELLED"))  # SLURM forgets those at once
            elif row is None:
                unclear.append(job)
            elif row.state in WAITING and job.begun:
                self._over(job, Final("REQUEUED"))
                forced.setdefault(array, []).append(job.element)
            elif job.force_at < now and job.unwanted and row.state in ACTIVE:
                job.force_at = now + FORCE
                forced.setdefault(array, []).append(job.element)
            elif row.state in WAITING:
                why.setdefault(array, (job.submission, waiting(array, row.reason), in_line(row.reason)))
            elif row.state not in ACTIVE:
                began = bool(row.nodes) and row.nodes != "None assigned"
                self._over(job, Final(row.state), SETTLE if began else 0.0)
                if row.state in ("FAILED", "CANCELLED") and not job.unwanted:
                    unclear.append(job)
        outlook = self._outlook([array for array, (_, _, stands) in why.items() if stands])
        for array, (found, message, _) in why.items():
            self._telling.all_wait(found, message, outlook.get(array, ""))
        self.cancel(forced, pending=False)
        return unclear

    def _outlook(self, arrays: Sequence[str]) -> Mapping[str, str]:
        """What those that stand in line can expect, in words; nobody is asked if nobody listens."""
        if not (self.watched and arrays):
            return {}
        self._calls += 1
        try:
            found = outlooks(arrays, self._commands.queue())
        except SlurmError:
            return {}
        return {array: words(one, time.time()) for array, one in found.items()}

    def _ask_about(self, jobs: list[Job]) -> None:
        """What the list does not say: how jobs failed, and how those did that it has forgotten. Raises SlurmError."""
        if self._accounting is None:
            self._accounting = self._commands.cluster().accounting
        found = self._commands.finals([job.name for job in jobs], self._accounting)
        with suppress(SlurmError):
            self._place.look(jobs)  # for what they printed
        for job in jobs:
            final = found.get(job.name)
            if final is not None and final.state in ACTIVE:
                continue
            final = final or job.final or Final(UNKNOWN)
            self._over(job, final._replace(said=job.submission.printed(job.element)))

    def _over(self, job: Job, final: Final, settle: float = SETTLE) -> None:
        if job.final is None:
            job.settled_at = time.monotonic() + settle
        job.final = final

    def _conclude(self) -> None:
        """Say what became of units whose jobs are over, after a last look at what the jobs have left."""
        now = time.monotonic()
        settled = [one for one in self._jobs if one.settled_at <= now]
        if not settled:
            return
        for job in settled:
            job.submission.refresh()
        try:
            self._place.look(settled)
            self._tell([(job, event) for job in settled for event in job.read()])
            self._place.bring([(job, id) for job in settled for id in job.open])
        except SlurmError as error:
            if error.passing:  # what the jobs have left can't be seen now
                for job in settled:
                    job.settled_at = now + self._place.looks[1]
                return
        news: list[tuple[Job, EngineEvent]] = []
        for job in settled:
            assert job.final is not None  # noqa: S101 (settled)
            if job.open and job.final.state not in ("COMPLETED", "CANCELLED"):
                with suppress(OSError):  # a runner on a node that only seemed dead must write nothing any more
                    job.submission.cancel(job.element, list(job.open), 0.0)
                    self._place.wish(job.submission, job.element)
            news += [(job, event) for event in (*job.read(), *job.conclude(job.final))]
        self._tell(news)
        self._jobs.sweep()
