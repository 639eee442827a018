"""One job, that is one element of an array: what its record says, and what is said of its units in the end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from trivet.engines import Ended, EngineEvent, Started
from trivet.engines.messages import Forgotten, events
from trivet.engines.slurm.reasons import Final, ending
from trivet.engines.slurm.submission import Submission
from trivet.engines.worker_words import TOLD
from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptId, LogPart, Outcome


class Job:
    """What is known of one job. ``open`` are its attempts that have not ended; those SLURM ended are ``held`` until
    it has said why; ``cancelled`` those that are to end by the driver's wish; ``here`` finds paths that a job names."""

    __slots__ = (
        *("begun", "cancelled", "directory", "element", "final", "force_at", "held", "here", "host"),
        *("offset", "open", "over", "settled_at", "started", "submission", "told"),
    )

    def __init__(self, directory: Path, submission: Submission, element: int, here: Callable[[str], str] = str) -> None:
        self.directory, self.submission, self.element, self.here = directory, submission, element, here
        self.open: dict[AttemptId, None] = dict.fromkeys(submission.elements[element])
        self.started: dict[AttemptId, tuple[float, int]] = {}
        self.cancelled: set[AttemptId] = set()
        self.held: dict[AttemptId, Outcome] = {}
        self.offset, self.host = 0, ""
        self.begun = self.told = self.over = False
        self.final: Final | None = None
        self.settled_at = self.force_at = float("inf")

    @property
    def name(self) -> str:
        return self.submission.name(self.element)

    @property
    def unwanted(self) -> bool:
        """Everything that is left of it is to end."""
        return self.cancelled.issuperset(self.open)

    @property
    def done(self) -> bool:
        """Nothing is to be expected of it any more."""
        return not self.open and not self.held

    def read(self) -> list[EngineEvent]:
        """What the record says that was not read yet; a line that is not whole is left for later."""
        try:
            with self.submission.record(self.element).open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return list(self._take(whole.splitlines()))

    def _take(self, lines: Iterable[bytes]) -> Iterator[EngineEvent]:
        for line in lines:
            if line.startswith((b'["job"', b'["told"', b'["over"')):
                self._about_itself(line)
                continue
            for event in events([line], self.host):
                if isinstance(event, Started):
                    self.started.setdefault(event.id, (event.at, -1))
                elif isinstance(event, Ended):
                    outcome = self._placed(event.outcome)
                    self.open.pop(event.id, None)
                    if outcome.reason is Reason.EVICTED and outcome.message == TOLD:
                        self.held[event.id] = outcome
                        continue
                    event = Ended(event.id, outcome)
                elif isinstance(event, Forgotten):  # no other runner ever goes on with an element
                    continue
                yield event
            if line.startswith(b'["started"'):
                self.started.update((row[0], (row[1], row[4])) for row in json.loads(line)[1])

    def _about_itself(self, line: bytes) -> None:
        try:
            kind, facts = json.loads(line)
        except ValueError:
            return
        self.begun = True
        self.told = self.told or kind == "told"
        self.over = self.over or kind == "over"
        self.host = facts.get("host", self.host)

    def _placed(self, outcome: Outcome) -> Outcome:
        """The outcome with its log as seen from the run's directory."""
        if outcome.log is None:
            return outcome
        path = os.path.join(self.submission.place, f"slots-{self.element}", outcome.log.path)  # noqa: PTH118
        return replace(outcome, log=replace(outcome.log, path=self._relative(path)))

    def _relative(self, path: str) -> str:
        prefix = f"{self.directory}/"
        return self.here(path).removeprefix(prefix)

    # --- When the job is over -------------------------------------------------------------------------------------

    def conclude(self, final: Final) -> Iterator[Ended]:
        """What became of the units that have not ended by themselves, now that SLURM has said how the job did."""
        for id, outcome in self.held.items():
            reason, message = self._why(id, final, outcome.started is not None)
            yield Ended(id, replace(outcome, reason=reason, message=message))
        logs = self._logs() if any(id in self.started for id in self.open) else {}
        for id in self.open:
            at, slot = self.started.get(id, (None, -1))
            reason, message = self._why(id, final, at is not None)
            scratch = f"{self.submission.place}/slots-{self.element}/slot-{slot}.log" if slot >= 0 else ""
            log = self._whole(logs.get(id, scratch))
            outcome = Outcome(None, reason=reason, message=message, started=at, host=self.host, log=log)
            yield Ended(id, outcome)
        self.open.clear()
        self.held.clear()

    def _why(self, id: AttemptId, final: Final, started: bool) -> tuple[Reason, str]:
        if id in self.cancelled:
            return Reason.CANCELLED, ""
        return ending(self.name, final, started)

    def _logs(self) -> dict[AttemptId, str]:
        try:
            return self.submission.logs(self.element)
        except (OSError, ValueError):
            return {}

    def _whole(self, path: str) -> LogPart | None:
        try:
            size = os.stat(self.here(path)).st_size if path else 0  # noqa: PTH116
        except OSError:
            return None
        return LogPart(self._relative(path), 0, size) if size else None


class Jobs:
    """The jobs of which something is expected."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, int], Job] = {}

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def add(self, job: Job) -> None:
        """Take a job, with the wishes about it where it was known before."""
        key = (job.submission.token, job.element)
        before = self._jobs.get(key)
        if before is not None:
            job.cancelled, job.force_at = before.cancelled, before.force_at
        self._jobs[key] = job

    def get(self, key: tuple[str, int]) -> Job | None:
        """The job of a submission's token and an element."""
        return self._jobs.get(key)

    def of(self, found: Submission) -> list[Job]:
        """The jobs of a submission."""
        keys = ((found.token, element) for element in range(len(found.elements)))
        return [self._jobs[key] for key in keys if key in self._jobs]

    def drop(self, found: Submission) -> None:
        """Forget the jobs of a submission."""
        for job in self.of(found):
            del self._jobs[found.token, job.element]

    def sweep(self) -> None:
        """Forget those of which nothing is expected any more."""
        self._jobs = {key: job for key, job in self._jobs.items() if not job.done}
