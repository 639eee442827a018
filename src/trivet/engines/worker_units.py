"""The units a worker has started: from their start, by a limit or a signal, to the last of their processes."""

from __future__ import annotations

import heapq
import importlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from trivet.engines.worker_capacity import DEVICES, NOTHING, Capacity, Demand, demand_of
    from trivet.engines.worker_logs import Log, Logs
    from trivet.engines.worker_memory import Limits
    from trivet.engines.worker_system import (
        ATTEMPT,
        DEFAULTS,
        attempt_of,
        become_reaper,
        exit_code,
        find_program,
        kill,
        signal_group,
    )
    from trivet.engines.worker_warm_pool import Pool
else:
    from worker_capacity import DEVICES, NOTHING, Capacity, demand_of
    from worker_system import ATTEMPT, DEFAULTS, attempt_of, become_reaper, exit_code, find_program, kill, signal_group

LOOK_AT_LOGS_EVERY = 0.5
SAMPLE_MEMORY_EVERY = 0.2
DRAIN_FOR = 5.0
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Refused(Exception):
    """The unit can't be started; the message says why."""


class Common:
    """What many units share: environment, limits, needs, and the paths that must be readable.

    ``kind`` is None, or the environment as a key: units of one script that have it equal may be forked of one process,
    when there are at least ``worth`` of them.
    """

    __slots__ = (
        *("demand", "env", "forwards", "grace", "kind", "memory"),
        *("own_devices", "path", "reads", "time_limit", "worth"),
    )

    def __init__(self, base: dict[bytes, bytes], fields: dict[str, Any]) -> None:
        self.env = {**base, **{os.fsencode(key): os.fsencode(value) for key, value in fields["env"].items()}}
        self.path = os.fsdecode(self.env.get(b"PATH", os.fsencode(os.defpath)))
        self.memory: Optional[int] = fields.get("memory")
        self.time_limit: Optional[float] = fields.get("time")
        self.grace: float = fields["grace"]
        self.reads: list[str] = fields.get("reads", ())
        self.demand = demand_of(fields)
        self.own_devices = os.fsdecode(DEVICES) in fields["env"]
        self.worth: int = fields.get("warm", 0) if not self.demand[2] else 0
        self.kind: Any = frozenset(self.env.items()) if self.worth else None
        self.forwards: bool = fields.get("forwards", False)


class Running:
    """A unit that was started and has not been reported yet."""

    __slots__ = (
        *("code", "common", "deadline", "devices", "empty", "ended", "id", "limit"),
        *("log", "message", "pid", "reason", "share", "slot", "started", "usage"),
    )

    def __init__(self, id: str, pid: int, slot: int, common: Common, log: Log, limit: Any) -> None:
        self.id, self.pid, self.slot, self.common, self.log, self.limit = id, pid, slot, common, log, limit
        self.started, self.reason, self.message = time.time(), "", ""
        self.share: Demand = NOTHING
        self.devices: list[str] = []
        self.usage: Any = None

    def reaped(self, status: int, usage: Any) -> None:
        """Its first process has ended; what it left in its group is told to follow."""
        self.ended, self.deadline = time.time(), time.monotonic() + DRAIN_FOR
        self.code, self.usage = exit_code(status), usage
        self.empty = not signal_group(self.pid, signal.SIGKILL)


