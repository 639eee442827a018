"""The engine of this machine: processes by the worker, containers by a runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from trivet.engines import Attempt, Capacity, EngineError, EngineEvent
from trivet.engines.processes import Processes
from trivet.tasks.task import ContainerImage, Program
from trivet.tasks.work import AttemptId, Outcome

LOG_CAP = 64 * 1024 * 1024


class _Containers(Protocol):
    runtime: str

    def prepare(self, programs: Sequence[Program]) -> None: ...
    def submit(self, attempts: Sequence[Attempt]) -> None: ...
    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None: ...
    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None: ...
    def close(self) -> None: ...


class LocalEngine:
    """Starts units on this machine, ``slots`` of each kind at once (default: as many as there are CPUs).

    A process that asks for several CPUs takes as many slots, and it waits for the memory and the GPUs it asks for.
    ``directory`` takes logs and what is remembered; an engine made later for the same directory can adopt what this
    one started. ``runtime`` is ``docker``, ``podman`` or ``apptainer`` (None: the first that can be used), ``sifs`` the
    directory of images made for Apptainer (None: one below ``directory``). A unit's log keeps at most ``log_cap``
    bytes, head and tail. CPU limits of processes are not enforced, their memory limits are (by a cgroup
    where this machine allows one, else by sampling on Linux); the peak memory of a process without a limit is that of
    its largest process, and never less than the worker's own (about 15 MB).
    """

    name = "local"

    def __init__(
        self,
        directory: Path,
        slots: int | None = None,
        runtime: str | None = None,
        log_cap: int = LOG_CAP,
        sifs: Path | None = None,
    ) -> None:
        self.events: SimpleQueue[Sequence[EngineEvent]] = SimpleQueue()
        self._directory = Path(directory)
        self._slots = slots or _cpus()
        self._runtime = runtime
        self._log_cap = log_cap
        self._used_runtime = self._directory / "runtime"
        self._sifs = sifs or self._directory / "sif"
        self._processes = Processes(
            self._directory, self.events, self._slots, log_cap, self._elsewhere, self._outcome_of_process
        )
        self._containers: _Containers | None = None
        self._by_apptainer: bool | None = None

    def prepare(self, programs: Sequence[Program]) -> None:
        """Make programs ready. Raises EngineError when that can't be."""
        images = [program for program in programs if isinstance(program, ContainerImage)]
        self._processes.prepare([program for program in programs if not isinstance(program, ContainerImage)])
        if images:
            self._connected().prepare(images)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts of both kinds. Raises EngineError when there is nothing to start them with."""
        containers = [one for one in attempts if isinstance(one.invocation.program, ContainerImage)]
        processes = [one for one in attempts if not isinstance(one.invocation.program, ContainerImage)]
        if containers:
            self._connected().submit(containers)
        if processes:
            self._processes.submit(processes)

    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None:
        """Take over attempts; a handle means a container, and what no worker knows may have been one."""
        containers = {id: handle for id, handle in attempts.items() if handle is not None}
        if containers:
            self._connected().adopt(containers)
        self._processes.adopt([id for id, handle in attempts.items() if handle is None])

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        """End attempts, wherever they run."""
        self._processes.cancel([id for id in ids if self._processes.knows(id)], grace)
        if self._containers is not None:
            self._containers.cancel([id for id in ids if not self._processes.knows(id)], grace)

    def capacity(self) -> Capacity:
        """How much runs at once, and how much keeps it busy between two looks of the driver."""
        return Capacity(self._slots, 500 * self._slots)

    def close(self) -> None:
        """Let go; what runs goes on."""
        if self._containers is not None:
            self._containers.close()
        self._processes.close()

    def _connected(self) -> _Containers:
        """The container half, with the runtime that was used in this directory before."""
        if self._containers is None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._containers = self._connect(self._runtime or self._runtime_before())
                self._used_runtime.write_text(f"{self._containers.runtime}\n")
                self._by_apptainer = None
            except OSError as error:
                raise EngineError(f"containers can't be run for {self._directory}: {error}") from error
        return self._containers

    def _connect(self, runtime: str | None) -> _Containers:
        from trivet.engines import runtimes

        if runtime != runtimes.APPTAINER:
            try:
                return runtimes.connect(runtime, self._directory, self.events, self._slots, log_cap=self._log_cap)
            except EngineError:
                if runtime is not None or not runtimes.apptainer_status().available:
                    raise
        elif not (status := runtimes.apptainer_status()).available:
            raise EngineError(status.reason)
        from trivet.engines.runtimes.apptainer.sif import SifCache
        from trivet.engines.runtimes.apptainer.units import ApptainerUnits

        return ApptainerUnits(self._directory, self._processes, SifCache(self._sifs))

    def _runtime_before(self) -> str | None:
        try:
            return self._used_runtime.read_text().strip() or None
        except FileNotFoundError:
            return None

    def _outcome_of_process(self, id: AttemptId, outcome: Outcome) -> Outcome:
        """A process that this directory's Apptainer started stands for a container."""
        if self._by_apptainer is None:
            self._by_apptainer = self._runtime_before() == "apptainer"
        if not self._by_apptainer:
            return outcome
        from trivet.engines.runtimes.apptainer.units import read

        return read(self._directory, id, outcome)

    def _elsewhere(self, ids: Sequence[AttemptId]) -> None:
        """What the worker never took was a container if this directory ever had any, else it is lost."""
        if self._containers is not None or self._used_runtime.exists():
            self._connected().adopt(dict.fromkeys(ids))
        else:
            self._processes.report_lost(ids)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
