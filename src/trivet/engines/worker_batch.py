"""The runner of one batch job: starts the units of one array element, and records how they end while the job goes on.

Standard library only, Python 3.9 or later, one thread. It is shipped with the other modules of the worker as one zip
file to the shared file system, and started by the job's script with the directory of the submission and the number of
the element. All it knows is in ``submission.json`` and ``units.jsonl`` there; all it says goes to
``record-<element>.jsonl``, in the lines of the worker and two of its own:

    ["job", {"job": "12_3", "id": "15", "host": ..., "at": ...}]    the first; exclusive creation makes it the only one
    ["told", {"signal": 15}]                                        SLURM wants the job to end
    ["over", {}]                                                    the last: everything was recorded

What is to be cancelled comes in lines ``[[id, ...], grace]`` of ``cancel-<element>.jsonl``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Iterator, Optional

if TYPE_CHECKING:
    from trivet.engines.worker_capacity import DEVICES
    from trivet.engines.worker_link import Record, dumps
    from trivet.engines.worker_logs import Logs
    from trivet.engines.worker_memory import kill_counts, kills
    from trivet.engines.worker_system import ENGINE, birth
    from trivet.engines.worker_units import Common, Refused, Running, Timers, Units, never_ran
    from trivet.engines.worker_words import STARTED_AGAIN, TOLD, UNWRITABLE
else:
    from worker_capacity import DEVICES
    from worker_link import Record, dumps
    from worker_logs import Logs
    from worker_memory import kill_counts, kills
    from worker_system import ENGINE, birth
    from worker_units import Common, Refused, Running, Timers, Units, never_ran
    from worker_words import STARTED_AGAIN, TOLD, UNWRITABLE

TELL_EVERY = 0.2
LOOK_FOR_CANCELS_EVERY = 0.5
PATIENCE_WITH_DISKS = 120.0
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


class BatchUnits(Units):
    """Units that share the memory of a job: when that is used up, the kernel ends the largest process, which need not
    be a unit's first. A kill that no unit was ended by is put down to the next one that fails."""

    def __init__(self, directory: str, slots: int, logs: Logs, timers: Timers) -> None:
        super().__init__(directory, slots, logs, timers)
        self.counts = kill_counts()
        self.blamed = kills(self.counts)
        self.before: dict[str, int] = {}

    def start(self, id: str, common: Common, argv: list[str], cwd: str, log_path: Optional[str]) -> None:
        self.before[id] = kills(self.counts)
        super().start(id, common, argv, cwd, log_path)

    def finish(self, unit: Running) -> None:
        now, before = kills(self.counts), self.before.pop(unit.id)
        killed = now > (before if unit.code in KILLED else max(before, self.blamed))
        if killed and unit.code != 0 and not unit.reason:
            self.blamed = now
            unit.reason, unit.message = "oom", "the memory of its job was used up" + job_memory()
        super().finish(unit)


class Batch:
    """The loop of one job: units are started, slot by slot, and reaped; what happens is recorded."""

    def __init__(self, place: str, element: int, record: Record) -> None:
        with open(os.path.join(place, "submission.json"), encoding="utf-8") as file:
            submission = json.load(file)
        self.place, self.element, self.record = place, element, record
        scratch = os.path.join(place, "slots-%d" % element)
        self.timers = Timers()
        self.logs = Logs(scratch, scratch, submission["log_cap"])
        self.units = BatchUnits(place, submission["parallel"], self.logs, self.timers)
        base = {**os.environb, ENGINE: os.fsencode(place)}
        if DEVICES in base:  # which Apptainer hands on to nobody unless it is told to
            base.setdefault(b"APPTAINERENV_" + DEVICES, base[DEVICES])
        for name in THREADS:
            base.setdefault(name, b"%d" % submission["cpus"])
        self.queue: OrderedDict[str, tuple[Common, list[str], str, Optional[str]]] = OrderedDict()
        self.accepted: list[str] = []
        for id, *job in slice_of(place, submission["elements"][element], base):
            self.queue[id] = tuple(job)
            self.accepted.append(id)
        if any(log is None for _, _, _, log in self.queue.values()):
            os.makedirs(scratch, exist_ok=True)
        self.cancels = 0
        self.told = False
        self.flushed = 0.0
        self.patience = PATIENCE_WITH_DISKS
        self.poll = select.poll()
        self.wakeup, write = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.on_term)
        self.poll.register(self.wakeup, select.POLLIN)

    def run(self) -> int:
        """Work until every unit has ended and is recorded; the exit code."""
        self.look_for_cancels(None)
        while self.queue or self.units.running or self.units.draining:
            self.fill()
            if self.flush_due() <= time.monotonic():
                self.flush()
            for fd, _ in self.poll.poll(self.timeout()):
                if fd == self.wakeup:
                    os.read(fd, 4096)
                elif self.units.warm is not None:
                    self.units.warm.heard(fd)
            if self.told:
                self.end_all()
            self.units.reap()
            self.timers.run()
        self.flush(last=True)
        while self.record.unsaved and self.patience > 0:
            self.patience -= 1.0
            time.sleep(1.0)
            self.save(b"")
        if self.units.warm is not None:
            self.units.warm.close()
        self.logs.remove()
        remove(os.rmdir, self.logs.scratch)
        return UNWRITABLE if self.record.unsaved else 0

    def fill(self) -> None:
        while self.queue and self.units.free:
            id, job = next(iter(self.queue.items()))
            common, argv = job[:2]
            if common.kind is not None and len(argv) > 1:
                worth = len(self.queue) >= common.worth
                if self.units.importing(common, argv, more=worth, poll=self.poll):
                    break
            del self.queue[id]
            try:
                self.units.start(id, *job)
            except Refused as error:
                self.units.ended.append(never_ran(id, "submit_error", str(error)))

    def timeout(self) -> float:
        due = min(self.flush_due(), self.timers.due)
        return max(0.0, (due - time.monotonic()) * 1000)

    def flush_due(self) -> float:
        if not (self.accepted or self.units.fresh or self.units.ended):
            return float("inf")
        return self.flushed + TELL_EVERY

    def flush(self, last: bool = False) -> None:
        """Record the news; a file on a shared file system is seen by others once it was synced."""
        self.flushed = time.monotonic()
        data = b""
        if self.accepted:
            data += dumps(["accepted", self.accepted])
        if self.units.fresh:
            fresh = self.units.fresh.values()
            data += dumps(["started", [[one.id, one.started, one.pid, birth(one.pid), one.slot] for one in fresh]])
        if self.units.ended:
            data += dumps(["ended", self.units.ended])
        if self.units.warm is not None and self.units.warm.refused:
            data += dumps(["cold", self.units.warm.refused])
            self.units.warm.refused = []
        self.accepted, self.units.fresh, self.units.ended = [], {}, []
        self.save(data + (dumps(["over", {}]) if last else b""))

    def save(self, data: bytes) -> None:
        if self.record.save(data):
            sync(self.record.fd)

    # --- Who ends units -------------------------------------------------------------------------------------------

    def look_for_cancels(self, _: Any) -> None:
        """Do what the driver asked for since the last look."""
        self.timers.after(LOOK_FOR_CANCELS_EVERY, self.look_for_cancels)
        try:
            with open(os.path.join(self.place, "cancel-%d.jsonl" % self.element), "rb") as file:
                file.seek(self.cancels)
                data = file.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self.cancels += len(whole)
        for line in whole.splitlines():
            ids, grace = json.loads(line)
            for id in ids:
                if self.queue.pop(id, None) is not None:
                    self.units.ended.append(never_ran(id, "cancelled", ""))
                elif id in self.units.by_id:
                    self.units.end(self.units.by_id[id], "cancelled", "", grace)

    def on_term(self, *_: Any) -> None:
        self.told = True

    def end_all(self) -> None:
        """SLURM has signalled every process of the job, and will kill them in a moment."""
        if self.queue or any(not unit.reason for unit in self.units.running.values()):
            self.save(dumps(["told", {"signal": int(signal.SIGTERM)}]))
        for id in self.queue:
            self.units.ended.append(never_ran(id, "evicted", TOLD))
        self.queue.clear()
        for unit in self.units.running.values():
            if not unit.reason:
                self.units.end(unit, "evicted", TOLD, unit.common.grace)


