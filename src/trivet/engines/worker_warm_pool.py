"""The worker's side of `worker_warm`: processes that have imported a script's modules and fork for its units."""

from __future__ import annotations

import os
import select
import socket
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from trivet.engines.worker_system import ATTEMPT, DEFAULTS, kill
    from trivet.engines.worker_units import Common, Timers
else:
    from worker_system import ATTEMPT, DEFAULTS, kill

LOADING, READY, COLD = "loading", "ready", "cold"
AT_MOST = 4
IDLE_FOR = 60.0
FORK_MAY_TAKE = 30.0
ROOM = 1000
TITLE = "(imports what many units need)".ljust(1000)
MESSAGE_AT_MOST = 100_000

Key = tuple[str, str, Any]


class Parent:
    """One process with imported modules: ``state`` says whether it can fork yet."""

    __slots__ = ("channel", "pid", "reason", "state", "used")

    def __init__(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.used = state, reason, 0.0
        self.channel: Optional[socket.socket] = None
        self.pid = 0


class Pool:
    """At most a few parents, the least recently used go first; their memory together is bounded.

    ``poll`` watches their channels: `heard` is to be called with a descriptor that became readable.
    """

    def __init__(self, scratch: str, timers: Timers, poll: Any, memory: int) -> None:
        self.scratch, self.timers, self.poll, self.memory = os.path.join(scratch, "warm"), timers, poll, memory
        self.parents: OrderedDict[Key, Parent] = OrderedDict()
        self.channels: dict[int, Key] = {}
        self.pids: set[int] = set()
        self.looking = False
        self.refused: list[list[str]] = []

    # --- Which parent -------------------------------------------------------------------------------------------

    def importing(self, program: str, common: Common, argv: list[str], more: bool) -> bool:
        """Whether the parent of such units still imports; with ``more`` than one of them one is started."""
        key = (program, argv[1], common.kind)
        if key not in self.parents and more:
            self.parents[key] = Parent(COLD)  # whatever happens, it is not tried again and again
            self.parents[key] = self.begin(key, common, argv)
            self.tell(key)
        parent = self.parents.get(key)
        return parent is not None and parent.state == LOADING

    def begin(self, key: Key, common: Common, argv: list[str]) -> Parent:
        program, script, _ = key
        reason = unfit(program, script, common.env)
        if reason:
            return Parent(COLD, reason)
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.path.join(self.scratch, "output")
        try:
            install(self.scratch)
            out = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            os.unlink(path)
        except OSError as error:
            here.close()
            there.close()
            return Parent(COLD, str(error))
        own = common.env.get(b"PYTHONPATH")
        paths = os.fsencode(self.scratch) + (os.pathsep.encode() + own if own else b"")
        environment = {**common.env, b"PYTHONPATH": paths, ATTEMPT: b"-" * ROOM}
        moves = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((out, 1), (out, 2), (there.fileno(), 3))]
        parent = Parent(LOADING)
        try:
            os.chdir("/")
            here.send((b"" if own is None else b"=" + own) + b"\0" + os.fsencode(script))
            parent.pid = os.posix_spawn(
                program, [argv[0], script, TITLE], environment, file_actions=moves, setsid=True, setsigdef=DEFAULTS
            )
        except (OSError, ValueError, NotImplementedError) as error:
            here.close()
            return Parent(COLD, str(error))
        finally:
            there.close()
            os.close(out)
        parent.channel, parent.used = here, time.monotonic()
        here.settimeout(FORK_MAY_TAKE)
        self.pids.add(parent.pid)
        self.channels[here.fileno()] = key
        self.poll.register(here.fileno(), select.POLLIN)
        if not self.looking:
            self.looking = True
            self.timers.after(IDLE_FOR, self.retire_idle)
        return parent

    # --- What parents say ---------------------------------------------------------------------------------------

    def heard(self, fd: int) -> bool:
        """Take what a parent says; False if the descriptor is none of theirs."""
        key = self.channels.get(fd)
        if key is None:
            return False
        parent = self.parents[key]
        said = self.receive(parent)
        if said == b"ready":
            parent.state = READY
            self.make_room(key)
        else:
            words = said[len(b"cold ") :].decode("utf-8", "replace")
            self.retire(key)
            self.parents[key] = Parent(COLD, words or "it ended while it imported")
            self.tell(key)
        return True

    def tell(self, key: Key) -> None:
        """Say why units of a script are started cold."""
        if self.parents[key].state == COLD:
            self.refused.append([*key[:2], self.parents[key].reason])

    def receive(self, parent: Parent) -> bytes:
        assert parent.channel is not None
        try:
            return parent.channel.recv(1 << 11)
        except OSError:
            return b""

    def fork(self, id: str, common: Common, program: str, argv: list[str], cwd: str, log: int, group: str) -> int:
        """Let the unit's parent fork: the process of the unit, or 0 where it has to be started cold."""
        key = (program, argv[1], common.kind)
        parent = self.parents.get(key)
        if parent is None or parent.state != READY or parent.channel is None:
            return 0
        request = b"\0".join([os.fsencode(word) for word in (id, cwd, group, *argv[2:])])
        words = len(argv)
        if len(request) > MESSAGE_AT_MOST or request.count(b"\0") != words or len(os.fsencode(id)) > ROOM:
            return 0
        parent.used = time.monotonic()
        self.parents.move_to_end(key)
        said = b""
        try:
            socket.send_fds(parent.channel, [request], [log])
            said = self.receive(parent)
        except OSError:
            pass
        if said.startswith(b"failed"):
            return 0
        if not said.isdigit():
            said = self.retire(key)
        return int(said) if said.isdigit() else 0

    # --- The end of parents ---------------------------------------------------------------------------------------

    def retire(self, key: Key) -> bytes:
        """End a parent; its units go on. What it, or a unit, still had to say: a unit that can't tell does not run."""
        parent = self.parents.pop(key)
        said = b""
        if parent.channel is not None:
            fd = parent.channel.fileno()
            del self.channels[fd]
            self.poll.unregister(fd)
            parent.channel.setblocking(False)
            try:
                parent.channel.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            said = self.receive(parent)
            parent.channel.close()
        if parent.pid in self.pids:
            kill(parent.pid)
        return said

    def reaped(self, pid: int) -> None:
        """A child of the worker that is no unit has ended."""
        self.pids.discard(pid)

    def make_room(self, newest: Key) -> None:
        """End the least recently used while there are too many or they hold too much memory."""
        live = [key for key, parent in self.parents.items() if parent.channel is not None]
        used = {key: resident(self.parents[key].pid) for key in live}
        for key in live:
            if len(used) <= AT_MOST and sum(used.values()) <= self.memory:
                break
            if key != newest:
                del used[key]
                self.retire(key)
        if sum(used.values()) > self.memory:
            self.retire(newest)
            self.parents[newest] = Parent(COLD, "its imports take too much memory")
            self.tell(newest)

    def retire_idle(self, _: Any) -> None:
        old = time.monotonic() - IDLE_FOR
        for key, parent in list(self.parents.items()):
            if parent.channel is not None and parent.state == READY and parent.used <= old:
                self.retire(key)
        self.looking = bool(self.channels)
        if self.looking:
            self.timers.after(IDLE_FOR, self.retire_idle)

    def close(self) -> None:
        """End all parents, and wait for them: nothing is left behind."""
        for key in list(self.parents):
            self.retire(key)
        for pid in self.pids:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
        for remove, name in ((os.unlink, "sitecustomize.py"), (os.rmdir, "__pycache__"), (os.rmdir, "")):
            try:
                remove(os.path.join(self.scratch, name))
            except OSError:
                pass


