"""The engine of a SLURM cluster: attempts become arrays of jobs, seen through SLURM's lists and their own records."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from trivet.engines import Attempt, Capacity, Ended, EngineError, EngineEvent
from trivet.engines.slurm.cluster import seconds
from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.desk import Desk
from trivet.engines.slurm.grouping import MIB, wishes_of
from trivet.engines.slurm.place import Place, Shared
from trivet.engines.slurm.programs import NodePrograms, Programs
from trivet.engines.slurm.site import Site
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment, Program
from trivet.tasks.work import NOTHING_SAID, AttemptId, Demand, Invocation, Outcome

LOG_CAP = 64 * 1024 * 1024
QUEUE = 10_000


class SlurmEngine:
    """Starts units as batch jobs of a cluster, by ``commands``; ``place`` says where it has the files of jobs. Unless
    told otherwise the commands are here, and the directory is one that the nodes see, too.

    ``directory`` takes logs and what is remembered; an engine made later for the same directory adopts what this one
    submitted. ``slots`` units of one submission run at once (None: as many as SLURM likes). ``programs`` makes
    containers into plain commands (None: they are refused). ``polls`` are the shortest and the longest time between two
    looks at SLURM's list, in seconds. A unit's log keeps at most ``log_cap`` bytes, head and tail. ``watched``:
    somebody wants to know when jobs may start.

    Units that ask for the same share an array, and jobs, as the site's batching says. Memory is limited for every unit
    that says how much it needs, and for the job by SLURM. Restarts by SLURM are never used: what it takes away ends as
    evicted, with its own reason.
    """

    name = "slurm"

    def __init__(
        self,
        directory: Path,
        site: Site,
        slots: int | None = None,
        programs: Programs | None = None,
        log_cap: int = LOG_CAP,
        polls: tuple[float, float] = (1.0, 30.0),
        commands: Commands | None = None,
        place: Place | None = None,
        watched: bool = False,
    ) -> None:
        self.events: SimpleQueue[Sequence[EngineEvent]] = SimpleQueue()
        self._directory = Path(directory).absolute()
        self._site, self._slots = site, slots
        self._commands = commands or Commands()
        self._place = place or Shared()
        self._desk = Desk(
            *(self._directory, site, self._commands, self._place, self.events),
            *(slots, programs or NodePrograms(), log_cap, polls),
        )
        if watched:
            self._desk.listen()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._failed = ""

    def prepare(self, programs: Sequence[Program]) -> None:
        """Raises EngineError for an environment that does not exist."""
        for program in programs:
            if isinstance(program, Environment) and program.prefix and not self._place.exists(program.prefix):
                raise EngineError(f"there is no environment at {program.prefix}; create it first")

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Raises EngineError when the directory can't be used."""
        self._ask("submit", list(attempts))

    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None:
        """Raises EngineError when the directory can't be used. Handles are not needed: the directory tells."""
        self._ask("adopt", list(attempts))

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        """Jobs that wait and have nothing else to do are cancelled, runners are asked to end the units."""
        if self._thread is not None:
            self._desk.inbox.put(("cancel", list(ids), grace))
            self._wake.set()

    def capacity(self) -> Capacity:
        """Whole phases are submitted at once: SLURM is the queue."""
        slots = self._slots
        if slots is None:
            try:
                partitions = self._commands.cluster().partitions
                slots = max(1, *(partition.all_cpus for partition in partitions), 1)
            except SlurmError:
                slots = 1
        return Capacity(slots, QUEUE)

    def usual(self, invocation: Invocation) -> Demand:
        """What the site's configuration gives a unit; nothing where that is not enough to submit it."""
        try:
            found = wishes_of(self._site, invocation, "unit")
            return Demand(found.cpus_per_task, found.mem * MIB, seconds(found.time) if found.time else None)
        except (ProblemsError, ValueError):
            return NOTHING_SAID

    def close(self) -> None:
        """Let go; jobs go on. Waits for a command that is being run here."""
        self._closing = True
        self._place.close()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _ask(self, kind: str, wanted: list[Any]) -> None:
        with self._lock:
            if self._closing:
                raise EngineError("this engine was closed")
            if self._failed:
                raise EngineError(self._failed)
            if self._thread is None:
                self._begin()
            self._desk.inbox.put((kind, wanted))
        self._wake.set()

    def _begin(self) -> None:
        if "\\" in str(self._directory):
            raise EngineError(
                f"{self._directory}: SLURM can't write where a name has a backslash; use another directory"
            )
        try:
            self._desk.open()
        except OSError as error:
            raise EngineError(f"nothing can be submitted from {self._directory}: {error.strerror or error}") from error
        self._thread = threading.Thread(target=self._work, name="trivet-slurm", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                due = self._desk.turn()
            except Exception as error:
                self._give_up(error)
                return
            self._wake.wait(None if due == float("inf") else max(0.0, due - time.monotonic()))

    def _give_up(self, error: Exception) -> None:
        """A fault of ours must end what waits with a word about it, never hang it."""
        import traceback

        traceback.print_exception(error)
        message = f"the engine failed ({type(error).__name__}: {error}); its jobs may still run"
        with self._lock:
            self._failed = message
            living = self._desk.abandon()
        self.events.put([Ended(id, Outcome(None, reason=Reason.LOST, message=message)) for id in living])
