"""Outcomes of ended containers, in one file from before the container is removed: none dies with a driver."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptId, LogPart, Outcome


class Ledger:
    """JSON lines in the run's directory, one for each ended attempt; a torn last line doesn't count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._places: dict[AttemptId, int] = {}
        with self.path.open("rb") if self.path.exists() else open(os.devnull, "rb") as file:
            place = 0
            for line in file:
                known = _parse(line)
                if known is not None:
                    self._places[known[0]] = place
                place += len(line)

    def record(self, attempt: AttemptId, outcome: Outcome) -> None:
        """Keep an outcome. Raises OSError when it can't be written."""
        line = json.dumps({"attempt": attempt, "outcome": asdict(outcome)}).encode() + b"\n"
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                place = os.lseek(descriptor, 0, os.SEEK_END)
                torn = place and os.pread(descriptor, 1, place - 1) != b"\n"
                os.write(descriptor, b"\n" + line if torn else line)
            finally:
                os.close(descriptor)

    def find(self, attempt: AttemptId) -> Outcome | None:
        """The outcome of an attempt that had ended before this was opened, or None."""
        place = self._places.get(attempt)
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place)
            known = _parse(file.readline())
        return None if known is None else known[1]


def _parse(line: bytes) -> tuple[AttemptId, Outcome] | None:
    try:
        entry = json.loads(line)
        fields = entry["outcome"]
        reason, log = fields.pop("reason"), fields.pop("log")
        outcome = Outcome(
            **fields, reason=None if reason is None else Reason(reason), log=None if log is None else LogPart(**log)
        )
        return entry["attempt"], outcome
    except (ValueError, KeyError, TypeError):
        return None
