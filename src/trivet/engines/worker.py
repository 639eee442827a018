"""The process that starts units on this machine, and remembers how they ended when nobody else does.

Standard library only, Python 3.9 or later, one thread. `trivet.engines.processes` starts it, detached, and talks to it
over a Unix socket, in lines of JSON; every line it sends was first appended to ``record.jsonl``:

    ["accepted", [id, ...]]
    ["starting", [id]]                                 only recorded: right before a unit is started
    ["started", [[id, at, pid, birth, slot], ...]]     birth: the process's start in clock ticks since boot
    ["ended", [[id, exit code, started, ended, cpu, peak memory, log, more], ...]]
    ["forgotten", [id, ...]]                           accepted by a worker that died before it started them
    ["cold", [[interpreter, script, why], ...]]        units that were to be forked are processes of their own

A unit that starts and ends between two lines is told only by "ended". ``log`` is [path, offset, length] or null;
``more`` holds signal, reason, message and measured_by where they say more than the default.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Optional

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # it is run as a file, outside of any package

if TYPE_CHECKING:
    from trivet.engines.worker_link import Link, Record, dumps
    from trivet.engines.worker_logs import Logs
    from trivet.engines.worker_queue import Lane, Queue
    from trivet.engines.worker_system import ENGINE, birth, close_inherited, end_left_over
    from trivet.engines.worker_units import Common, Refused, Timers, Units, never_ran
else:
    from worker_link import Link, Record, dumps
    from worker_logs import Logs
    from worker_queue import Queue
    from worker_system import ENGINE, birth, close_inherited, end_left_over
    from worker_units import Common, Refused, Timers, Units, never_ran

TELL_EVERY = 0.01


class Worker:
    """The loop: commands come in, units are started and reaped, what happened is recorded and then told."""

    def __init__(self, directory: str, slots: int, log_cap: int, listener: socket.socket, address: str) -> None:
        self.directory, self.home = os.path.realpath(directory), os.path.join(directory, "worker")
        self.poll = select.poll()
        self.record = Record(os.path.join(self.home, "record.jsonl"))
        self.link = Link(listener, address, self.poll)
        self.logs = Logs(directory, self.home, log_cap)
        self.timers = Timers()
        self.units = Units(self.directory, slots, self.logs, self.timers)
        self.base: dict[bytes, bytes] = {}
        self.known: set[str] = set()
        self.queue = Queue(self.units.capacity)
        self.untold = b""
        self.flushed = 0.0
        self.wakeup, write = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.wakeup, select.POLLIN)

    # --- The loop -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until everything has ended and no driver is there."""
        self.accept()
        while self.link.connection or not self.idle():
            for fd, event in self.poll.poll(self.timeout()):
                if fd == self.wakeup:
                    os.read(fd, 4096)
                    self.units.reap()
                elif fd == self.link.listener.fileno():
                    self.accept()
                elif self.units.warm is not None and self.units.warm.heard(fd):
                    pass
                elif self.link.connection is not None and fd == self.link.connection.fileno():
                    if event & select.POLLOUT:
                        self.link.send(b"")
                    if event & ~select.POLLOUT:
                        self.receive()
            self.timers.run()
            self.fill()
            if self.flush_due() <= time.monotonic():
                self.flush()
        self.depart()

    def idle(self) -> bool:
        return not (self.queue or self.units.running or self.units.draining or self.record.unsaved)

    def timeout(self) -> Optional[float]:
        """Milliseconds until something is due that no descriptor announces."""
        due = min(self.flush_due(), self.timers.due)
        return None if due == float("inf") else max(0.0, (due - time.monotonic()) * 1000)

    def flush_due(self) -> float:
        """When news must be told: at once if there is nothing else to do, else a few at a time."""
        if not (self.untold or self.units.fresh or self.units.ended):
            return float("inf")
        return self.flushed + TELL_EVERY if self.queue or self.units.running else 0.0

    def fill(self) -> None:
        """Start what is queued and fits."""
        while self.queue:
            job = self.queue.next(self.held)
            if job is None:
                break
            self.save(dumps(["starting", [job[0]]]))
            try:
                self.units.start(*job)
            except Refused as error:
                self.units.ended.append(never_ran(job[0], "submit_error", str(error)))

    def held(self, lane: Lane) -> bool:
        """Whether units wait for a process that imports their modules; one unit alone is not worth that."""
        _, common, argv, _, _ = next(iter(lane.jobs.values()))
        if common.kind is None or len(argv) < 2:
            return False
        return self.units.importing(common, argv, more=len(lane.jobs) >= common.worth, poll=self.poll)

    # --- The driver ---------------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Take the newest driver; what the one before it had sent is done first."""
        connection = self.link.accept()
        if connection is None:
            return
        try:
            while self.link.connection is not None:
                commands = self.link.receive()
                if commands is None:
                    break
                self.perform(commands)
        except EOFError:
            pass
        self.link.send(dumps(["bye", False]))
        self.link.leave()
        self.flush()
        self.link.greet(connection, self.record)

    def receive(self) -> None:
        """Do what the driver wants; when it lets go, tell it whether anything goes on without it."""
        try:
            self.perform(self.link.receive() or [])
        except EOFError:
            self.flush()
            idle = self.idle()
            self.link.send(dumps(["bye", idle]))
            if idle:
                self.depart()
            self.link.leave()

    def perform(self, commands: list[Any]) -> None:
        for command, *arguments in commands:
            getattr(self, "on_" + command)(*arguments)

    def depart(self) -> None:
        """Leave nothing behind (before the driver learns of it by the end of its connection)."""
        if self.units.warm is not None:
            self.units.warm.close()
        self.logs.remove()
        self.link.remove()
        try:
            os.unlink(os.path.join(self.home, "worker.json"))
        except OSError:
            pass

    def flush(self) -> None:
        """Record the news, then tell them."""
        self.flushed = time.monotonic()
        data = b""
        if self.units.fresh:
            fresh = self.units.fresh.values()
            data += dumps(
                ["started", [[unit.id, unit.started, unit.pid, birth(unit.pid), unit.slot] for unit in fresh]]
            )
        if self.units.ended:
            data += dumps(["ended", self.units.ended])
        if self.units.warm is not None and self.units.warm.refused:
            data += dumps(["cold", self.units.warm.refused])
            self.units.warm.refused = []
        if data:
            self.units.fresh, self.units.ended = {}, []
            self.keep(data)
        if self.untold:
            self.link.send(self.untold)
            self.untold = b""

    def keep(self, data: bytes) -> None:
        """Record what is to be told."""
        self.save(data)
        self.untold += data

    def save(self, data: bytes) -> None:
        """Record something, later if the disk is full."""
        full_before = bool(self.record.unsaved)
        if not self.record.save(data) and not full_before:
            self.timers.after(1.0, self.save_again)

    def save_again(self, _: None) -> None:
        if not self.record.save():
            self.timers.after(1.0, self.save_again)

    # --- Commands -----------------------------------------------------------------------------------------------

    def on_hello(self, environment: dict[str, str]) -> None:
        """The driver's environment, which every unit gets."""
        self.base = {os.fsencode(key): os.fsencode(value) for key, value in environment.items()}
        self.base[ENGINE] = os.fsencode(self.directory)

    def on_submit(self, fields: dict[str, Any], units: list[Any]) -> None:
        common = Common(self.base, fields)
        accepted = []
        for id, argv, cwd, log in units:
            if id not in self.known:
                self.known.add(id)
                accepted.append(id)
                self.queue.add(id, common, argv, cwd, log)
        if accepted:  # before any of them starts: who comes after a worker that was killed must know whom to look for
            self.keep(dumps(["accepted", accepted]))
        self.fill()

    def on_cancel(self, ids: list[str], grace: float) -> None:
        for id in ids:
            if self.queue.remove(id):
                self.units.ended.append(never_ran(id, "cancelled", ""))
            elif id in self.units.by_id:
                self.units.end(self.units.by_id[id], "cancelled", "", grace)

    # --- After the death of a worker ----------------------------------------------------------------------------

    def recover(self) -> None:
        """Take over the record of a worker that died: what it left running is ended and reported lost, what it had not
        begun to start is forgotten, so that it can be submitted again."""
        started: dict[str, list[Any]] = {}
        begun: set[str] = set()
        ended: set[str] = set()
        for kind, rows in self.record.lines():
            if kind == "accepted":
                self.known.update(rows)
            elif kind == "starting":
                begun.update(rows)
            elif kind == "started":
                started.update((row[0], row) for row in rows)
            elif kind == "ended":
                ended.update(row[0] for row in rows)
            elif kind == "forgotten":
                self.known.difference_update(rows)
        begun |= started.keys()
        forgotten, lost = self.known - begun - ended, begun - ended
        self.known = begun | ended
        if forgotten:
            self.keep(dumps(["forgotten", sorted(forgotten)]))
        if lost:
            end_left_over(lost, [started[id] for id in lost if id in started], self.directory)
            self.units.memory().sweep()
        for id in sorted(lost):
            row = never_ran(id, "lost", "the worker that watched over it died")
            row[2] = started[id][1] if id in started else None
            self.units.ended.append(row)
        self.flush()


def main() -> None:
    directory, slots, log_cap, address = sys.argv[1:]
    close_inherited()
    listener = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.chdir("/")
    worker = Worker(directory, int(slots), int(log_cap), listener, address)
    if not worker.record.lock():
        connection, _ = listener.accept()
        connection.sendall(dumps(["refused", "another worker of this directory runs, but does not answer"]))
        return
    worker.recover()
    worker.run()


if __name__ == "__main__":
    main()
