"""What the worker writes down, and the driver it tells: every line is recorded before it is told."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import socket
import time
from typing import Any, Iterator, Optional


class Record:
    """The append-only file of what happened, one worker's at a time."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.unsaved = b""

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def lock(self) -> bool:
        """Make sure that nobody else writes; the worker before may be about to leave."""
        for _ in range(100):
            try:
                fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except (BlockingIOError, PermissionError):
                time.sleep(0.05)
            except OSError:
                return True  # a file system without locks
        return False

    def lines(self) -> Iterator[Any]:
        """What was recorded before; a line torn by a crash is passed over, and ended."""
        data = os.pread(self.fd, self.size, 0)
        if data and not data.endswith(b"\n"):
            os.write(self.fd, b"\n")
        for line in data.split(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def save(self, data: bytes = b"") -> bool:
        """Append whole lines, and what could not be appended before; False when the disk is full."""
        self.unsaved += data
        if not self.unsaved:
            return True
        size = self.size
        try:
            if os.write(self.fd, self.unsaved) < len(self.unsaved):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self.fd, size)
            return False
        self.unsaved = b""
        return True


class Link:
    """The connection to the driver, which may die and be replaced. Nothing here ever waits for it."""

    def __init__(self, listener: socket.socket, address: str, poll: Any) -> None:
        self.listener, self.address, self.poll = listener, address, poll
        self.connection: Optional[socket.socket] = None
        self.incoming, self.outgoing = bytearray(), bytearray()
        listener.setblocking(False)
        poll.register(listener.fileno(), select.POLLIN)

    def accept(self) -> Optional[socket.socket]:
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return None
        connection.setblocking(False)
        return connection

    def greet(self, connection: socket.socket, record: Record) -> None:
        """Take a new driver in place of the one before; it reads for itself what is in the record."""
        self.leave()
        self.connection = connection
        self.poll.register(connection.fileno(), select.POLLIN)
        record.save()
        self.send(dumps(["hello", record.size, len(record.unsaved)]) + record.unsaved)

    def leave(self) -> None:
        if self.connection is not None:
            self.poll.unregister(self.connection.fileno())
            self.connection.close()
            self.connection = None
        self.incoming, self.outgoing = bytearray(), bytearray()

    def receive(self) -> Optional[list[Any]]:
        """The commands that have come in; None when nothing has. Raises EOFError when the driver has let go."""
        assert self.connection is not None
        try:
            data = self.connection.recv(1 << 18)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            raise EOFError
        self.incoming += data
        if b"\n" not in data:
            return []
        *lines, self.incoming = self.incoming.split(b"\n")
        return [json.loads(line) for line in lines]

    def send(self, data: bytes) -> None:
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
        self.poll.modify(self.connection.fileno(), select.POLLIN | (select.POLLOUT if self.outgoing else 0))

    def remove(self) -> None:
        """Can't be reached any more."""
        self.listener.close()
        for remove, path in ((os.unlink, self.address), (os.rmdir, os.path.dirname(self.address))):
            try:
                remove(path)
            except OSError:
                pass


def dumps(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
