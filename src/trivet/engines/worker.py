"""The process that starts units on this machine, and remembers how they ended when nobody else does.

Standard library only, Python 3.9 or later, one thread. `trivet.engines.processes` starts it, detached, and talks to it
over a Unix socket, in lines of JSON; every line it sends was first appended to ``record.jsonl``:

    ["accepted", [id, ...]]
    ["started", [[id, at, pid, birth, slot], ...]]     birth: the process's start in clock ticks since boot
    ["ended", [[id, exit code, started, ended, cpu, peak memory, log, more], ...]]

A unit that starts and ends between two lines is told only by "ended". ``log`` is [path, offset, length] or null;
``more`` holds signal, reason, message and measured_by where they say more than the default.
"""

from __future__ import annotations

import errno
import fcntl
import heapq
import json
import os
import select
import signal
import socket
import stat
import sys
import time
from collections import OrderedDict
from typing import Any, Callable, Optional

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

TELL_EVERY = 0.005
LOOK_AT_LOGS_EVERY = 0.5
SAMPLE_MEMORY_EVERY = 0.2
DRAIN_FOR = 5.0
MARK, HOME_MARK = b"TRIVET_ATTEMPT", b"TRIVET_ENGINE"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
DEFAULTS = (int(signal.SIGPIPE), int(signal.SIGXFSZ))  # Python ignores these two; units must not inherit that


class Refused(Exception):
    """The unit can't be started; the message says why."""


class Common:
    """What many units share: environment, limits, and the paths that must be readable."""

    __slots__ = ("env", "grace", "memory", "path", "reads", "time_limit")

    def __init__(self, base: dict[bytes, bytes], fields: dict[str, Any]) -> None:
        self.env = {**base, **{os.fsencode(key): os.fsencode(value) for key, value in fields["env"].items()}}
        self.path = os.fsdecode(self.env.get(b"PATH", os.fsencode(os.defpath)))
        self.memory: Optional[int] = fields.get("memory")
        self.time_limit: Optional[float] = fields.get("time")
        self.grace: float = fields["grace"]
        self.reads: list[str] = fields.get("reads", ())


class Running:
    """A unit that was started and has not been reported yet."""

    __slots__ = ("code", "common", "deadline", "empty", "ended", "id", "limit", "log", "message", "pid", "reason", "slot")
    __slots__ += ("started", "usage")

    def __init__(self, id: str, pid: int, slot: int, common: Common, log: Any, limit: Any) -> None:
        self.id, self.pid, self.slot, self.common, self.log, self.limit = id, pid, slot, common, log, limit
        self.started, self.reason, self.message = time.time(), "", ""

    def reaped(self, status: int, usage: Any) -> None:
        """Its first process has ended; what it left in its group is told to follow."""
        self.ended, self.deadline = time.time(), time.monotonic() + DRAIN_FOR
        self.code, self.usage = exit_code(status), usage
        self.empty = not signal_group(self.pid, signal.SIGKILL)


