"""Where the SLURM engine does its work, in one thread: it takes wishes, and sees what is to be done when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from trivet.engines import Attempt, Ended, EngineEvent
from trivet.engines.slurm import submission as submissions
from trivet.engines.slurm.cluster import USUAL, Cluster
from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.grouping import Group, groups
from trivet.engines.slurm.job import Job, Jobs
from trivet.engines.slurm.place import Place
from trivet.engines.slurm.programs import Programs
from trivet.engines.slurm.script import demand_of, script
from trivet.engines.slurm.sending import Sending
from trivet.engines.slurm.shipping import ship
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.submission import Submission
from trivet.engines.slurm.telling import Telling
from trivet.engines.slurm.watching import FORCE, Watching
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptId, Outcome


class Desk:
    """Everything the engine knows, for one thread only; `inbox` takes what others want of it."""

    def __init__(
        self,
        directory: Path,
        site: Site,
        commands: Commands,
        place: Place,
        events: SimpleQueue[Sequence[EngineEvent]],
        slots: int | None,
        programs: Programs,
        log_cap: int,
        polls: tuple[float, float],
    ) -> None:
        self.inbox: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._directory, self._home = directory, directory / "slurm"
        self._site, self._commands, self._place = site, commands, place
        self._slots, self._programs, self._log_cap = slots, programs, log_cap
        self._where: dict[AttemptId, tuple[Submission, int]] = {}
        self._jobs = Jobs()
        self.telling = Telling(events, programs.outcome)
        self._sending = Sending(commands, self._jobs, self.telling, place)
        self._watching = Watching(commands, self._jobs, self.telling, place, polls)
        self._cluster: Cluster | None = None

    def open(self) -> None:
        """Make the directory, and read what was submitted from it before. Raises OSError."""
        self._home.mkdir(parents=True, exist_ok=True)
        for found in submissions.read(self._home):
            for element, ids in enumerate(found.elements):
                self._where.update((id, (found, element)) for id in ids)

    def listen(self) -> None:
        """Somebody wants to know when jobs may start."""
        self._watching.watched = True

    def turn(self) -> float:
        """Do what is due; when (monotonic seconds) something is due again."""
        self._take_wishes()
        if self._sending.due <= time.monotonic() and self._sending.send():
            self._watching.hurry()
        if self._watching.look():
            self._sending.hurry()
        return min(self._sending.due, self._watching.due)

    def abandon(self) -> list[AttemptId]:
        """All that the driver still waits for, what was not looked at yet included."""
        with suppress(Empty):
            while True:
                kind, wanted, *_ = self.inbox.get_nowait()
                for one in wanted if kind != "cancel" else ():
                    self.telling.take(one.id if isinstance(one, Attempt) else one)
        return self.telling.living()

    def _take_wishes(self) -> None:
        with suppress(Empty):
            while True:
                kind, *arguments = self.inbox.get_nowait()
                getattr(self, f"_on_{kind}")(*arguments)

    # --- Attempts -------------------------------------------------------------------------------------------------

    def _on_submit(self, attempts: list[Attempt]) -> None:
        fresh = [one for one in attempts if not self._claim(one.id) and self.telling.take(one.id)]
        if not fresh:
            return
        try:
            ready, never = self._programs.commands(self._place.moved(fresh), self.telling.waits)
        except (OSError, SlurmError) as error:
            self.telling.refused([one.id for one in fresh], f"they can't be made jobs of the cluster: {error}")
            return
        self.telling.tell(Ended(id, outcome) for id, outcome in never.items())
        for members, group in groups(self._site, ready, self._slots, self._known()):
            ids = [one.id for one in members]
            if isinstance(group, ProblemsError):
                self.telling.refused(ids, "; ".join(problem.message for problem in group.problems))
                continue
            try:
                self._write(group)
            except OSError as error:
                reason = f"{error.filename or self._home}: {error.strerror or error}"
                self.telling.refused(ids, f"the submission can't be written: {reason}")

    def _write(self, group: Group) -> None:
        """Everything is written down before SLURM hears of it. Raises OSError."""
        array = group.array
        parallel, demand = array.batching.parallel, demand_of(array)
        new = submissions.write(self._home, self._directory, group.elements, parallel, demand, self._log_cap)
        self._place.note(new)
        there = self._place.there
        text = script(replace(array, token=new.token), self._site, there(ship(self._home)), there(new.place))
        submissions.save(new.place / "script.sh", text.encode())
        for element, ids in enumerate(new.elements):
            self._where.update((id, (new, element)) for id in ids)
            self._jobs.add(Job(self._directory, new, element, self._place.here))
        self._sending.add(new, doubtful=False)

    def _on_adopt(self, ids: list[AttemptId]) -> None:
        unknown = [id for id in ids if not self._claim(id) and self.telling.take(id)]
        lost = Outcome(None, reason=Reason.LOST, message="no submission of this directory has it")
        self.telling.tell([Ended(id, lost) for id in unknown])

    def _claim(self, id: AttemptId) -> bool:
        """Make an attempt of a former driver this one's own; False if there is none."""
        if id not in self._where:
            return False
        if not self.telling.take(id):
            return True
        found, element = self._where[id]
        if found.over is not None:
            self.telling.refused([id], found.over)
            return True
        # It reads its record from the begin, for this one, too.
        self._jobs.add(Job(self._directory, found, element, self._place.here))
        if found.job is None:
            self._sending.add(found, doubtful=True)
        else:
            self.telling.accepted([id], found.name(element))
        self._watching.hurry()
        return True

    def _on_cancel(self, ids: list[AttemptId], grace: float) -> None:
        wanted: dict[tuple[str, int], list[AttemptId]] = {}
        for id in ids:
            if self.telling.lives(id) and id in self._where:
                found, element = self._where[id]
                wanted.setdefault((found.token, element), []).append(id)
        waits: dict[str, list[int]] = {}
        for key, members in wanted.items():
            job = self._jobs.get(key)
            if job is None:
                continue
            found = job.submission
            job.cancelled.update(members)
            job.force_at = min(job.force_at, time.monotonic() + grace + FORCE)
            if found.job is None and not self._sending.is_doubtful(found):
                for id in members:
                    job.open.pop(id, None)
                self.telling.tell([Ended(id, Outcome(None, reason=Reason.CANCELLED)) for id in members])
            with suppress(OSError):  # a full disk: the job is ended by force instead
                found.cancel(job.element, members, grace)
                self._place.wish(found, job.element)
            if found.job is not None and not job.begun and job.unwanted:
                waits.setdefault(found.job, []).append(job.element)
        self._watching.cancel(waits, pending=True)
        self._watching.hurry()

    def _known(self) -> Cluster:
        """What the cluster says of itself, by which units are gathered; without an answer, what is usual."""
        if self._cluster is None:
            with suppress(SlurmError):
                self._cluster = self._commands.cluster()
        return self._cluster or USUAL
