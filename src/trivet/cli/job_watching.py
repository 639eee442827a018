"""What a person sees of a job while it goes on: its steps, with how many units are over, how fast, and what is left."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass

from trivet.cli.reporting import printable, problem_lines, say
from trivet.cli.watching import EVERY, NOTES
from trivet.records.directory import JobDirectory
from trivet.runs.machine import Standing
from trivet.tasks.problem import Problem
from trivet.tasks.quantities import format_duration
from trivet.workflows import history
from trivet.workflows.reporting import JobReporter, JobResult


@dataclass(slots=True)
class _Row:
    """A step as it is shown; times are those of `time.monotonic`, ``told`` the last numbers of units in a line."""

    name: str
    images: int = 0
    done: int = 0
    failed: int = 0
    total: int = 0
    told: tuple[int, int] = (0, 0)
    begun: float | None = None
    ended: float | None = None
    standing: Standing = history.NOTHING

    def words(self, now: float) -> tuple[str, str, str]:
        """How far it is, what of it goes on, and how fast and how long."""
        if self.begun is None:
            return "", "", ""
        took = (self.ended or now) - self.begun
        count = f"{self.done}/{self.total}" if self.total else ""
        failed = f"{self.failed} failed" if self.failed else ""
        if self.ended is not None:
            return count, failed, format_duration(took)
        going = self.standing.counts
        if self.standing.why and not (self.standing.running and self.standing.waiting):
            return count, failed, self.standing.why
        if not self.done or took <= 0:
            return count, failed, going
        rate = self.done / took
        left = f"{rate:.1f}/s, {format_duration((self.total - self.done) / rate)} left"
        return count, failed, f"{going}, {left}" if going else left


class JobWatcher(JobReporter):
    """Tells on stderr: on a terminal a table that lives, else a line now and then."""

    def __init__(self, job: JobDirectory) -> None:
        self._job = job
        self._terminal = sys.stderr.isatty()
        self._rows: dict[int, _Row] = {}
        self._lines = 0
        self._told = 0.0
        self._notes = 0
        say(f"{job.id}  RUNNING")

    def step_started(self, step: int, name: str, images: int) -> None:
        if not self._rows and self._terminal:
            self._rows = {one.order: _Row(one.name) for one in history.read(self._job).steps}
        row = self._rows.setdefault(step, _Row(name))
        row.images, row.begun = images, time.monotonic()
        if self._terminal:
            self._draw()
        else:
            count = f": {images} image{'' if images == 1 else 's'}" if images else ""
            say(f"{self._job.id}  step {step} {printable(name)}{count}")

    def standing(self, step: int, now: Standing) -> None:
        row = self._rows.get(step)
        if row is None:
            return
        if now.why and now.why != row.standing.why and not self._terminal:
            say(f"{self._job.id}  step {step}: {now.why}")
        row.standing = now

    def progress(self, step: int, done: int, failed: int, total: int) -> None:
        row = self._rows.get(step)
        if row is None:
            return
        row.done, row.failed, row.total = done, failed, total
        now = time.monotonic()
        if now - self._told < (EVERY / 10 if self._terminal else EVERY) or not total:
            return
        self._told = now
        if self._terminal:
            self._draw()
        elif total > 1 and (done, failed) != row.told:
            row.told = (done, failed)
            _, bad, speed = row.words(now)
            say(f"{self._job.id}  step {step} " + ", ".join(filter(None, [f"{done} of {total} units", bad, speed])))

    def note(self, step: int, unit: str, problem: Problem) -> None:
        self._notes += 1
        if self._notes > NOTES:
            return
        self._clear()
        first, *rest = problem_lines(problem)
        say("\n".join([f"{self._job.id}  step {step} unit {unit}: {first}", *rest]))
        if self._notes == NOTES:
            say(f"{self._job.id}  further notes are in workflow.log only")

    def step_ended(self, step: int, name: str, units: int, failed: int, images: int) -> None:
        row = self._rows.setdefault(step, _Row(name, begun=time.monotonic()))
        row.done = row.total = units
        row.failed, row.ended = failed, time.monotonic()
        if self._terminal:
            self._draw()
            return
        took = format_duration(row.ended - (row.begun or row.ended))
        parts = [f"{units} unit{'' if units == 1 else 's'}", f"{failed} failed" if failed else "", took]
        say(f"{self._job.id}  step {step} over: {', '.join(filter(None, parts))}; {images} images in the dataset")

    def job_ended(self, result: JobResult) -> None:
        self.close()

    def close(self) -> None:
        """Leave nothing half-drawn; the summary follows."""
        self._clear()

    def _draw(self) -> None:
        """Draw the table over itself; of many steps, those around the one that runs."""
        columns, height = shutil.get_terminal_size()
        now = time.monotonic()
        orders = sorted(self._rows)
        room = max(height - 3, 1)
        if len(orders) > room:
            at = max((index for index, order in enumerate(orders) if self._rows[order].begun is not None), default=0)
            begin = min(max(at - room // 2, 0), len(orders) - room)
            orders = orders[begin : begin + room]
        width = max(len(printable(self._rows[order].name)) for order in orders)
        lines = []
        for order in orders:
            count, bad, speed = self._rows[order].words(now)
            line = f"  {order:>2}  {printable(self._rows[order].name):<{width}}  {count:>13}  {bad:<11}  {speed}"
            lines.append(line.rstrip()[: columns - 1])
        up = f"\033[{self._lines}F" if self._lines else ""
        say(up + "".join(f"\033[K{line}\n" for line in lines), end="")
        self._lines = len(lines)

    def _clear(self) -> None:
        if self._lines:
            say(f"\033[{self._lines}F\033[J", end="")
            self._lines = 0
