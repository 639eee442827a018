"""One daemon on this machine, as seen by a run: its client, its images, and what it can do."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from trivet.engines.runtimes import usage
from trivet.engines.runtimes.api import Api, ApiError, UnreachableError, Version
from trivet.engines.runtimes.library import Library

_LINGER = 5.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between attempts to reach a daemon that went away


class Daemon:
    """A container engine and the run's ``directory``; shared by all containers of a run.

    ``cpus``: how many the machine has. ``limits_memory``: whether a memory limit means anything. ``rootless``: whether
    it runs as a user. ``own_groups``: whether containers may be put in control groups of ours.
    """

    def __init__(self, api: Api, version: Version, directory: Path, log_cap: int) -> None:
        info = api.info()
        options = info.get("SecurityOptions") or ()
        self.api = api
        self.runtime = version.name
        self.podman = version.name == "podman"
        self.directory = directory
        self.log_cap = log_cap
        self.library = Library(api)
        self.cpus: int | None = info.get("NCPU")
        self.limits_memory = info.get("MemoryLimit") is not False
        self.rootless = any("rootless" in option for option in options)
        self.own_groups = usage.can_have_parent(info)
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._groups: set[str] = set()

    def answers_again(self) -> bool:
        """Wait for a daemon that went away, half a minute at most; False when it does not or we are closing."""
        for pause in _PAUSES:
            if self.closing.wait(pause):
                return False
            with suppress(ApiError, UnreachableError):
                self.api.version()
                return True
        return False

    def remove(self, name: str) -> None:
        """Remove a container as far as that is possible."""
        with suppress(ApiError, UnreachableError):
            self.api.remove(name)

    def remove_group(self, group: str) -> None:
        """Remove a control group, now or, while something still stands in it, by and by."""
        with self._lock:
            self._groups.add(group)
        self._remove_groups()

    def let_go(self) -> None:
        """Break all connections."""
        self.closing.set()
        self.api.close()

    def settle(self) -> None:
        """Wait a moment for control groups that are in use: Podman's monitors outlive their containers."""
        deadline = time.monotonic() + _LINGER
        while not self._remove_groups() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _remove_groups(self) -> bool:
        with self._lock:
            self._groups = {name for name in self._groups if not usage.remove_parent(name)}
            return not self._groups
