"""One maker at a time of a file on a file system that machines share; a maker that was killed is noticed."""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trivet.engines.worker_system import birth

BEAT = 5.0
"""Seconds between two signs of life."""

SILENCE = 60.0
"""Seconds without one, by the clock of who waits, after which a maker on another machine counts as dead."""

_LOOK = 0.5


@contextmanager
def held(
    path: Path, done: Path, stopped: threading.Event, died: Callable[[str], None] = lambda token: None
) -> Iterator[str]:
    """Hold the lock at ``path`` inside the block, and get a token of one's own; or wait until its holder has made
    ``done``, and get an empty one without holding anything.

    The lock is a file that only one process can create, which says who it is and that it lives. Who waits takes the
    lock of a dead holder, and ``died`` is called with the dead one's token. Two that hold it at once, since one was
    silent for too long, must be able to work: what is made has a name of its own first. Raises OSError, and
    InterruptedError once ``stopped`` is set.
    """
    token = secrets.token_hex(8)
    name = f"{_me()} {token}"
    seen: str | None = None
    since = 0.0
    while not _created(path, name):
        said = _read(path)
        if said != seen:
            seen, since = said, time.monotonic()
        if _is_dead(said) or time.monotonic() - since > SILENCE:
            if _moved_away(path, said):
                died(_token(said))
            continue
        if done.exists():
            yield ""
            return
        if stopped.wait(_LOOK):
            raise InterruptedError(errno.EINTR, "nobody waits for it any more")
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(path, name, over), name="trivet-sif", daemon=True)
    beating.start()
    try:
        yield "" if done.exists() else token
    finally:
        over.set()
        beating.join()
        if _read(path).startswith(name):
            path.unlink(missing_ok=True)


def _created(path: Path, name: str) -> bool:
    try:
        with path.open("x") as file:
            file.write(f"{name} 0\n")
    except FileExistsError:
        return False
    return True


def _moved_away(path: Path, said: str) -> bool:
    """Remove the lock of a dead holder; only one of those who noticed does, and none removes its successor's."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    dead = _read(aside) == said
    if dead or path.exists():
        aside.unlink()
    else:
        aside.rename(path)
    return dead


def _token(said: str) -> str:
    return said.partition(" ")[2].partition(" ")[0]


def _beat(path: Path, name: str, over: threading.Event) -> None:
    count = 0
    while not over.wait(BEAT):
        count += 1
        with suppress(OSError):
            if _read(path).startswith(name):
                path.write_text(f"{name} {count}\n")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _me() -> str:
    return json.dumps([socket.gethostname(), _boot(), os.getpid(), birth(os.getpid())], separators=(",", ":"))


def _is_dead(said: str) -> bool:
    """Whether a holder on this machine is no more; of others nothing is known."""
    try:
        host, boot, pid, born = json.loads(said.partition(" ")[0])
    except ValueError:
        return False
    return bool(host == socket.gethostname() and (boot != _boot() or birth(pid) != born))


def _boot() -> Any:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
