"""The half of the local engine that runs attempts as containers, by Docker or Podman."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from trivet.engines import Accepted, Attempt, Ended, EngineError, EngineEvent, Started
from trivet.engines.runtimes.api import Api, ApiError, UnreachableError, Version
from trivet.engines.runtimes.container import Container, RefusedError
from trivet.engines.runtimes.daemon import Daemon
from trivet.engines.runtimes.ledger import Ledger
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.engines.runtimes.request import container_name
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Program
from trivet.tasks.work import AttemptId, Outcome

LEDGER = "containers.jsonl"


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
        log_cap: int,
        release: Callable[[], None],
    ) -> None:
        self.runtime = version.name
        self.version = version.version
        self.api = api
        self.events = events
        self._daemon = Daemon(api, version, Path(directory).absolute(), log_cap)
        try:
            self._ledger = Ledger(self._daemon.directory / LEDGER)
        except OSError as error:
            raise EngineError(f"containers can't be run in {directory}: {error}") from error
        self._slots = max(slots, 1)
        self._release = release
        self._host = socket.gethostname()
        self._lock = threading.Lock()
        self._claimed: set[AttemptId] = set()
        self._live: dict[AttemptId, Container] = {}
        self._jobs: SimpleQueue[Container | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def prepare(self, programs: Sequence[Program]) -> None:
        """Make images present. Raises EngineError for one that can't be had."""
        try:
            for program in programs:
                if isinstance(program, ContainerImage) and (program.reference or program.archive):
                    self._daemon.library.ensure(program, lambda message: None)
        except (ImageUnavailableError, UnreachableError) as error:
            raise EngineError(str(error)) from error

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts; one that is known, here or to the daemon, is not started again."""
        self._take(
            [Container(self._daemon, self._tell, one.id, one.invocation, self._name(one.id)) for one in attempts]
        )

    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None:
        """Take over attempts of a driver that died, by the name of their containers."""
        self._take(
            [Container(self._daemon, self._tell, id, None, handle or self._name(id)) for id, handle in attempts.items()]
        )

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        """End attempts: TERM, then KILL after ``grace`` seconds; queued ones never start."""
        never: list[EngineEvent] = []
        for id in ids:
            with self._lock:
                container = self._live.get(id)
                if container is None:
                    continue
                if container.queued:
                    del self._live[id]
                    never.append(Ended(id, self._never(Reason.CANCELLED)))
                    continue
            arguments = (Reason.CANCELLED, grace)
            threading.Thread(target=container.end, args=arguments, name="trivet-stop", daemon=True).start()
        if never:
            self.events.put(never)

    def close(self) -> None:
        """Let go: what runs goes on and can be adopted, what is queued is forgotten."""
        self._daemon.let_go()
        with self._lock:
            containers, threads = list(self._live.values()), list(self._threads)
        for container in containers:
            container.let_go()
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(timeout=10)
        self._daemon.settle()
        self._release()

    def _take(self, containers: Sequence[Container]) -> None:
        fresh: list[Container] = []
        told: list[EngineEvent] = []
        for container in containers:
            with self._lock:
                if container.id in self._claimed:
                    continue
                self._claimed.add(container.id)
                outcome = self._ledger.find(container.id)
                if outcome is None:
                    self._live[container.id] = container
                    fresh.append(container)
            told.append(Accepted(container.id, container.name))
            if outcome is not None:
                container.clear()  # whoever recorded it may have died before it tidied up
                told += [] if outcome.started is None else [Started(container.id, outcome.started)]
                told.append(Ended(container.id, outcome))
        if told:
            self.events.put(told)
        for container in fresh:
            self._jobs.put(container)
        with self._lock:
            for _ in range(min(self._slots, len(self._live)) - len(self._threads)):
                thread = threading.Thread(target=self._work, name="trivet-container", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        """One slot: containers one after the other."""
        while (container := self._jobs.get()) is not None:
            if self._live.get(container.id) is container and not self._daemon.closing.is_set():
                outcome = self._outcome(container)
                if outcome is not None and not self._daemon.closing.is_set():
                    with suppress(OSError):  # what could not be tidied up must not cost the slot
                        self._finish(container, outcome)

    def _outcome(self, container: Container) -> Outcome | None:
        def claim() -> bool:
            with self._lock:
                container.queued = False
                return container.id in self._live

        try:
            outcome = container.follow(claim)
            return None if outcome is None else replace(outcome, host=self._host)
        except RefusedError as error:
            return self._never(error.reason, str(error))
        except ImageUnavailableError as error:
            return self._never(Reason.IMAGE_PULL, str(error))
        except ApiError as error:
            no_gpu = "device driver" in str(error)
            return self._never(Reason.UNSCHEDULABLE if no_gpu else Reason.SUBMIT_ERROR, str(error))
        except UnreachableError as error:
            return self._never(Reason.SUBMIT_ERROR, f"the container engine does not answer: {error}")
        except Exception as error:  # a fault of ours must not leave a run that never ends
            return self._never(Reason.SUBMIT_ERROR, f"{type(error).__name__}: {error}")

    def _finish(self, container: Container, outcome: Outcome) -> None:
        """Save the outcome, remove the container, then say that the attempt is over."""
        if container.id not in self._live:  # cancelled, and told so, before it had a container
            return
        try:
            with suppress(OSError):  # on a full disk the driver's own record must do
                self._ledger.record(container.id, outcome)
            container.clear()
        finally:
            with self._lock:
                del self._live[container.id]
            self._tell(Ended(container.id, outcome))

    def _name(self, attempt: AttemptId) -> str:
        return container_name(attempt, self._ledger.owner)

    def _never(self, reason: Reason, message: str = "") -> Outcome:
        return Outcome(None, reason=reason, message=message, host=self._host)

    def _tell(self, event: EngineEvent) -> None:
        self.events.put([event])