class Timers:
    """What is to be done later, in monotonic seconds."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Callable[[Any], None], Optional[Running]]] = []
        self.count = 0

    @property
    def due(self) -> float:
        return self.heap[0][0] if self.heap else float("inf")

    def after(self, seconds: float, call: Callable[[Any], None], unit: Optional[Running] = None) -> None:
        """Call later; a timer of a unit that has ended meanwhile means nothing."""
        if self.count % 1000 == 0:
            self.heap = [timer for timer in self.heap if timer[3] is None or not timer[3].usage]
            heapq.heapify(self.heap)
        self.count += 1
        heapq.heappush(self.heap, (time.monotonic() + seconds, self.count, call, unit))

    def run(self) -> None:
        while self.heap and self.heap[0][0] <= time.monotonic():
            _, _, call, unit = heapq.heappop(self.heap)
            if unit is None or not unit.usage:
                call(unit)


class Units:
    """Starts and ends units; ``fresh`` and ``ended`` hold what has not been told yet.

    It starts whatever it is told to: who minds what the machine has asks ``capacity`` first. ``slots`` is the number
    of CPUs; ``free`` are numbers of slots, of which there are more when units need less than a CPU.
    """

    def __init__(self, directory: str, slots: int, logs: Logs, timers: Timers) -> None:
        self.directory, self.logs, self.timers = directory, logs, timers
        self.capacity = Capacity(slots)
        self.free = list(range(slots - 1, -1, -1))
        self.slots = slots
        self.running: dict[int, Running] = {}
        self.draining: list[Running] = []
        self.by_id: dict[str, Running] = {}
        self.fresh: dict[str, Running] = {}
        self.ended: list[Any] = []
        self.programs: dict[tuple[str, str], str] = {}
        self.session: dict[str, Any] = {"setsid": True}
        self.limits: Optional[Limits] = None
        self.warm: Optional[Pool] = None
        self.looking = self.sampling = self.drain_armed = False
        self.children = become_reaper()

    def start(self, id: str, common: Common, argv: list[str], cwd: str, log_path: Optional[str]) -> None:
        if not argv or not argv[0]:
            raise Refused("there is no command to start")
        for path in common.reads:
            if not os.access(path, os.R_OK):
                problem = "no permission" if os.path.exists(path) else "it does not exist"
                raise Refused(f"input {path} can't be read: {problem}")
        try:
            os.chdir(cwd)  # posix_spawn knows no directory; this process needs none of its own
        except OSError as error:
            raise Refused(f"working directory {cwd} can't be entered: {error.strerror}") from None
        if not self.free:
            self.free, self.slots = [self.slots], self.slots + 1
        slot = self.free[-1]
        try:
            log = self.logs.slot(slot) if log_path is None else self.logs.own(log_path)
        except OSError as error:
            raise Refused(f"log file {error.filename or log_path} can't be written: {error.strerror}") from None
        limit, pid, begun = None, 0, time.time()
        share = self.capacity.share(common.demand)
        devices = self.capacity.take(share)
        try:
            program = self.find(argv[0], common.path)
            if devices and not common.own_devices:
                common.env[DEVICES] = os.fsencode(",".join(devices))
            if common.memory is not None:
                limit = self.memory().limit(common.memory)
            if common.kind is not None and self.warm is not None:
                pid = self.warm.fork(id, common, program, argv, cwd, log.fd, limit.entrance if limit else "")
            if pid:
                pass
            elif limit is not None:
                wrapped = limit.wrap([program, *argv[1:]])
                pid = self.spawn(id, wrapped[0], wrapped, common.env, log.fd)
            else:
                pid = self.spawn(id, program, argv, common.env, log.fd)
        except (OSError, ValueError, Refused) as error:
            self.programs.clear()
            self.capacity.give(share, devices)
            self.logs.finish(log)
            if limit is not None:
                limit.finish(0)
            if isinstance(error, Refused):
                raise
            raise Refused(f"program {argv[0]!r} can't be started: {why(error)}") from None
        unit = Running(id, pid, slot, common, log, limit)
        unit.started, unit.share, unit.devices = begun, share, devices
        self.free.pop()
        self.running[pid] = self.by_id[id] = self.fresh[id] = unit
        if common.time_limit is not None:
            self.timers.after(common.time_limit, self.out_of_time, unit)
        if not self.looking:
            self.looking = True
            self.timers.after(LOOK_AT_LOGS_EVERY, self.look_at_logs)
        if limit is not None and limit.sampled and not self.sampling:
            self.sampling = True
            self.timers.after(SAMPLE_MEMORY_EVERY, self.sample_memory)

    def spawn(self, id: str, program: str, argv: list[str], env: dict[bytes, bytes], out: int) -> int:
        env[ATTEMPT] = os.fsencode(id)
        actions = ((os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2))
        try:
            return os.posix_spawn(program, argv, env, file_actions=actions, setsigdef=DEFAULTS, **self.session)
        except NotImplementedError:  # a system without POSIX_SPAWN_SETSID
            self.session = {"setpgroup": 0}
            return os.posix_spawn(program, argv, env, file_actions=actions, setsigdef=DEFAULTS, **self.session)

    def find(self, name: str, path: str) -> str:
        """The file of a program; what was found once is not looked for again."""
        found = self.programs.get((name, path))
        if found is None:
            try:
                found = find_program(name, path)
            except LookupError as error:
                raise Refused(error.args[0]) from None
            if os.path.isabs(found):
                self.programs[name, path] = found
        return found

    def memory(self) -> Limits:
        """Loaded only for units that have a limit."""
        if self.limits is None:
            self.limits = importlib.import_module("worker_memory").Limits(self.directory)
        return self.limits

    def importing(self, common: Common, argv: list[str], more: bool, poll: Any) -> bool:
        """Whether a process that units can be forked of still imports; ``more`` units make it worth to start one."""
        try:
            program = self.find(argv[0], common.path)
            if self.warm is None:
                if not more or not sys.platform.startswith("linux"):
                    return False
                pool = importlib.import_module("worker_warm_pool").Pool
                self.warm = pool(self.logs.scratch, self.timers, poll, self.capacity.total[1] // 4)
            return self.warm.importing(program, common, argv, more)
        except (OSError, ValueError, Refused):
            return False  # its start will say why

    def out_of_time(self, unit: Running) -> None:
        self.end(unit, "timeout", f"the time limit of {unit.common.time_limit:g} s was reached", unit.common.grace)

    def end(self, unit: Running, reason: str, message: str, grace: float) -> None:
        """Ask a unit to end, and make it end after ``grace`` seconds. The first reason counts."""
        if unit.pid not in self.running:
            return
        if not unit.reason:
            unit.reason, unit.message = reason, message
        if grace > 0:
            if unit.common.forwards:
                kill(unit.pid, signal.SIGTERM)
            else:
                signal_group(unit.pid, signal.SIGTERM)
                signal_group(unit.pid, signal.SIGCONT)
            self.timers.after(grace, self.kill, unit)
        else:
            self.kill(unit)

    def kill(self, unit: Running) -> None:
        signal_group(unit.pid, signal.SIGKILL)

    def look_at_logs(self, _: Any) -> None:
        """No log may fill the disk while its unit runs."""
        for unit in self.running.values():
            self.logs.trim(unit.log)
        self.looking = bool(self.running)
        if self.looking:
            self.timers.after(LOOK_AT_LOGS_EVERY, self.look_at_logs)

    def sample_memory(self, _: Any) -> None:
        sampled = [unit for unit in self.running.values() if unit.limit is not None and unit.limit.sampled]
        for unit in sampled:
            if unit.limit.exceeded(unit.pid):
                self.end(unit, "oom", "", 0)
        self.sampling = bool(sampled)
        if sampled:
            self.timers.after(SAMPLE_MEMORY_EVERY, self.sample_memory)

    # --- What has ended -----------------------------------------------------------------------------------------

    def reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            unit = self.running.pop(pid, None)
            if unit is not None:
                unit.reaped(status, usage)
                self.draining.append(unit)
            elif self.warm is not None:
                self.warm.reaped(pid)
        if self.draining or self.children is not None:
            self.drain()

    def drain(self) -> None:
        """Report the units of which nothing is left; what is left was killed and is waited for."""
        strays = self.kill_strays()
        waiting, self.draining = self.draining, []
        for unit in waiting:
            if not strays and (unit.empty or not signal_group(unit.pid, 0)):
                self.finish(unit)
            elif unit.deadline < time.monotonic():
                unit.message = unit.message or "some of its processes can't be killed"
                self.finish(unit)
            else:
                self.draining.append(unit)
        if self.draining and not self.drain_armed:
            self.drain_armed = True
            self.timers.after(0.01, self.drain_again)

    def drain_again(self, _: None) -> None:
        self.drain_armed = False
        self.drain()

    def kill_strays(self) -> bool:
        """Kill children of ended units that left their group (this process inherits them); True while some die."""
        if self.children is None:
            return False
        data = os.pread(self.children, 1 << 20, 0)
        parents: set[int] = self.warm.pids if self.warm is not None else set()
        if data.count(b" ") <= len(self.running) + len(parents):
            return False
        found = False
        for pid in map(int, data.split()):
            if pid not in self.running and pid not in parents:
                owner = attempt_of(pid, self.directory)
                if owner not in self.by_id or self.by_id[owner].pid not in self.running:
                    if owner is None and self.running:
                        continue  # it hides whose it is, and may be of a unit that runs
                    kill(pid)
                    found = True
        return found

    def finish(self, unit: Running) -> None:
        """Everything of a unit is over: its log, its memory, its slot."""
        code, usage = unit.code, unit.usage
        more: dict[str, Any] = {}
        peak = usage.ru_maxrss * RSS_UNIT
        reason, message = unit.reason, unit.message
        if unit.limit is not None:
            peak, more["measured_by"], killed = unit.limit.finish(peak)
            if killed and code != 0 and reason in ("", "oom"):
                reason, message = "oom", f"the memory limit of {unit.limit.limit} bytes was reached"
        if code < 0:
            more["signal"] = -code
            code = 128 - code
        if unit.log.failed:
            message = message or unit.log.failed
        log = self.logs.finish(unit.log)
        if reason:
            more["reason"] = reason
        if message:
            more["message"] = message
        cpu = round(usage.ru_utime + usage.ru_stime, 6)
        self.ended.append([unit.id, code, unit.started, unit.ended, cpu, peak, log, more or None])
        del self.by_id[unit.id]
        self.fresh.pop(unit.id, None)
        self.free.append(unit.slot)
        self.capacity.give(unit.share, unit.devices)


def never_ran(id: str, reason: str, message: str) -> list[Any]:
    """What is recorded of a unit without an end of its own."""
    return [id, None, None, None, None, None, None, {"reason": reason, "message": message}]


def why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the interpreter named in its first line does not exist"
    return str(getattr(error, "strerror", None) or error)
