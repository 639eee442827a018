"""Units that are processes of this machine: the driver's side of `trivet.engines.worker`."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from trivet.engines import Accepted, Attempt, Ended, EngineError, EngineEvent, Started, Waiting
from trivet.engines.messages import Forgotten, batches, events
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment, Program
from trivet.tasks.work import AttemptId, Outcome

_WORKER = Path(__file__).with_name("worker.py")
_SENT, _ACCEPTED, _STARTED, _ENDED = range(4)

Lost = Callable[[Sequence[AttemptId]], None]
Reading = Callable[[AttemptId, Outcome], Outcome]


class Processes:
    """Talks to the worker of a directory, which is started when first needed and outlives this object.

    A worker that dies is replaced. A driver whose directory is taken over by another hears nothing any more, and its
    methods raise EngineError.

    ``slots`` units run at once; a log keeps at most ``log_cap`` bytes. What happens is put on ``events``. ``lost`` is
    called with attempts to adopt that no worker of this directory ever took; without it they end as lost. ``reading``
    says what the outcome of a process means, where that is not what it seems to be.
    """

    def __init__(
        self,
        directory: Path,
        events: SimpleQueue[Sequence[EngineEvent]],
        slots: int,
        log_cap: int,
        lost: Lost | None = None,
        reading: Reading | None = None,
    ) -> None:
        self._directory = str(directory.absolute())
        self._home = Path(self._directory, "worker")
        self._events, self._slots, self._log_cap = events, slots, log_cap
        self._lost = lost or self.report_lost
        self._reading = reading
        self._host = socket.gethostname()
        self._lock = threading.RLock()
        self._stages: dict[AttemptId, int] = {}
        self._held: set[AttemptId] = set()
        self._unclaimed: dict[AttemptId, list[EngineEvent]] = {}
        self._socket: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._child: int | None = None
        self._closing = False

    # --- What an engine does ------------------------------------------------------------------------------------

    def prepare(self, programs: Sequence[Program]) -> None:
        """Raises EngineError for an environment that does not exist."""
        for program in programs:
            if isinstance(program, Environment) and program.prefix and not Path(program.prefix).is_dir():
                raise EngineError(f"there is no environment at {program.prefix}; create it first")

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Raises EngineError when no worker can be started."""
        with self._lock:
            self._connect()
            fresh = [attempt for attempt in attempts if self._release(attempt.id) or self._claim(attempt.id)]
            for attempt in fresh:
                self._stages.setdefault(attempt.id, _SENT)
            for common, units in batches(fresh, self._directory):
                self._send(["submit", common, units])

    def adopt(self, attempts: Iterable[AttemptId]) -> None:
        """Raises EngineError when the record exists, but no worker can be started."""
        with self._lock:
            if self._home.joinpath("record.jsonl").exists():
                self._connect()
            unknown = [id for id in attempts if self._claim(id)]
            if unknown:
                self._lost(unknown)

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        with self._lock:
            held = [id for id in ids if id in self._held]
            if held:
                self.end(dict.fromkeys(held, Outcome(None, reason=Reason.CANCELLED, host=self._host)))
            mine = [id for id in ids if self._stages.get(id, _ENDED) < _ENDED]
            if mine:
                self._send(["cancel", mine, grace])

    def knows(self, id: AttemptId) -> bool:
        """Whether the attempt was submitted or adopted here."""
        return id in self._stages

    def report_lost(self, ids: Sequence[AttemptId], message: str = "the worker does not know it") -> None:
        """Say that nothing can be known about attempts."""
        self.end(dict.fromkeys(ids, Outcome(None, reason=Reason.LOST, message=message, host=self._host)))

    # --- Attempts that have to be made ready before a worker can take them -------------------------------------------

    def hold(self, ids: Iterable[AttemptId]) -> list[AttemptId]:
        """Claim attempts that will be submitted later; returns those that are new, the others are known already.

        They can be cancelled meanwhile, and then never start. Raises EngineError when no worker can be started.
        """
        with self._lock:
            self._connect()
            fresh = [id for id in ids if self._claim(id)]
            self._stages.update(dict.fromkeys(fresh, _SENT))
            self._held.update(fresh)
            return fresh

    def wait(self, id: AttemptId, message: str) -> None:
        """Say what a held attempt waits for."""
        with self._lock:
            if id in self._held:
                accepted: list[EngineEvent] = [Accepted(id)] if self._stages[id] < _ACCEPTED else []
                self._stages[id] = _ACCEPTED
                self._events.put([*accepted, Waiting(id, message)])

    def end(self, outcomes: Mapping[AttemptId, Outcome]) -> None:
        """Say that attempts are over which no worker has."""
        with self._lock:
            self._stages.update(dict.fromkeys(outcomes, _ENDED))
            self._held.difference_update(outcomes)
            self._events.put([Ended(id, outcome) for id, outcome in outcomes.items()])

    def is_over(self, id: AttemptId) -> bool:
        """Whether its end was told."""
        return self._stages.get(id) == _ENDED

    def _release(self, id: AttemptId) -> bool:
        """Whether the attempt was held, and no longer is."""
        was = id in self._held
        self._held.discard(id)
        return was

    def close(self) -> None:
        """Let go of the worker; it leaves when everything has ended. Waits for it if that is already so."""
        with self._lock:
            self._closing = True
            reader, connection = self._reader, self._socket
            if connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
        if reader is not None:
            reader.join(timeout=30)

    # --- What was known before, and what is told now ---------------------------------------------------------------

    def _claim(self, id: AttemptId) -> bool:
        """Make an attempt this driver's own, with what is known of it; True if nothing is."""
        if id in self._stages:
            return False
        before = self._unclaimed.pop(id, None)
        if before is None:
            return True
        self._stages[id] = _SENT
        self._emit(before)
        return False

    def _emit(self, news: Iterable[EngineEvent | Forgotten]) -> None:
        """Put on the queue what is new for claimed attempts, and keep the rest for whoever claims it."""
        stages, told = self._stages, []
        for event in news:
            if isinstance(event, Forgotten):
                self._unclaimed.pop(event.id, None)
                continue
            stage = stages.get(event.id)
            if stage is None:
                self._unclaimed.setdefault(event.id, []).append(event)
                continue
            reached = _ENDED if type(event) is Ended else _STARTED if type(event) is Started else _ACCEPTED
            if reached > stage:
                stages[event.id] = reached
                told.append(self._read_outcome(event) if type(event) is Ended else event)
        if told:
            self._events.put(told)

    def _read_outcome(self, event: Ended) -> Ended:
        return event if self._reading is None else Ended(event.id, self._reading(event.id, event.outcome))

    # --- The connection -------------------------------------------------------------------------------------------

    def _send(self, message: Any) -> None:
        if self._socket is not None:
            with suppress(OSError):  # a worker that died is noticed, and replaced, by the reader
                self._socket.sendall(_dumps(message))

    def _connect(self) -> None:
        """Reach the worker, or start one; read what was recorded before, and begin to listen."""
        if self._socket is not None:
            return
        if self._closing:
            raise EngineError("this engine was closed, or another process has taken over its directory")
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            connection, recorded, unsaved, rest = self._reach() or self._start()
        except OSError as error:
            raise EngineError(f"no worker can be started in {self._directory}: {error}") from error
        connection.settimeout(None)
        connection.sendall(_dumps(["hello", dict(os.environ)]))
        self._socket = connection
        with open(self._home / "record.jsonl", "rb") as record:
            history = record.read(recorded) + unsaved
        self._emit(events(history.split(b"\n")[:-1], self._host))
        self._reader = threading.Thread(target=self._read, args=(connection, rest), name="trivet-worker", daemon=True)
        self._reader.start()

    def _reach(self) -> tuple[socket.socket, int, bytes, bytes] | None:
        """A connection to a worker that runs already."""
        note = self._home / "worker.json"
        try:
            address = json.loads(note.read_bytes())["socket"]
        except (FileNotFoundError, ValueError, KeyError):
            return None
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            return connection, *_hello(connection)
        except (FileNotFoundError, ConnectionError, EOFError):
            connection.close()
            _remove_socket(address)
            note.unlink(missing_ok=True)
            return None

    def _start(self) -> tuple[socket.socket, int, bytes, bytes]:
        """A new worker, detached from this process, with a socket whose name is short enough and private."""
        place = os.environ.get("TMPDIR", "")
        address = f"{place if 0 < len(place) < 60 else '/tmp'}/trivet-{os.urandom(8).hex()}/worker"  # noqa: S108
        connection = socket.socket(socket.AF_UNIX)
        try:
            self._write_note({"socket": address})
            Path(address).parent.mkdir(mode=0o700)
            with socket.socket(socket.AF_UNIX) as listener, open(self._home / "worker.log", "ab") as log:
                listener.bind(address)
                listener.listen()
                connection.connect(address)
                arguments = [self._directory, str(self._slots), str(self._log_cap), address]
                self._child = os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", "-X", "utf8", str(_WORKER), *arguments],
                    os.environ,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, listener.fileno(), 0),
                        (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                        (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                    ],
                    setsid=True,
                )
            return connection, *_hello(connection)
        except BaseException as error:
            connection.close()
            _remove_socket(address)
            if isinstance(error, EOFError):
                self._reap()
                raise EngineError(f"the worker ended at once; see {self._home / 'worker.log'}") from error
            raise

    def _write_note(self, note: dict[str, Any]) -> None:
        temporary = self._home / f"worker.json.{os.getpid()}"
        temporary.write_text(json.dumps(note) + "\n")
        temporary.replace(self._home / "worker.json")

    def _read(self, connection: socket.socket, rest: bytes) -> None:
        """Turn what the worker says into events, until it ends (a thread)."""
        buffer = bytearray(rest)
        idle = None
        while True:
            *lines, tail = bytes(buffer).split(b"\n") if b"\n" in buffer else [bytes(buffer)]
            if lines:
                buffer = bytearray(tail)
                if lines[-1].startswith(b'["bye"'):
                    idle = json.loads(lines.pop())[1]
                with self._lock:
                    self._emit(events(lines, self._host))
            try:
                data = connection.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                break
            buffer += data
        self._ended(connection, idle)

    def _ended(self, connection: socket.socket, idle: bool | None) -> None:
        """The worker has left (``idle``), goes on without this driver (not ``idle``), or died (None)."""
        connection.close()
        if idle is False:
            threading.Thread(target=self._reap, name="trivet-worker", daemon=True).start()
        else:
            self._reap()
        with self._lock:
            self._socket = self._reader = None
            if idle is None and not self._closing:
                self._replace()
            self._closing = self._closing or idle is not None

    def _reap(self) -> None:
        """Leave no zombie of a worker this process started."""
        child, self._child = self._child, None
        if child is not None:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)

    def _replace(self) -> None:
        """After a worker died: another one ends what it left and says what it recorded; the rest is lost."""
        left = [id for id, stage in self._stages.items() if stage < _ENDED and id not in self._held]
        if not left:
            return
        message = "the worker died before it started it"
        try:
            self._connect()
        except EngineError as error:
            message = f"the worker died, and {error}"
        self.report_lost([id for id in left if self._stages[id] < _ENDED], message)


def _hello(connection: socket.socket) -> tuple[int, bytes, bytes]:
    """The size of the record when the worker took this connection, what did not fit on the disk, and what came after.

    Raises EOFError when the worker has ended.
    """
    connection.settimeout(60)
    data, length = b"", 0
    while b"\n" not in data or len(data.partition(b"\n")[2]) < length:
        try:
            more = connection.recv(1 << 16)
        except ConnectionError:
            more = b""
        if not more:
            raise EOFError
        data += more
        if b"\n" in data:
            kind, *values = json.loads(data.partition(b"\n")[0])
            if kind == "refused":
                raise EngineError(values[0])
            size, length = values
    rest = data.partition(b"\n")[2]
    return size, rest[:length], rest[length:]


def _dumps(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _remove_socket(address: str) -> None:
    """A socket nobody listens to, and its private directory."""
    with suppress(OSError):
        Path(address).unlink()
        Path(address).parent.rmdir()
