"""One attempt as one container: created, started, followed to its end, or taken up where a driver before us left it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from trivet.engines import EngineEvent, Started, Waiting
from trivet.engines.runtimes import request, usage
from trivet.engines.runtimes.api import ApiError, UnreachableError
from trivet.engines.runtimes.daemon import Daemon
from trivet.engines.runtimes.library import LocalImage
from trivet.engines.runtimes.logs import LogFile, frames
from trivet.engines.runtimes.outcomes import ended_outcome, instant
from trivet.engines.runtimes.ownership import give_back, user_inside
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptId, Invocation, LogPart, Outcome

_REJOINS = 20
_KILL_AGAIN = 5.0  # seconds until a KILL that had no effect is repeated

Emit = Callable[[EngineEvent], None]


class RefusedError(Exception):
    """The attempt can't run; ``reason`` and the message say why."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Container:
    """An attempt in hand. ``queued``: it has no container yet; ``invocation`` None: it is to be taken up.

    `follow` runs in one thread; `end` may be called from any other at any time.
    """

    def __init__(self, daemon: Daemon, emit: Emit, id: AttemptId, invocation: Invocation | None, name: str) -> None:
        self.id, self.name, self.invocation = id, name, invocation
        self.queued = invocation is not None
        self.exists = invocation is None
        self.ended = threading.Event()
        self._daemon, self._api, self._emit = daemon, daemon.api, emit
        self._lock = threading.Lock()
        self._running = False
        self._reason: Reason | None = None
        self._grace = 0.0
        self._group: str | None = None
        self._warnings: list[str] = []
        self._sampler: usage.Sampler | None = None
        self._timer: threading.Timer | None = None

    def follow(self, claim: Callable[[], bool]) -> Outcome | None:
        """Everything from here to the outcome; None when ``claim``, asked once the image is there, says no.

        Raises RefusedError, ImageUnavailableError, ApiError or UnreachableError when there is no outcome.
        """
        if self.invocation is None:
            return self._rejoin()
        return self._run(self.invocation, claim)

    def end(self, reason: Reason, grace: float) -> None:
        """End it: TERM, then KILL after ``grace`` seconds; blocks until it has ended. The first reason counts."""
        with self._lock:
            self._reason = self._reason or reason
            self._grace = grace
            alive = self._running or self.invocation is None
        if alive:
            self._stop(grace)

    def let_go(self) -> None:
        """No longer watch the time limit."""
        if self._timer is not None:
            self._timer.cancel()

    def clear(self) -> None:
        """Remove what the container leaves on this machine."""
        self.ended.set()
        self.let_go()
        if self.exists:
            self._daemon.remove(self.name)
        if self._daemon.own_groups:
            self._daemon.remove_group("/" + self.name)

    # From the start

    def _run(self, invocation: Invocation, claim: Callable[[], bool]) -> Outcome | None:
        faults = [*request.faults(invocation), *_missing(invocation)]
        if faults:
            raise RefusedError(Reason.SUBMIT_ERROR, "; ".join(faults))
        if invocation.resources.gpus and self._daemon.podman:
            raise RefusedError(Reason.UNSCHEDULABLE, "GPUs can't be asked for through Podman's socket; use Docker")
        program = invocation.program
        assert isinstance(program, ContainerImage)  # noqa: S101 (one of the faults)
        image = self._daemon.library.ensure(program, self._wait_for, invocation.login)
        if not claim():
            return None
        _open_outputs(invocation, image, self._daemon)
        terms = self._terms(invocation)
        self.exists = True
        try:
            self._create(invocation, image, terms)
        except ApiError as error:
            if self._api.inspect(self.name) is not None:  # a driver before us created it
                return self._rejoin()
            if error.status == 404:
                self._daemon.library.forget(program)
            raise
        return self._watch_from_start(terms)

    def _wait_for(self, message: str) -> None:
        self._emit(Waiting(self.id, message))

    def _create(self, invocation: Invocation, image: LocalImage, terms: request.Terms) -> None:
        daemon = self._daemon
        if daemon.own_groups:
            self._group = "/" + self.name
        invocation = replace(invocation, user=user_inside(invocation.user, daemon.rootless))
        body = request.creation(invocation, image.id, terms, parent=self._group, cpus=daemon.cpus, podman=daemon.podman)
        self._warnings = self._api.create(self.name, body)
        if invocation.resources.memory is not None and not daemon.limits_memory:
            self._warnings.append("this container engine can't limit memory; the task ran without a limit")

    def _watch_from_start(self, terms: request.Terms) -> Outcome:
        log = self._log(terms)
        try:
            with self._api.attach(self.name) as read:
                with self._lock:
                    if self._reason is not None:
                        raise RefusedError(self._reason, "")
                self._api.start(self.name)
                self._is_running(terms, time.time())
                for piece in frames(read):
                    log.write(piece)
            self._api.wait(self.name)
            return self._outcome(terms, log)
        except UnreachableError:
            return self._rejoin()
        finally:
            log.close()

    def _is_running(self, terms: request.Terms, since: float) -> None:
        with self._lock:
            announced, self._running = self._running, True
            unwanted = self._reason is not None
        if not announced:
            self._emit(Started(self.id, since))
            if not self._daemon.own_groups:
                self._sampler = usage.Sampler(self._api, self.name)
        if unwanted:
            threading.Thread(target=self._stop, args=(self._grace,), name="trivet-stop", daemon=True).start()
        if terms.time_limit is not None and self._timer is None:
            left = max(since + terms.time_limit - time.time(), 0)
            self._timer = threading.Timer(left, self.end, (Reason.TIMEOUT, terms.grace))
            self._timer.daemon = True
            self._timer.start()

    # From the middle

    def _rejoin(self) -> Outcome:
        for _ in range(_REJOINS):
            if self._daemon.closing.is_set():
                raise UnreachableError("let go")
            try:
                return self._rejoin_once()
            except UnreachableError as error:
                if not self._daemon.answers_again():
                    raise RefusedError(Reason.LOST, f"the container engine went away: {error}") from error
        raise RefusedError(Reason.LOST, "the container engine breaks every connection")

    def _rejoin_once(self) -> Outcome:
        """Take up a container that exists: its log again from the start, then its end."""
        details = self._api.inspect(self.name)
        try:
            terms = None if details is None else request.Terms.read(details["Config"]["Labels"] or {})
        except (KeyError, ValueError):
            terms = None
        if details is None or terms is None or terms.attempt != self.id:
            self.exists = False
            raise RefusedError(Reason.LOST, f"{self._daemon.runtime} knows no container {self.name} of this attempt")
        group = details["HostConfig"].get("CgroupParent") or ""
        self._group = group if group.startswith("/trivet-") else None
        since = instant(details["State"].get("StartedAt"))
        if since is None:
            return self._watch_from_start(terms)
        if details["State"]["Running"]:
            self._is_running(terms, since)
        elif not self._running:
            self._running = True
            self._emit(Started(self.id, since))
        log = self._log(terms)
        try:
            with self._api.follow(self.name) as read:
                for piece in frames(read):
                    log.write(piece)
            self._api.wait(self.name)
            return self._outcome(terms, log)
        finally:
            log.close()

    # The end

    def _outcome(self, terms: request.Terms, log: LogFile) -> Outcome:
        details: Mapping[str, Any] | None = self._api.inspect(self.name)
        if details is None:
            raise RefusedError(Reason.LOST, f"the container {self.name} was removed by somebody else")
        log.close()
        used = usage.read_parent(self._group) if self._group else usage.Usage()
        if not used.measured_by and self._sampler is not None:
            used = self._sampler.result()
        unowned = give_back(self._api, details, self._daemon.directory, self._daemon.rootless)
        notes = [*self._warnings, *filter(None, [log.fault, unowned])]
        part = LogPart(terms.log, log.offset, log.length) if log.length else None
        return ended_outcome(details, terms, reason=self._reason, used=used, log=part, notes=notes)

    def _stop(self, grace: float) -> None:
        """TERM, grace, KILL; no grace for a program that does not listen to TERM."""
        with suppress(ApiError, UnreachableError):
            if grace > 0 and self._listens():
                self._api.kill(self.name, "SIGTERM")
                self.ended.wait(grace)
        while not (self.ended.is_set() or self._daemon.closing.is_set()):
            with suppress(ApiError, UnreachableError):
                self._api.kill(self.name, "SIGKILL")
            self.ended.wait(_KILL_AGAIN)

    def _listens(self) -> bool:
        """Whether the container's first process notices TERM: the kernel drops it where nothing handles it."""
        details = self._api.inspect(self.name)
        if details is None:
            return False
        process = Path("/proc", str(details["State"].get("Pid") or "none"))
        try:
            if details["Id"] not in (process / "cgroup").read_text():
                return True  # the daemon counts its processes differently
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
            mask = int(status["SigCgt"], 16) | int(status["SigBlk"], 16)
        except (OSError, ValueError, KeyError):
            return True
        return bool(mask >> (signal.SIGTERM - 1) & 1)

    def _terms(self, invocation: Invocation) -> request.Terms:
        directory = self._daemon.directory
        path = directory / (invocation.log or request.log_name(self.id))
        return request.Terms(
            attempt=self.id,
            directory=str(directory),
            log=str(path.relative_to(directory) if path.is_relative_to(directory) else path),
            offset=path.stat().st_size if path.is_file() else 0,
            time_limit=invocation.time_limit,
            grace=invocation.grace,
        )

    def _log(self, terms: request.Terms) -> LogFile:
        return LogFile(self._daemon.directory / terms.log, self._daemon.log_cap, terms.offset)


def _missing(invocation: Invocation) -> list[str]:
    return [
        f"{mount.source} does not exist (to be seen as {mount.target} in the container)"
        for mount in invocation.mounts
        if mount.source.startswith("/") and not Path(mount.source).exists()
    ]


def _open_outputs(invocation: Invocation, image: LocalImage, daemon: Daemon) -> None:
    """Let an image's own user write where the run expects its outputs: they belong to whoever started the run."""
    user = (invocation.user or image.user).partition(":")[0]
    if user in ("", "0", "root") or (user == str(os.geteuid()) and not daemon.rootless):
        return
    for mount in invocation.mounts:
        source = Path(mount.source)
        if mount.writable and source.is_relative_to(daemon.directory) and source.is_dir():
            source.chmod(source.stat().st_mode & 0o7777 | 0o777)
