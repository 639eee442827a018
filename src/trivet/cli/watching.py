"""What a person sees of a run while it goes on: its states, its log, or how many units are over."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from trivet.cli.reporting import problem_lines, say
from trivet.records.directory import RunDirectory
from trivet.runs.follow import LiveLogs
from trivet.runs.machine import Change, Standing
from trivet.runs.reporting import Reporter
from trivet.tasks.problem import Problem
from trivet.tasks.quantities import format_duration
from trivet.tasks.states import RunState
from trivet.tasks.work import RunResult

EVERY = 2.0
"""Seconds between two lines about progress where there is no terminal; a terminal is told ten times as often."""

NOTES = 20
"""So many notes about units are shown."""


class Watcher(Reporter):
    """Tells on stderr. The log of one unit is shown as it is; of many units, a count."""

    def __init__(self, run: RunDirectory) -> None:
        self.interrupted = False
        self.log_shown = False
        self._run = run
        self._logs: LiveLogs | None = None
        self._terminal = sys.stderr.isatty()
        self._begin = time.monotonic()
        self._told = self._begin
        self._line = False
        self._notes = 0
        self._standing = Standing()
        self._why = ""
        self._counts = (0, 0, "")

    def state(self, change: Change) -> None:
        self._clear()
        message = f"  {change.message}" if change.message else ""
        self._why = change.message
        if not change.state.final:
            say(f"{self._run.id}  {change.state.value}{message}")
        if change.state is RunState.CANCELLED:
            self.interrupted = change.message == "interrupted"

    def note(self, unit: str, problem: Problem) -> None:
        self._notes += 1
        if self._notes > NOTES:
            return
        self._clear()
        first, *rest = problem_lines(problem)
        say("\n".join([f"{self._run.id}  unit {unit}: {first}", *rest]))
        if self._notes == NOTES:
            say(f"{self._run.id}  further notes are in run.json only")

    def standing(self, now: Standing) -> None:
        self._standing = now
        if now.why != self._why and now.running:
            self._why = now.why
            if now.why:
                self._clear()
                say(f"{self._run.id}  {now.why}")

    def progress(self, done: int, failed: int, total: int) -> None:
        if total == 1:
            if self._logs is None:
                self._logs = LiveLogs(self._run, _print_bytes)
                self.log_shown = True
            return
        now = time.monotonic()
        if total == 0 or now - self._told < (EVERY / 10 if self._terminal else EVERY):
            return
        counts = (done, failed, self._standing.counts)
        if not self._terminal and counts == self._counts:
            return
        self._told, self._counts = now, counts
        rate = done / (now - self._begin)
        speed = f", {rate:.1f}/s, {format_duration((total - done) / rate)} left" if done else ""
        bad = f", {failed} failed" if failed else ""
        going = f", {self._standing.counts}" if self._standing.counts else ""
        text = f"{self._run.id}  {done} of {total} units{bad}{going}{speed}"
        if self._terminal:
            say(f"\r\033[K{text}", end="")
            self._line = True
        else:
            say(text)

    def finished(self, result: RunResult) -> None:
        self.close()

    def close(self) -> None:
        """Show what is left of the log, and stop."""
        self._clear()
        if self._logs is not None:
            self._logs.close()
            self._logs = None

    def _clear(self) -> None:
        if self._line:
            say("\r\033[K", end="")
            self._line = False


def _print_bytes(data: bytes) -> None:
    with suppress(OSError):
        sys.stderr.buffer.write(data)
        sys.stderr.flush()
