"""The half of the local engine that runs attempts by Apptainer: it makes them processes, and the worker has them."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

from trivet.engines import Attempt, EngineError
from trivet.engines.processes import Processes
from trivet.engines.runtimes.apptainer import NAME, SifCache, containers_as_commands
from trivet.engines.runtimes.apptainer.command import Sif
from trivet.engines.runtimes.apptainer.outcomes import REFUSED, TOLD, explained
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Program
from trivet.tasks.work import AttemptId, Outcome

_BATCH = 200
_IMAGE = "image"


class ApptainerUnits:
    """Makes SIF files in a thread, and hands the commands to the worker of ``directory``; SIFs are in ``cache``.

    What an attempt writes to /tmp is in a directory of its own below ``directory`` until it ends. An attempt counts as
    accepted once the worker has it, or when it has to wait for a SIF: then it is lost with this process.
    """

    runtime = NAME

    def __init__(self, directory: Path, processes: Processes, cache: SifCache) -> None:
        self._directory, self._processes, self._cache = directory, processes, cache
        self._jobs: SimpleQueue[list[Attempt] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def prepare(self, programs: Sequence[Program]) -> None:
        """Make SIF files. Raises EngineError for an image that can't be had."""
        try:
            for program in programs:
                if isinstance(program, ContainerImage) and (program.reference or program.archive):
                    self._cache.ensure(program, lambda message: None)
        except ImageUnavailableError as error:
            raise EngineError(str(error)) from error

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts, each once. Raises EngineError when no worker can be started."""
        fresh = set(self._processes.hold(attempt.id for attempt in attempts))
        left = iter([attempt for attempt in {one.id: one for one in attempts}.values() if attempt.id in fresh])
        while batch := list(islice(left, _BATCH)):
            self._jobs.put(batch)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="trivet-sif", daemon=True)
            self._thread.start()

    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None:
        """What the worker does not know never ran."""
        self._processes.report_lost(list(attempts))

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        """Whatever there is to cancel, the processes know it."""

    def close(self) -> None:
        """Let go; what waits for its SIF is forgotten."""
        self._cache.close()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(timeout=30)

    def _work(self) -> None:
        while (batch := self._jobs.get()) is not None:
            try:
                ready, never = containers_as_commands(batch, self._cache, self._processes.wait, self._scratch)
                if never:
                    host = socket.gethostname()
                    self._processes.end({id: replace(outcome, host=host) for id, outcome in never.items()})
                self._processes.submit(ready)
                for one in ready:
                    if self._processes.is_over(one.id):  # cancelled meanwhile, so that no worker ever tells its end
                        _clear(scratch(self._directory, one.id))
            except Exception as error:  # a fault of ours must not leave a run that never ends
                message = f"{type(error).__name__}: {error}"
                self._processes.end(
                    {one.id: Outcome(None, reason=Reason.SUBMIT_ERROR, message=message) for one in batch}
                )

    def _scratch(self, id: AttemptId, sif: Sif) -> Path:
        return lay_out(self._directory, id, sif)


def lay_out(directory: Path, id: AttemptId, sif: Sif) -> Path:
    """Make the place of an attempt's temporary files, which `read` removes. Raises OSError."""
    place = scratch(directory, id)
    while not place.exists():
        with suppress(FileNotFoundError):  # the last one to end has removed what is above it
            place.mkdir(parents=True, exist_ok=True)
    (place / _IMAGE).write_text(sif.digest)
    return place


def scratch(directory: Path, id: AttemptId) -> Path:
    """Where an attempt's temporary files are."""
    return directory / "scratch" / hashlib.sha256(id.encode()).hexdigest()[:16]


def read(directory: Path, id: AttemptId, outcome: Outcome) -> Outcome:
    """What the worker's outcome means if it is that of a container, whose temporary files are removed."""
    place = scratch(directory, id)
    try:
        digest = (place / _IMAGE).read_text()
    except OSError:
        return outcome
    _clear(place)
    log = b""
    if outcome.exit_code == REFUSED and outcome.log is not None and outcome.log.length <= TOLD:
        with suppress(OSError), open(directory / outcome.log.path, "rb") as file:
            file.seek(outcome.log.offset)
            log = file.read(outcome.log.length)
    return replace(explained(outcome, log), image_digest=digest)


def _clear(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):  # others are still there
        place.parent.rmdir()