class Worker:
    """The loop: commands come in, units are started and reaped, what happened is recorded and then told."""

    def __init__(self, directory: str, slots: int, log_cap: int, listener: socket.socket, address: str) -> None:
        import worker_logs

        self.directory, self.address, self.listener = directory, address, listener
        self.home = os.path.join(directory, "worker")
        self.logs = worker_logs.Logs(directory, self.home, log_cap)
        self.base: dict[bytes, bytes] = {}
        self.known: set[str] = set()
        self.queue: OrderedDict[str, Any] = OrderedDict()
        self.free = list(range(slots - 1, -1, -1))
        self.running: dict[int, Running] = {}
        self.draining: list[Running] = []
        self.by_id: dict[str, Running] = {}
        self.programs: dict[tuple[str, str], str] = {}
        self.cwd = ""
        self.accepted: list[str] = []
        self.fresh: dict[str, Running] = {}
        self.ended: list[Any] = []
        self.unsaved = b""
        self.flushed = 0.0
        self.timers: list[tuple[float, int, Callable[[Any], None], Optional[Running]]] = []
        self.armed = 0
        self.looking = self.sampling = self.drain_armed = False
        self.session: dict[str, Any] = {"setsid": True}
        self.memory: Any = None
        self.connection: Optional[socket.socket] = None
        self.incoming, self.outgoing = bytearray(), bytearray()
        self.record = os.open(os.path.join(self.home, "record.jsonl"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.poll = select.poll()
        self.wakeup, write = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write, False)
        listener.setblocking(False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.wakeup, select.POLLIN)
        self.poll.register(listener.fileno(), select.POLLIN)
        self.children = become_reaper()

    # --- The loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until everything has ended and no driver is there."""
        self.accept()
        while self.connection or self.running or self.draining or self.queue or self.unsaved:
            for fd, event in self.poll.poll(self.timeout()):
                if fd == self.wakeup:
                    os.read(fd, 4096)
                    self.reap()
                elif fd == self.listener.fileno():
                    self.accept()
                elif self.connection is not None and fd == self.connection.fileno():
                    if event & select.POLLOUT:
                        self.send(b"")
                    if event & ~select.POLLOUT and self.receive() is None:
                        self.part()
            self.run_timers()
            self.fill()
            if self.flush_due() <= time.monotonic():
                self.flush()
        self.depart()

    def timeout(self) -> Optional[float]:
        """Milliseconds until something is due that no descriptor announces."""
        due = self.flush_due()
        if self.timers and self.timers[0][0] < due:
            due = self.timers[0][0]
        return None if due == float("inf") else max(0.0, (due - time.monotonic()) * 1000)

    def flush_due(self) -> float:
        """When news must be told: at once if there is nothing else to do, else a few at a time."""
        if not (self.accepted or self.fresh or self.ended):
            return float("inf")
        return self.flushed + TELL_EVERY if self.running or self.queue else 0.0

    def after(self, seconds: float, call: Callable[[Any], None], unit: Optional[Running] = None) -> None:
        """Call later; a timer of a unit that has ended meanwhile means nothing."""
        if len(self.timers) > 1000 + 4 * len(self.running):
            self.timers = [timer for timer in self.timers if timer[3] is None or timer[3].pid in self.running]
            heapq.heapify(self.timers)
        self.armed += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.armed, call, unit))

    def run_timers(self) -> None:
        while self.timers and self.timers[0][0] <= time.monotonic():
            _, _, call, unit = heapq.heappop(self.timers)
            if unit is None or self.running.get(unit.pid) is unit:
                call(unit)

    # --- The driver ---------------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Take the newest driver; what the one before it had sent is read first."""
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        while self.connection is not None and self.receive():
            pass
        self.leave()
        self.flush()
        connection.setblocking(False)
        self.connection = connection
        self.poll.register(connection.fileno(), select.POLLIN)
        self.send(dumps(["hello", os.fstat(self.record).st_size]) + self.unsaved)

    def leave(self) -> None:
        """The driver is gone, or replaced."""
        if self.connection is not None:
            self.poll.unregister(self.connection.fileno())
            self.connection.close()
            self.connection = None
        self.incoming, self.outgoing = bytearray(), bytearray()

    def receive(self) -> Optional[bool]:
        """Read commands: False when there was nothing to read, None at the end."""
        assert self.connection is not None
        try:
            data = self.connection.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            return None
        self.incoming += data
        if b"\n" in data:
            *lines, rest = self.incoming.split(b"\n")
            self.incoming = rest
            for line in lines:
                command, *arguments = json.loads(line)
                getattr(self, "on_" + command)(*arguments)
        return True

    def part(self) -> None:
        """The driver has let go: tell it whether anything goes on without it."""
        self.flush()
        idle = not (self.running or self.draining or self.queue or self.unsaved)
        self.send(dumps(["bye", idle]))
        if idle:
            self.depart()
        self.leave()

    def depart(self) -> None:
        """Leave nothing behind (before the driver learns of it by the end of its connection)."""
        self.listener.close()
        self.logs.remove()
        for path in (os.path.join(self.home, "worker.json"), self.address):
            unless_gone(os.unlink, path)
        unless_gone(os.rmdir, os.path.dirname(self.address))

    def send(self, data: bytes) -> None:
        """Tell the driver without ever waiting for it."""
        if self.connection is None:
            return
        self.outgoing += data
        try:
            sent = self.connection.send(self.outgoing)
            del self.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.outgoing.clear()  # it is gone: the end of its stream says so in a moment
        wanted = select.POLLIN | (select.POLLOUT if self.outgoing else 0)
        self.poll.modify(self.connection.fileno(), wanted)

    def flush(self) -> None:
        """Record the news, then tell them."""
        self.flushed = time.monotonic()
        data = b""
        if self.accepted:
            data += dumps(["accepted", self.accepted])
        if self.fresh:
            rows = [[unit.id, unit.started, unit.pid, birth(unit.pid), unit.slot] for unit in self.fresh.values()]
            data += dumps(["started", rows])
        if self.ended:
            data += dumps(["ended", self.ended])
        if data:
            self.accepted, self.fresh, self.ended = [], {}, []
            self.save(data)
            self.send(data)

    def save(self, data: bytes) -> None:
        """Append whole lines to the record; on a full disk keep them and try again."""
        retry = not self.unsaved
        self.unsaved += data
        size = os.fstat(self.record).st_size
        try:
            if os.write(self.record, self.unsaved) < len(self.unsaved):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.unsaved = b""
        except OSError:
            os.ftruncate(self.record, size)
            if retry or not data:
                self.after(1.0, lambda _: self.save(b""))

    # --- Commands -----------------------------------------------------------------------------------------------

    def on_hello(self, environment: dict[str, str]) -> None:
        """The driver's environment, which every unit gets."""
        self.base = {os.fsencode(key): os.fsencode(value) for key, value in environment.items()}
        self.base[HOME_MARK] = os.fsencode(self.directory)

    def on_submit(self, fields: dict[str, Any], units: list[Any]) -> None:
        common = Common(self.base, fields)
        for id, argv, cwd, log in units:
            if id not in self.known:
                self.known.add(id)
                self.accepted.append(id)
                self.queue[id] = (common, argv, cwd, log)
        self.fill()

    def on_cancel(self, ids: list[str], grace: float) -> None:
        for id in ids:
            if self.queue.pop(id, None) is not None:
                self.ended.append([id, None, None, None, None, None, None, {"reason": "cancelled"}])
            elif id in self.by_id:
                self.end(self.by_id[id], "cancelled", "", grace)

    # --- Starting and ending units ------------------------------------------------------------------------------

    def fill(self) -> None:
        """Start what is queued while there are slots."""
        while self.free and self.queue:
            id, (common, argv, cwd, log) = self.queue.popitem(last=False)
            try:
                self.start(id, common, argv, cwd, log)
            except (OSError, ValueError) as error:
                text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                if isinstance(error, FileNotFoundError):
                    text = "the interpreter named in its first line does not exist"
                self.refuse(id, f"program {argv[0] if argv else ''!r} can't be started: {text}")
            except Refused as error:
                self.refuse(id, str(error))

    def refuse(self, id: str, message: str) -> None:
        more = {"reason": "submit_error", "message": message}
        self.ended.append([id, None, None, None, None, None, None, more])

    def start(self, id: str, common: Common, argv: list[str], cwd: str, log_path: Optional[str]) -> None:
        if not argv or not argv[0]:
            raise Refused("there is no command to start")
        for path in common.reads:
            if not os.access(path, os.R_OK):
                raise Refused(f"input {path} can't be read: {why_unreadable(path)}")
        if cwd != self.cwd:
            try:
                os.chdir(cwd)
            except OSError as error:
                raise Refused(f"working directory {cwd} can't be entered: {error.strerror}") from None
            self.cwd = cwd
        slot = self.free[-1]
        try:
            log = self.logs.slot(slot) if log_path is None else self.logs.own(log_path)
        except OSError as error:
            raise Refused(f"log file {error.filename or log_path} can't be written: {error.strerror}") from None
        limit = None
        try:
            program = self.find(argv[0], common.path)
            if common.memory is not None:
                limit = self.limits().limit(common.memory)
                argv = limit.wrap([program, *argv[1:]])
                program = argv[0]
            pid = self.spawn(id, program, argv, common.env, log.fd)
        except BaseException:
            self.programs.clear()
            self.logs.finish(log)
            if limit is not None:
                limit.finish()
            raise
        unit = Running(id, pid, slot, common, log, limit)
        self.free.pop()
        self.running[pid] = self.by_id[id] = self.fresh[id] = unit
        if common.time_limit is not None:
            self.after(common.time_limit, self.out_of_time, unit)
        if not self.looking:
            self.looking = True
            self.after(LOOK_AT_LOGS_EVERY, self.look_at_logs)
        if limit is not None and limit.sampled and not self.sampling:
            self.sampling = True
            self.after(SAMPLE_MEMORY_EVERY, self.sample_memory)

    def spawn(self, id: str, program: str, argv: list[str], env: dict[bytes, bytes], out: int) -> int:
        env[MARK] = os.fsencode(id)
        actions = ((os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2))
        try:
            return os.posix_spawn(program, argv, env, file_actions=actions, setsigdef=DEFAULTS, **self.session)
        except NotImplementedError:  # a system without POSIX_SPAWN_SETSID
            self.session = {"setpgroup": 0}
            return os.posix_spawn(program, argv, env, file_actions=actions, setsigdef=DEFAULTS, **self.session)

    def find(self, name: str, path: str) -> str:
        """The file of a program, looked up as a shell does, in the unit's own PATH and directory."""
        found = self.programs.get((name, path))
        if found is not None:
            return found
        where = [""] if "/" in name else path.split(os.pathsep)
        denied = False
        for directory in where:
            candidate = os.path.join(directory, name)
            try:
                mode = os.stat(candidate).st_mode
            except (OSError, ValueError):
                continue
            if stat.S_ISREG(mode) and os.access(candidate, os.X_OK):
                if os.path.isabs(candidate):
                    self.programs[name, path] = candidate
                return candidate
            denied = True
        if denied:
            raise Refused(f"program {name!r} is not executable")
        raise Refused(f"program {name!r} was not found" + ("" if "/" in name else f" on PATH ({path})"))

    def limits(self) -> Any:
        if self.memory is None:
            import worker_memory

            self.memory = worker_memory.Limits(self.directory)
        return self.memory

    def out_of_time(self, unit: Running) -> None:
        self.end(unit, "timeout", f"the time limit of {unit.common.time_limit:g} s was reached", unit.common.grace)

    def end(self, unit: Running, reason: str, message: str, grace: float) -> None:
        """Ask a unit to end, and make it end after ``grace`` seconds. The first reason counts."""
        if unit.pid not in self.running:
            return
        if not unit.reason:
            unit.reason, unit.message = reason, message
        if grace > 0:
            signal_group(unit.pid, signal.SIGTERM)
            signal_group(unit.pid, signal.SIGCONT)
            self.after(grace, self.kill, unit)
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
            self.after(LOOK_AT_LOGS_EVERY, self.look_at_logs)

    def sample_memory(self, _: Any) -> None:
        sampled = [unit for unit in self.running.values() if unit.limit is not None and unit.limit.sampled]
        for unit in sampled:
            if unit.limit.exceeded(unit.pid):
                self.end(unit, "oom", "", 0)
        self.sampling = bool(sampled)
        if sampled:
            self.after(SAMPLE_MEMORY_EVERY, self.sample_memory)

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
            self.after(0.01, self.drain_again)

    def drain_again(self, _: None) -> None:
        self.drain_armed = False
        self.drain()

    def kill_strays(self) -> bool:
        """Kill children of ended units that left their group (this process inherits them); True while some die."""
        if self.children is None:
            return False
        data = os.pread(self.children, 1 << 20, 0)
        if data.count(b" ") <= len(self.running):
            return False
        found = False
        for pid in map(int, data.split()):
            if pid not in self.running:
                owner = marked(pid, self.directory)
                if owner not in self.by_id or self.by_id[owner].pid not in self.running:
                    if owner is None and self.running:
                        continue  # it hides whose it is, and may be of a unit that runs
                    unless_gone(os.kill, pid, signal.SIGKILL)
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

    # --- After the death of a worker ----------------------------------------------------------------------------

    def recover(self) -> None:
        """Take over the record of a worker that died: what it left running is ended and reported lost."""
        started: dict[str, list[Any]] = {}
        ended: set[str] = set()
        size = os.fstat(self.record).st_size
        data = os.pread(self.record, size, 0)
        for line in data.split(b"\n"):
            try:
                kind, rows = json.loads(line)
            except ValueError:
                continue  # a line that was torn by a crash
            if kind == "accepted":
                self.known.update(rows)
            elif kind == "started":
                started.update((row[0], row) for row in rows)
            elif kind == "ended":
                ended.update(row[0] for row in rows)
        if data and not data.endswith(b"\n"):
            os.write(self.record, b"\n")
        lost = self.known - ended
        self.known |= ended
        if lost:
            end_left_over(lost, [started[id] for id in lost if id in started], self.directory)
            self.limits().sweep()
        for id in sorted(lost):
            at = started[id][1] if id in started else None
            more = {"reason": "lost", "message": "the worker that watched over it died"}
            self.ended.append([id, None, at, None, None, None, None, more])
        self.flush()


