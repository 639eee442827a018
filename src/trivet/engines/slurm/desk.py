"""Where the SLURM engine does its work, in one thread: takes wishes, submits, looks at records and at SLURM's list."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from trivet.engines import Accepted, Attempt, Ended, EngineEvent, Started, Waiting
from trivet.engines.slurm import submission as submissions
from trivet.engines.slurm.cluster import Cluster
from trivet.engines.slurm.commands import Commands, Row, SlurmError, spans
from trivet.engines.slurm.grouping import Group, groups
from trivet.engines.slurm.job import Job
from trivet.engines.slurm.pace import Pace
from trivet.engines.slurm.programs import Programs
from trivet.engines.slurm.reasons import ACTIVE, UNKNOWN, WAITING, Final, waiting
from trivet.engines.slurm.script import script
from trivet.engines.slurm.shipping import ship
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.submission import Submission
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptId, Outcome

_TAKEN, _ACCEPTED, _STARTED, _ENDED = range(4)

LOOKS = (0.1, 2.0)
"""Shortest and longest time between two looks at records, in seconds."""
SETTLE = 1.0
"""Seconds that a record may need to be seen here after SLURM has said that its job is over."""
FORCE = 15.0
"""Seconds beyond its grace after which a job is cancelled whose runner does not end what it was asked to."""
SOON = 0.2


class Desk:
    """Everything the engine knows, for one thread only; `inbox` takes what others want of it."""

    def __init__(
        self,
        directory: Path,
        site: Site,
        commands: Commands,
        events: SimpleQueue[Sequence[EngineEvent]],
        slots: int | None,
        programs: Programs,
        log_cap: int,
        polls: tuple[float, float],
    ) -> None:
        self.inbox: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._directory, self._home = directory, directory / "slurm"
        self._site, self._commands, self._events = site, commands, events
        self._slots, self._programs, self._log_cap = slots, programs, log_cap
        self._stages: dict[AttemptId, int] = {}
        self._where: dict[AttemptId, tuple[Submission, int]] = {}
        self._unsent: list[Submission] = []
        self._recovered: set[str] = set()
        self._jobs: dict[tuple[str, int], Job] = {}
        self._said: dict[str, str] = {}
        self._files, self._list, self._tries = Pace(*LOOKS), Pace(*polls), Pace(2.0, 60.0)
        self._cluster: Cluster | None = None

    def open(self) -> None:
        """Make the directory, and read what was submitted from it before. Raises OSError."""
        self._home.mkdir(parents=True, exist_ok=True)
        for found in submissions.read(self._home):
            for element, ids in enumerate(found.elements):
                self._where.update((id, (found, element)) for id in ids)

    def unended(self) -> list[AttemptId]:
        """Attempts of this driver's that have not ended."""
        return [id for id, stage in self._stages.items() if stage < _ENDED]

    def turn(self) -> float:
        """Do what is due; when (monotonic seconds) something is due again."""
        self._take_wishes()
        now = time.monotonic()
        if self._unsent and self._tries.due <= now:
            self._send()
        if not self._jobs:
            return self._tries.due if self._unsent else float("inf")
        if self._files.due <= time.monotonic():
            self._look_at_records()
        if self._list.due <= time.monotonic() and self._jobs:
            self._look_at_list()
        self._conclude()
        if not self._jobs:
            return self._tries.due if self._unsent else float("inf")
        return min(self._files.due, self._list.due, self._tries.due if self._unsent else float("inf"))

    # --- What the driver wants ------------------------------------------------------------------------------------

    def _take_wishes(self) -> None:
        while True:
            try:
                kind, *arguments = self.inbox.get_nowait()
            except Empty:
                return
            getattr(self, f"_on_{kind}")(*arguments)

    def _on_submit(self, attempts: list[Attempt]) -> None:
        fresh: dict[AttemptId, Attempt] = {}
        for attempt in attempts:
            if attempt.id in self._where:
                self._claim(attempt.id)
            elif attempt.id not in self._stages:
                self._stages[attempt.id] = _TAKEN
                fresh[attempt.id] = attempt
        if not fresh:
            return
        ready, never = self._programs(list(fresh.values()), self._say)
        self._emit(Ended(id, outcome) for id, outcome in never.items())
        for members, group in groups(self._site, ready, self._slots, self._largest_array(), self._longest()):
            if isinstance(group, ProblemsError):
                self._refuse((one.id for one in members), "; ".join(problem.message for problem in group.problems))
                continue
            try:
                self._write(group)
            except OSError as error:
                reason = f"{error.filename or self._home}: {error.strerror or error}"
                self._refuse((one.id for one in members), f"the submission can't be written: {reason}")
        self._tries.hurry(0.0)

    def _write(self, group: Group) -> None:
        array = group.array
        new = submissions.write(
            self._home,
            self._directory,
            group.elements,
            array.batching.parallel,
            array.wishes.cpus_per_task,
            self._log_cap,
        )
        text = script(replace(array, token=new.token), self._site, str(ship(self._home)), str(new.place))
        submissions.save(new.place / "script.sh", text.encode())
        for element, ids in enumerate(new.elements):
            self._where.update((id, (new, element)) for id in ids)
            self._jobs[new.token, element] = Job(self._directory, new, element)
        self._unsent.append(new)

    def _on_adopt(self, ids: list[AttemptId]) -> None:
        unknown = [id for id in ids if id not in self._stages and not self._claim(id)]
        self._stages.update(dict.fromkeys(unknown, _TAKEN))
        lost = Outcome(None, reason=Reason.LOST, message="no submission of this directory has it")
        self._emit(Ended(id, lost) for id in unknown)

    def _claim(self, id: AttemptId) -> bool:
        """Make an attempt of a former driver this one's own; False if there is none."""
        if id in self._stages:
            return True
        if id not in self._where:
            return False
        self._stages[id] = _TAKEN
        found, element = self._where[id]
        if found.over is not None:
            self._refuse([id], found.over)
            return True
        job = Job(self._directory, found, element)  # from the beginning of its record, which tells of this one, too
        before = self._jobs.get((found.token, element))
        if before is not None:
            job.cancelled, job.force_at = before.cancelled, before.force_at
        self._jobs[found.token, element] = job
        if found.job is None and found not in self._unsent:
            self._unsent.append(found)
            self._recovered.add(found.token)
        self._accept(found, [id])
        self._files.hurry(0.0)
        self._list.hurry(0.0)
        return True

    def _on_cancel(self, ids: list[AttemptId], grace: float) -> None:
        wanted: dict[tuple[str, int], list[AttemptId]] = {}
        for id in ids:
            if self._stages.get(id, _ENDED) < _ENDED and id in self._where:
                found, element = self._where[id]
                wanted.setdefault((found.token, element), []).append(id)
        waits: dict[str, list[int]] = {}
        for key, members in wanted.items():
            job = self._jobs.get(key)
            if job is None:
                continue
            job.cancelled.update(members)
            job.force_at = min(job.force_at, time.monotonic() + grace + FORCE)
            if job.submission.job is None and job.submission.token not in self._recovered:
                for id in members:
                    job.open.pop(id, None)
                self._emit(Ended(id, Outcome(None, reason=Reason.CANCELLED)) for id in members)
            with suppress(OSError):  # a full disk: the job is ended by force instead
                job.submission.cancel(job.element, members, grace)
            if job.submission.job is not None and not job.begun and job.cancelled.issuperset(job.open):
                waits.setdefault(job.submission.job, []).append(job.element)
        self._scancel(waits, pending=True)
        self._files.hurry(time.monotonic())

    def _scancel(self, which: dict[str, list[int]], pending: bool) -> None:
        if which:
            with suppress(SlurmError):  # asked again, by force, when nothing has come of it
                self._commands.cancel([f"{array}_[{spans(numbers)}]" for array, numbers in which.items()], pending)
            self._list.hurry(time.monotonic() + SOON - self._list.shortest)

    # --- Submitting -----------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Hand over to SLURM what is written; what a former driver may have handed over is looked for first."""
        known: dict[str, str] = {}
        try:
            if self._recovered:
                known = self._commands.by_comment()
            while self._unsent:
                self._submit(self._unsent[0], known)
                self._unsent.pop(0)
        except SlurmError as error:
            for found in self._unsent:
                self._say_of(found, f"SLURM does not take the job now, it will be asked again: {error}")
            self._tries.looked(time.monotonic())
            return
        except OSError as error:
            found = self._unsent.pop(0)
            self._never(found, f"the submission can't be noted: {error.strerror or error}")
        self._recovered.clear()
        self._tries = Pace(self._tries.shortest, self._tries.longest)
        self._files.hurry(time.monotonic())
        self._list.hurry(time.monotonic())

    def _submit(self, found: Submission, known: dict[str, str]) -> None:
        if found.token in self._recovered:
            job = known.get(found.token)
        else:
            job = None
            if not any(key[0] == found.token and one.open for key, one in self._jobs.items()):
                found.note(None, "it was cancelled before it was submitted")
                self._jobs = {key: one for key, one in self._jobs.items() if key[0] != found.token}
                return
        if job is None:
            try:
                job = self._commands.submit(str(found.place), str(found.place / "script.sh"))
            except SlurmError as error:
                if error.passing:
                    # It may have been taken all the same: then the list has its token.
                    self._recovered.add(found.token)
                    raise
                self._never(found, str(error))
                return
        found.note(job)
        for element, ids in enumerate(found.elements):
            if (found.token, element) in self._jobs:
                self._accept(found, (id for id in ids if id in self._stages), found.name(element))

    def _never(self, found: Submission, message: str) -> None:
        """SLURM refuses it, and always will."""
        with suppress(OSError):
            found.note(None, message)
        self._jobs = {key: one for key, one in self._jobs.items() if key[0] != found.token}
        self._refuse((id for ids in found.elements for id in ids if id in self._stages), message)

    def _refuse(self, ids: Iterable[AttemptId], message: str) -> None:
        outcome = Outcome(None, reason=Reason.SUBMIT_ERROR, message=message)
        self._emit([Ended(id, outcome) for id in ids])

    # --- Looking --------------------------------------------------------------------------------------------------

    def _look_at_records(self) -> None:
        seen: set[str] = set()
        news: list[EngineEvent] = []
        for job in self._jobs.values():
            found = job.submission
            if found.token not in seen:
                seen.add(found.token)
                with suppress(OSError):
                    found.look()
            if job.element in found.records and not job.over:
                news += job.read()
                if job.told:
                    self._list.hurry(time.monotonic())
        self._emit(news)
        now = time.monotonic()
        if news:
            self._files.interval = self._files.shortest
        self._files.looked(now)
        self._jobs = {key: job for key, job in self._jobs.items() if not job.done}

    def _look_at_list(self) -> None:
        arrays = dict.fromkeys(job.submission.job for job in self._jobs.values() if job.submission.job is not None)
        if not arrays:
            self._list.looked(time.monotonic())
            return
        try:
            rows = self._commands.jobs(arrays)
            if self._unsent:
                self._tries.hurry(0.0)
            ended = self._sorted(rows)
            if ended:
                self._ask_about(ended)
        except SlurmError as error:
            for found in {job.submission.token: job.submission for job in self._jobs.values()}.values():
                self._say_of(found, f"SLURM does not answer, it will be asked again: {error}")
        self._list.looked(time.monotonic())

    def _sorted(self, rows: list[Row]) -> list[Job]:
        """Take what SLURM's list says; the jobs that are over by it, or that it does not have any more."""
        states: dict[tuple[str, int], Row] = {(row.array, element): row for row in rows for element in row.elements}
        rest = {row.array: row for row in rows if row.rest}
        known = {row.array for row in rows}
        ended: list[Job] = []
        forced: dict[str, list[int]] = {}
        why: dict[str, tuple[Submission, str]] = {}
        now = time.monotonic()
        for job in self._jobs.values():
            array = job.submission.job
            if array is None or job.final is not None:
                continue
            row = states.get((array, job.element)) or rest.get(array)
            if row is None and array in known and not job.begun:
                self._over(job, Final("CANCELLED"))  # SLURM forgets those at once
            elif row is None:
                ended.append(job)
            elif row.state in WAITING and job.begun:
                self._over(job, Final("REQUEUED"))
                forced.setdefault(array, []).append(job.element)
            elif row.state in WAITING:
                why.setdefault(array, (job.submission, waiting(array, row.reason)))
            elif row.state not in ACTIVE:
                never_began = not row.nodes or row.nodes == "None assigned"
                self._over(job, Final(row.state), SETTLE if not never_began else 0.0)
                if row.state in ("FAILED", "CANCELLED") and not job.cancelled.issuperset(job.open):
                    ended.append(job)
            elif job.force_at < now and job.cancelled.issuperset(job.open):
                job.force_at = now + FORCE
                forced.setdefault(array, []).append(job.element)
        for found, message in why.values():
            self._say_of(found, message)
        self._scancel(forced, pending=False)
        return ended

    def _ask_about(self, jobs: list[Job]) -> None:
        """What the list does not say: how jobs failed, and how those did that it has forgotten."""
        accounting = self._known_cluster().accounting
        found = self._commands.finals([job.name for job in jobs], accounting)
        for job in jobs:
            final = found.get(job.name)
            if final is not None and final.state in ACTIVE:
                continue
            final = final or job.final or Final(UNKNOWN)
            self._over(job, final._replace(said=job.submission.printed(job.element)))

    def _over(self, job: Job, final: Final, settle: float = SETTLE) -> None:
        if job.final is None:
            job.settled_at = time.monotonic() + settle
            job.submission.refresh()
            self._files.hurry(time.monotonic())
        job.final = final

    def _conclude(self) -> None:
        """Say what became of units whose jobs are over, after a last look at what the jobs have left."""
        now = time.monotonic()
        due = [job for job in self._jobs.values() if job.final is not None and job.settled_at <= now]
        for job in due:
            assert job.final is not None  # noqa: S101 (asked for above)
            job.submission.refresh()
            self._emit(job.read())
            if job.open and job.final.state not in ("COMPLETED", "CANCELLED"):
                with suppress(OSError):  # a runner on a node that only seemed dead must write nothing any more
                    job.submission.cancel(job.element, list(job.open), 0.0)
            self._emit(list(job.conclude(job.final)))
        if due:
            self._jobs = {key: job for key, job in self._jobs.items() if not job.done}
        for job in self._jobs.values():
            if job.final is not None:
                self._files.due = min(self._files.due, job.settled_at)

    def _known_cluster(self) -> Cluster:
        """Raises SlurmError."""
        if self._cluster is None:
            self._cluster = self._commands.cluster()
        return self._cluster

    def _largest_array(self) -> int:
        try:
            return self._known_cluster().largest_array
        except SlurmError:
            return 1000

    def _longest(self) -> dict[str, float | None]:
        return {} if self._cluster is None else {one.name: one.max_time for one in self._cluster.partitions}

    # --- What is said ---------------------------------------------------------------------------------------------

    def _accept(self, found: Submission, ids: Iterable[AttemptId], handle: str | None = None) -> None:
        if handle is None and found.job is None:
            return
        self._emit([Accepted(id, handle or found.name(self._where[id][1])) for id in ids])

    def _say(self, id: AttemptId, message: str) -> None:
        self._emit([Accepted(id), Waiting(id, message)])

    def _say_of(self, found: Submission, message: str) -> None:
        """Tell what a submission waits for, once, by the first of its attempts that waits."""
        if self._said.get(found.token) == message:
            return
        for ids in found.elements:
            for id in ids:
                if self._stages.get(id, _ENDED) < _STARTED:
                    self._said[found.token] = message
                    self._say(id, message)
                    return

    def _emit(self, news: Iterable[EngineEvent]) -> None:
        """Put on the queue what is new for this driver's attempts."""
        stages = self._stages
        told: list[EngineEvent] = []
        for event in news:
            stage = stages.get(event.id)
            if stage is None or stage == _ENDED:
                continue
            if isinstance(event, Waiting):
                if stage < _STARTED:
                    told.append(event)
                continue
            reached = _ENDED if isinstance(event, Ended) else _STARTED if isinstance(event, Started) else _ACCEPTED
            if reached > stage:
                if stage == _TAKEN and reached == _STARTED:
                    told.append(Accepted(event.id))
                stages[event.id] = reached
                told.append(event)
        if told:
            self._events.put(told)
