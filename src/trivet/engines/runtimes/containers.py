"""The half of the local engine that runs attempts as containers, by Docker or Podman."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from trivet.engines import Accepted, Attempt, Ended, EngineError, EngineEvent, Started, Waiting
from trivet.engines.runtimes import request, usage
from trivet.engines.runtimes.api import Api, ApiError, UnreachableError, Version
from trivet.engines.runtimes.ledger import Ledger
from trivet.engines.runtimes.library import ImageUnavailableError, Library, LocalImage
from trivet.engines.runtimes.logs import LogFile, frames
from trivet.engines.runtimes.outcomes import ended_outcome, instant
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Program
from trivet.tasks.work import AttemptId, Invocation, Outcome

LEDGER = "containers.jsonl"
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between attempts to reach a daemon that went away
_REJOINS = 20


@dataclass(eq=False, slots=True)
class _Live:
    """An attempt in hand. ``queued``: there is no container yet. ``reason``: why we end it."""

    id: AttemptId
    name: str
    invocation: Invocation | None
    queued: bool = True
    running: bool = False
    reason: Reason | None = None
    grace: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)
    parent: str | None = None
    sampler: usage.Sampler | None = None
    timer: threading.Timer | None = None
    warnings: list[str] = field(default_factory=list)


class _LostError(Exception):
    """The daemon does not know the container, or is gone for good."""


class _NotStartedError(Exception):
    """Somebody wanted the attempt ended before it was started."""


class Containers:
    """Runs attempts as containers of one daemon, ``slots`` at once; made by `trivet.engines.runtimes.connect`.

    ``directory`` is the run's: it takes the logs and the ledger of outcomes. Each attempt has one container, whose name
    comes from the attempt's; labels keep what a later driver needs to take it over. A container is removed once its
    outcome is in the ledger, and only then is its end told.
    """

    def __init__(
        self,
        api: Api,
        version: Version,
        directory: Path,
        events: SimpleQueue[Sequence[EngineEvent]],
        *,
        slots: int,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.api = api
        self.runtime = version.name
        self.version = version.version
        self.events = events
        self._directory = Path(directory).absolute()
        self._slots = max(slots, 1)
        self._release = release
        info = api.info()
        self._machine_cpus = info.get("NCPU")
        self._limits_memory = info.get("MemoryLimit") is not False
        self._rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
        self._own_parent = usage.can_have_parent(info)
        self._library = Library(api)
        self._ledger = Ledger(self._directory / LEDGER)
        self._host = socket.gethostname()
        self._lock = threading.Lock()
        self._live: dict[AttemptId, _Live] = {}
        self._claimed: set[AttemptId] = set()
        self._jobs: SimpleQueue[_Live | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._parents: set[str] = set()
        self._closing = threading.Event()

    # What an engine does

    def prepare(self, programs: Sequence[Program]) -> None:
        """Make images present. Raises EngineError for one that can't be had."""
        try:
            for program in programs:
                if isinstance(program, ContainerImage) and (program.reference or program.archive):
                    self._library.ensure(program, lambda message: None)
        except (ImageUnavailableError, UnreachableError) as error:
            raise EngineError(str(error)) from error

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts; one that is known, here or to the daemon, is not started again."""
        self._take([_Live(one.id, request.container_name(one.id), one.invocation) for one in attempts])

    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None:
        """Take over attempts of a driver that died, by the name of their containers."""
        self._take(
            [_Live(id, handle or request.container_name(id), None, queued=False) for id, handle in attempts.items()]
        )

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        """End attempts: TERM, then KILL after ``grace`` seconds; queued ones never start."""
        never: list[EngineEvent] = []
        for id in ids:
            with self._lock:
                live = self._live.get(id)
                if live is None:
                    continue
                if live.queued:
                    del self._live[id]
                    never.append(Ended(id, Outcome(None, reason=Reason.CANCELLED, host=self._host)))
                    continue
            self._in_background(self._end, live, Reason.CANCELLED, grace)
        if never:
            self.events.put(never)

    def close(self) -> None:
        """Let go: what runs goes on and can be adopted, what is queued is forgotten."""
        self._closing.set()
        with self._lock:
            lives = list(self._live.values())
            threads = list(self._threads)
        for live in lives:
            if live.timer is not None:
                live.timer.cancel()
        self.api.close()
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(timeout=10)
        self._remove_parents()
        self._release()

    # Taking attempts

    def _take(self, lives: Sequence[_Live]) -> None:
        fresh: list[_Live] = []
        told: list[EngineEvent] = []
        for live in lives:
            with self._lock:
                if live.id in self._claimed:
                    continue
                self._claimed.add(live.id)
                outcome = self._ledger.find(live.id)
                if outcome is None:
                    self._live[live.id] = live
            told.append(Accepted(live.id, live.name))
            if outcome is None:
                fresh.append(live)
            else:
                self._remove(live.name)
                told += [] if outcome.started is None else [Started(live.id, outcome.started)]
                told.append(Ended(live.id, outcome))
        if told:
            self.events.put(told)
        for live in fresh:
            self._jobs.put(live)
        with self._lock:
            for _ in range(min(self._slots, len(self._live)) - len(self._threads)):
                thread = threading.Thread(target=self._work, name="trivet-container", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        """One slot: attempts one after the other."""
        while (live := self._jobs.get()) is not None:
            if self._closing.is_set() or self._live.get(live.id) is not live:
                continue
            try:
                outcome = self._run(live) if live.invocation is not None else self._rejoin(live)
            except ImageUnavailableError as error:
                outcome = self._never(Reason.IMAGE_PULL, str(error))
            except _NotStartedError:
                outcome = self._never(live.reason or Reason.CANCELLED, "")
            except _LostError as error:
                outcome = self._never(Reason.LOST, str(error))
            except UnreachableError as error:
                outcome = self._never(Reason.SUBMIT_ERROR, f"the container engine does not answer: {error}")
            except ApiError as error:
                no_gpu = "device driver" in str(error)
                outcome = self._never(Reason.UNSCHEDULABLE if no_gpu else Reason.SUBMIT_ERROR, str(error))
            except Exception as error:  # a fault of ours must not leave a run that never ends
                outcome = self._never(Reason.SUBMIT_ERROR, f"{type(error).__name__}: {error}")
            if outcome is not None and not self._closing.is_set():
                self._finish(live, outcome)

    # One attempt

    def _run(self, live: _Live) -> Outcome | None:
        """A new attempt from its image to its outcome; None when it was cancelled before there was a container."""
        invocation = live.invocation
        assert invocation is not None  # noqa: S101
        faults = [*request.faults(invocation), *_missing(invocation)]
        if faults:
            return self._never(Reason.SUBMIT_ERROR, "; ".join(faults))
        if invocation.resources.gpus and self.runtime == "podman":
            return self._never(Reason.UNSCHEDULABLE, "GPUs can't be asked for through Podman's socket; use Docker")
        program = invocation.program
        assert isinstance(program, ContainerImage)  # noqa: S101
        image = self._library.ensure(program, lambda message: self.events.put([Waiting(live.id, message)]))
        with self._lock:
            if self._live.get(live.id) is not live:
                return None
            live.queued = False
        terms = request.Terms(live.id, self._log(live.id, invocation), invocation.time_limit, invocation.grace)
        self._open_outputs(invocation, image)
        try:
            self._create(live, invocation, image, terms)
        except ApiError as error:
            if self.api.inspect(live.name) is not None:  # a driver before us created it
                return self._rejoin(live)
            if error.status == 404:
                self._library.forget(program)
            raise
        return self._watch_from_start(live, terms)

    def _create(self, live: _Live, invocation: Invocation, image: LocalImage, terms: request.Terms) -> None:
        if self._own_parent:
            live.parent = "/" + live.name
        driver = "k8s-file" if self.runtime == "podman" else "local"
        body = request.creation(invocation, image.id, terms, parent=live.parent, cpus=self._machine_cpus, driver=driver)
        live.warnings = self.api.create(live.name, body)
        if invocation.resources.memory is not None and not self._limits_memory:
            live.warnings.append("this container engine can't limit memory; the task ran without a limit")

    def _watch_from_start(self, live: _Live, terms: request.Terms) -> Outcome:
        log = LogFile(self._directory / terms.log)
        try:
            with self.api.attach(live.name) as read:
                self._start(live, terms)
                for piece in frames(read):
                    log.write(piece)
            self.api.wait(live.name)
            return self._outcome(live, terms, log, self.api.inspect(live.name))
        except UnreachableError:
            if self._closing.is_set():
                raise
            return self._rejoin(live)
        finally:
            log.close()

    def _start(self, live: _Live, terms: request.Terms) -> None:
        """Start the container unless somebody wants it ended already."""
        with self._lock:
            if live.reason is not None:
                raise _NotStartedError
        self.api.start(live.name)
        self._is_running(live, terms, time.time())

    def _is_running(self, live: _Live, terms: request.Terms, since: float) -> None:
        with self._lock:
            announced, live.running = live.running, True
            unwanted = live.reason is not None
        if not announced:
            self.events.put([Started(live.id, since)])
            if not self._own_parent and live.sampler is None:
                live.sampler = usage.Sampler(self.api, live.name)
        if unwanted:
            self._in_background(self._stop, live, live.grace)
        if terms.time_limit is not None and live.timer is None:
            left = max(since + terms.time_limit - time.time(), 0)
            live.timer = threading.Timer(left, self._end, (live, Reason.TIMEOUT, terms.grace))
            live.timer.daemon = True
            live.timer.start()

    def _rejoin(self, live: _Live) -> Outcome:
        """Take up a container that exists: its log again from the start, then its end."""
        for _ in range(_REJOINS):
            try:
                return self._rejoin_once(live)
            except UnreachableError as error:
                if not self._answers_again():
                    raise _LostError(f"the container engine went away: {error}") from error
        raise _LostError("the container engine breaks every connection")

    def _rejoin_once(self, live: _Live) -> Outcome:
        details = self.api.inspect(live.name)
        try:
            terms = None if details is None else request.Terms.read(details["Config"]["Labels"] or {})
        except (KeyError, ValueError):
            terms = None
        if details is None or terms is None or terms.attempt != live.id:
            raise _LostError(f"{self.runtime} knows no container {live.name}")
        parent = details["HostConfig"].get("CgroupParent") or ""
        live.parent = parent if parent.startswith("/trivet-") else None
        live.name = details["Name"].lstrip("/")
        since = instant(details["State"].get("StartedAt"))
        if since is None:
            return self._watch_from_start(live, terms)
        if details["State"]["Running"]:
            self._is_running(live, terms, since)
        elif not live.running:
            live.running = True
            self.events.put([Started(live.id, since)])
        log = LogFile(self._directory / terms.log)
        try:
            with self.api.follow(live.name) as read:
                for piece in frames(read):
                    log.write(piece)
            self.api.wait(live.name)
            return self._outcome(live, terms, log, self.api.inspect(live.name))
        finally:
            log.close()

    def _outcome(self, live: _Live, terms: request.Terms, log: LogFile, details: Mapping[str, Any] | None) -> Outcome:
        if details is None:
            raise _LostError(f"the container {live.name} was removed by somebody else")
        log.close()
        used = usage.read_parent(live.parent) if live.parent else usage.Usage()
        if not used.measured_by and live.sampler is not None:
            used = live.sampler.result()
        notes = [*live.warnings, *filter(None, [log.fault])]
        return ended_outcome(
            details, terms, reason=live.reason, used=used, logged=log.length, notes=notes, host=self._host
        )

    def _finish(self, live: _Live, outcome: Outcome) -> None:
        """Save the outcome, remove the container, then say that the attempt is over."""
        live.ended.set()
        if live.timer is not None:
            live.timer.cancel()
        with suppress(OSError):  # the driver's own record is left
            self._ledger.record(live.id, outcome)
        if not live.queued:
            self._remove(live.name)
        if live.parent is not None:
            self._parents.add(live.parent)
            self._remove_parents()
        with self._lock:
            self._live.pop(live.id, None)
        self.events.put([Ended(live.id, outcome)])

    # Ending attempts

    def _end(self, live: _Live, reason: Reason, grace: float) -> None:
        with self._lock:
            live.reason = live.reason or reason
            live.grace = grace
            exists = live.running or live.invocation is None
        if exists:
            self._stop(live, grace)

    def _stop(self, live: _Live, grace: float) -> None:
        """TERM, grace, KILL; no grace for a program that does not listen to TERM."""
        with suppress(ApiError, UnreachableError):
            if grace > 0 and self._listens(live.name):
                self.api.kill(live.name, "SIGTERM")
                live.ended.wait(grace)
        while not (live.ended.is_set() or self._closing.is_set()):
            with suppress(ApiError, UnreachableError):
                self.api.kill(live.name, "SIGKILL")
            live.ended.wait(5)

    def _listens(self, name: str) -> bool:
        """Whether a container's first process would notice TERM: the kernel drops it there when nothing handles it."""
        details = self.api.inspect(name)
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

    # Small things

    def _never(self, reason: Reason, message: str) -> Outcome:
        return Outcome(None, reason=reason, message=message, host=self._host)

    def _log(self, attempt: AttemptId, invocation: Invocation) -> str:
        path = self._directory / (invocation.log or request.log_name(attempt))
        return str(path.relative_to(self._directory) if path.is_relative_to(self._directory) else path)

    def _open_outputs(self, invocation: Invocation, image: LocalImage) -> None:
        """Let an image's own user write where the run expects its outputs: they belong to whoever started the run."""
        user = (invocation.user or image.user).partition(":")[0]
        if user in ("", "0", "root") or (user == str(os.geteuid()) and not self._rootless):
            return
        for mount in invocation.mounts:
            source = Path(mount.source)
            if mount.writable and source.is_relative_to(self._directory) and source.is_dir():
                source.chmod(source.stat().st_mode & 0o7777 | 0o777)

    def _remove(self, name: str) -> None:
        with suppress(ApiError, UnreachableError):
            self.api.remove(name)

    def _remove_parents(self) -> None:
        """Remove control groups, now or, when something still stands in them, later."""
        for parent in list(self._parents):
            if usage.remove_parent(parent):
                self._parents.discard(parent)

    def _answers_again(self) -> bool:
        for pause in _PAUSES:
            if self._closing.wait(pause):
                return False
            with suppress(ApiError, UnreachableError):
                self.api.version()
                return True
        return False

    def _in_background(self, function: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=function, args=arguments, name="trivet-stop", daemon=True).start()


def _missing(invocation: Invocation) -> list[str]:
    return [
        f"{mount.source} does not exist (to be seen as {mount.target} in the container)"
        for mount in invocation.mounts
        if mount.source.startswith("/") and not Path(mount.source).exists()
    ]