# --- Helpers: the operating system -------------------------------------------------------------------------------


def dumps(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def unless_gone(call: Callable[..., None], *arguments: Any) -> None:
    try:
        call(*arguments)
    except OSError:
        pass


def exit_code(status: int) -> int:
    """The exit code, or minus the signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; False when nothing of it is left (macOS: or only a zombie)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def why_unreadable(path: str) -> str:
    try:
        os.stat(path)
    except OSError as error:
        return error.strerror
    return os.strerror(errno.EACCES)


def birth(pid: int) -> Optional[int]:
    """When a process started, in clock ticks since boot: with its number it is unique. None where unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def marked(pid: int, directory: str) -> Optional[str]:
    """The attempt a process of this directory belongs to, by its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read().split(b"\0")
    except OSError:
        return None
    if HOME_MARK + b"=" + os.fsencode(directory) not in environment:
        return None
    prefix = MARK + b"="
    return next((os.fsdecode(entry[len(prefix) :]) for entry in environment if entry.startswith(prefix)), None)


def become_reaper() -> Optional[int]:
    """Inherit orphans of units (Linux), so that none escapes; the descriptor that lists this process's children."""
    path = f"/proc/self/task/{os.getpid()}/children"
    if not os.path.exists(path):
        return None
    import ctypes

    set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) != 0:
        return None
    return os.open(path, os.O_RDONLY)