THREADS = (
    b"OMP_NUM_THREADS",
    b"OPENBLAS_NUM_THREADS",
    b"MKL_NUM_THREADS",
    b"NUMBA_NUM_THREADS",
    b"BLOSC_NTHREADS",
    b"NUMEXPR_NUM_THREADS",
)
"""How many threads libraries start; units that share a job would each start as many as the job has CPUs."""


def slice_of(place: str, where: list[int], base: dict[bytes, bytes]) -> Iterator[list[Any]]:
    """The units of an element: [id, common, argv, working directory, log]."""
    begin, length = where
    with open(os.path.join(place, "units.jsonl"), "rb") as file:
        file.seek(begin)
        lines = file.read(length).splitlines()
    common = None
    for line in lines:
        kind, value = json.loads(line)
        if kind == "common":
            common = Common(base, value)
        else:
            id, *job = value
            yield [id, common, *job]


def job_memory() -> str:
    """What the job may use, in words; SLURM says it in megabytes."""
    for name, unit in (("SLURM_MEM_PER_NODE", "MB"), ("SLURM_MEM_PER_CPU", "MB per CPU")):
        if os.environ.get(name):
            return " (%s %s)" % (os.environ[name], unit)
    return ""


def sync(fd: int) -> None:
    try:
        os.fsync(fd)
    except OSError:
        pass  # what can't be synced was not promised


def remove(how: Any, path: str) -> None:
    try:
        how(path)
    except OSError:
        pass


def begin(place: str, element: int) -> Optional[Record]:
    """The record of an element, which has only one; None when it was begun before."""
    path = os.path.join(place, "record-%d.jsonl" % element)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return None
    environment = os.environ
    job = environment.get("SLURM_JOB_ID", "")
    if "SLURM_ARRAY_JOB_ID" in environment:
        job = environment["SLURM_ARRAY_JOB_ID"] + "_" + environment["SLURM_ARRAY_TASK_ID"]
    host = environment.get("SLURMD_NODENAME") or socket.gethostname()
    record = Record(path)
    facts = {"job": job, "id": environment.get("SLURM_JOB_ID", ""), "host": host, "at": time.time()}
    if record.save(dumps(["job", facts])):
        sync(record.fd)
    return record


def main() -> int:
    place, element = sys.argv[1], int(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    again = "its units are not run a second time under the same name"
    if int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0:
        print("SLURM has started this job again (requeue): %s" % again, flush=True)
        return STARTED_AGAIN
    try:
        record = begin(place, element)
        if record is None:
            print("this part of the submission was begun before: %s" % again, flush=True)
            return STARTED_AGAIN
        code = Batch(place, element, record).run()
    except OSError as error:
        print("the record of this job can't be written: %s" % error, flush=True)
        return UNWRITABLE
    if code == UNWRITABLE:
        print("the record of this job could not be written; it lacks:", flush=True)
        print(record.unsaved.decode(), flush=True)
    return code