def unfit(program: str, script: str, environment: dict[bytes, bytes]) -> str:
    """Why a command can't be run warm; empty if it can.

    A program that is not Python itself might pass over ``PYTHONPATH``, and run the script where it should import. A
    path that is relative means something else in every working directory.
    """
    name = os.path.basename(os.path.realpath(program))
    with open(program, "rb") as file:
        binary = file.read(4) == b"\x7fELF"
    if not (binary and name.startswith(("python", "pypy"))):
        return "%s is not the Python interpreter itself" % program
    if not (script.endswith(".py") and os.path.isabs(script) and os.path.isfile(script)):
        return "%s is not the absolute path of a script" % script
    paths = environment.get(b"PYTHONPATH")
    if paths is not None and not all(os.path.isabs(path) for path in paths.split(os.pathsep.encode())):
        return "PYTHONPATH has relative paths"
    return ""


def install(directory: str) -> None:
    """Write what parents run where they look for it; this module may stand in a zip file."""
    path = os.path.join(directory, "sitecustomize.py")
    if os.path.exists(path):
        return
    os.makedirs(directory, exist_ok=True)
    loader: Any = globals()["__loader__"]
    source = loader.get_data(os.path.join(os.path.dirname(__file__), "worker_warm.py"))
    with open(path + ".new", "wb") as file:
        file.write(source)
    os.replace(path + ".new", path)


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    try:
        with open("/proc/%d/statm" % pid, "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