def end_left_over(ids: set[str], started: list[list[Any]], directory: str) -> None:
    """Kill what a dead worker's units left running (found through /proc), and wait until it is gone."""
    until = time.monotonic() + DRAIN_FOR
    while time.monotonic() < until:
        found = False
        for _, _, pid, born, *_ in started:
            if born is not None and birth(pid) == born:
                found = signal_group(pid, signal.SIGKILL) or found
        for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
            if name.isdigit() and marked(int(name), directory) in ids:
                unless_gone(os.kill, int(name), signal.SIGKILL)
                found = True
        if not found:
            return
        time.sleep(0.01)


def lock(record: int) -> bool:
    """Make sure that only one worker writes this record."""
    for _ in range(100):
        try:
            fcntl.lockf(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):
            time.sleep(0.05)  # the one before is about to leave
        except OSError:
            return True  # a file system without locks
    return False


def main() -> None:
    directory, slots, log_cap, address = sys.argv[1:]
    listener = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.chdir("/")
    worker = Worker(directory, int(slots), int(log_cap), listener, address)
    if not lock(worker.record):
        connection, _ = listener.accept()
        connection.sendall(dumps(["refused", "another worker of this directory runs, but does not answer"]))
        return
    worker.recover()
    worker.run()


if __name__ == "__main__":
    main()
