"""Outcomes of ended containers, in one file from before the container is removed: none dies with a driver."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from trivet.tasks.states import Reason
from trivet.tasks.work import AttemptId, LogPart, Outcome


class Ledger:
    """JSON lines in the run's directory, one for each ended attempt; a torn line counts for nothing.

    ``owner`` is what this directory calls itself in the names of its containers: random, and written down before the
    first of them. Raises OSError when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._places: dict[AttemptId, int] = {}
        self.owner = ""
        place = 0
        with self.path.open("rb") if self.path.exists() else open(os.devnull, "rb") as file:
            for line in file:
                attempt, owner = _who(line)
                self.owner = self.owner or owner
                if attempt:
                    self._places[attempt] = place
                place += len(line)
        if not self.owner:
            self.owner = secrets.token_hex(8)
            self._append({"owner": self.owner})

    def record(self, attempt: AttemptId, outcome: Outcome) -> None:
        """Keep an outcome. Raises OSError when it can't be written."""
        self._append({"attempt": attempt, "outcome": asdict(outcome)})

    def find(self, attempt: AttemptId) -> Outcome | None:
        """The outcome of an attempt that had ended before this was opened, or None."""
        place = self._places.get(attempt)
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place)
            return _parse(file.readline())

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                end = os.lseek(descriptor, 0, os.SEEK_END)
                torn = end and os.pread(descriptor, 1, end - 1) != b"\n"
                os.write(descriptor, b"\n" + line if torn else line)
            finally:
                os.close(descriptor)


def _who(line: bytes) -> tuple[AttemptId, str]:
    """The attempt and the owner a line is about; empty where it is about none."""
    try:
        entry = json.loads(line)
        return str(entry.get("attempt", "")), str(entry.get("owner", ""))
    except (ValueError, AttributeError):
        return "", ""


def _parse(line: bytes) -> Outcome | None:
    try:
        fields = json.loads(line)["outcome"]
        reason, log = fields.pop("reason"), fields.pop("log")
        return Outcome(
            **fields, reason=None if reason is None else Reason(reason), log=None if log is None else LogPart(**log)
        )
    except (ValueError, KeyError, TypeError):
        return None
