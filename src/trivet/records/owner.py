"""Who writes a run's journal, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that can be told from every other, also after a restart of its machine or reuse of its number."""

    host: str
    boot: str
    pid: int
    start: str

    @classmethod
    def this_process(cls) -> Owner:
        """The process that asks."""
        return cls(socket.gethostname(), _boot_id(), os.getpid(), start_time(os.getpid()) or "")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Owner:
        return cls(data["host"], data["boot"], data["pid"], data["start"])

    def to_json(self) -> dict[str, Any]:
        return {"host": self.host, "boot": self.boot, "pid": self.pid, "start": self.start}

    @property
    def here(self) -> bool:
        """True when it is, or was, a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool | None:
        """Whether the process runs; None when it is on another machine and can't be looked at."""
        if not self.here:
            return None
        return self.boot == _boot_id() and start_time(self.pid) == self.start


def start_time(pid: int) -> str | None:
    """When a process started, as text that only makes sense on the same machine; None when there is none (or it is
    dead and not yet waited for)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _start_time_by_ps(pid)
    return None if fields[0] in "ZX" else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    import subprocess

    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import subprocess

        answer = subprocess.run(["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=False)
        return answer.stdout.strip()
