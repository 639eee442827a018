"""One SSH connection to a cluster, by the system's `ssh`: everything else goes through it, and it is made again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from trivet.engines.slurm.commands import PATIENCE, SlurmError

VARIABLE = "TRIVET_SSH"
"""The variable that names another `ssh`, with options."""

PERSIST = 600
"""Seconds that the connection outlives its last use, for the next command of Trivet's."""

AGAIN = (2.0, 60.0)
"""Shortest and longest time between two tries to make the connection, in seconds."""

READY = b"trivet-ready\n"
"""What is said before a command begins: what comes earlier is chatter of the login's own files."""

LOST = 255
"""The exit code of `ssh` for its own failures."""

_BEGIN = 'echo trivet-ready; exec "$@"'
_NOISE = re.compile(
    r"^(debug\d|\*\*|Warning: Permanently added|Pseudo-terminal|mux_client|Connection closed by UNKNOWN)"
)
_HINTS = (
    (r"Host key verification failed|IDENTIFICATION HAS CHANGED|host key .* (is known|differs)", "host key"),
    (r"Permission denied|Too many authentication failures|No more authentication methods", "login"),
    (r"Could not resolve|Name or service not known|nodename nor servname", "name"),
)
_WORDS = {
    "host key": "the cluster's key is not the one that is known, or none is: compare it, then connect once by `ssh {}`",
    "login": "log in by `ssh {}` once; a key with a passphrase is for `ssh-add`, and a terminal lets ssh ask",
    "name": "check `host` of the site's configuration, and ~/.ssh/config",
    "": "`ssh {}` must work; is this machine on-line?",
}


class UnreachableError(SlurmError):
    """The cluster can't be reached; the message is that of `ssh`. It may always work later."""

    def __init__(self, host: str, said: str) -> None:
        kind = next((kind for pattern, kind in _HINTS if re.search(pattern, said)), "")
        self.hint = _WORDS[kind].format(host)
        super().__init__(f"{host} can't be reached: {said or 'ssh said nothing'}", True)


class Connection:
    """The connection to ``host``, as `ssh` understands it. It is shared by all processes of the user, and opened when
    it is needed."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._ssh = shlex.split(os.environ.get(VARIABLE, "")) or ["ssh"]
        name = hashlib.sha256("\0".join([*self._ssh, host]).encode()).hexdigest()[:16]
        self._socket = _private() / name
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._failed: UnreachableError | None = None
        self._pause, self._again = AGAIN[0], 0.0

    @property
    def command(self) -> list[str]:
        """The words that start a command there through the connection; without one they fail at once."""
        return [*self._ssh, "-S", str(self._socket), "-oControlMaster=no", "-oProxyCommand=false", "-oBatchMode=yes"]

    def open(self, ask: bool = False) -> None:
        """Have a connection; ``ask`` lets `ssh` ask for a password on the terminal. Raises UnreachableError.

        After a failure nobody tries again for a while.
        """
        with self._lock, _held(self._socket):
            if self._alive():
                return
            if self._failed is not None and not ask and time.monotonic() < self._again:
                raise self._failed
            self._socket.unlink(missing_ok=True)
            options = ["-fNT", "-oControlMaster=yes", f"-oControlPersist={PERSIST}", "-oServerAliveInterval=15"]
            options += ["-oServerAliveCountMax=3", "-oConnectTimeout=20", "-oClearAllForwardings=yes"]
            command = [*self._ssh, *options, "-S", str(self._socket), *([] if ask else ["-oBatchMode=yes"])]
            with tempfile.TemporaryFile() as said:  # a pipe would stay open as long as the connection
                try:
                    done = subprocess.run(
                        [*command, "--", self.host], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                        timeout=None if ask else PATIENCE, check=False,
                    )  # fmt: skip
                    failed = done.returncode != 0
                except FileNotFoundError:
                    raise SlurmError(f"`{self._ssh[0]}` is not installed", False) from None
                except subprocess.TimeoutExpired:
                    failed = True
                said.seek(0)
                text = said.read().decode(errors="replace")
            if failed:
                self._failed = UnreachableError(self.host, told(text))
                self._again, self._pause = time.monotonic() + self._pause, min(AGAIN[1], self._pause * 2)
                raise self._failed
            self._failed, self._pause = None, AGAIN[0]

    def run(
        self, words: Sequence[str], data: bytes = b"", patience: float = PATIENCE
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command there, for ``patience`` seconds at most; its own failures are in the result. Raises
        UnreachableError.

        It is started a second time only if it did not begin the first time.
        """
        with tempfile.TemporaryFile() as given:
            given.write(data)
            for last in (False, True):
                self.open()
                given.seek(0)
                with self.started(words, given) as process:
                    try:
                        out, err = process.communicate(timeout=patience)
                    except subprocess.TimeoutExpired:
                        self.end()
                        raise UnreachableError(self.host, f"no answer within {patience:g} s") from None
                _, ready, out = out.partition(READY)
                if process.returncode != LOST and ready:
                    return subprocess.CompletedProcess(words, process.returncode, out, err)
                if ready or last:
                    raise UnreachableError(self.host, told(err.decode(errors="replace")) or "the connection was lost")
        raise AssertionError

    @contextmanager
    def started(self, words: Sequence[str], given: IO[bytes] | int) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs there, of an open connection; it says `READY` before anything else. It is the only place
        where words become a shell's text."""
        text = shlex.join(["sh", "-c", _BEGIN, "sh", *words])
        with self.local([*self.command, "--", self.host, text], given) as process:
            yield process

    @contextmanager
    def local(self, command: Sequence[str], given: IO[bytes] | int) -> Iterator[subprocess.Popen[bytes]]:
        """A program of this machine that works for the connection, and ends when it is let go."""
        process = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._running.add(process)
        if self._closed:
            process.kill()
        try:
            yield process
        finally:
            with suppress(OSError):
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            self._running.discard(process)

    def close(self) -> None:
        """Let go: what still runs through it is given up. The connection stays, for others."""
        self._closed = True
        for process in list(self._running):
            with suppress(OSError):
                process.kill()

    def end(self) -> None:
        """End the connection, for all who share it."""
        self._control("exit")

    def _alive(self) -> bool:
        return self._socket.exists() and self._control("check")

    def _control(self, word: str) -> bool:
        command = [*self._ssh, "-S", str(self._socket), "-O", word, "--", self.host]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def told(text: str) -> str:
    """What `ssh` said, in one line, without what it says always."""
    lines = (re.sub(r"[@\s]+", " ", line).strip() for line in text.splitlines())
    return " / ".join(dict.fromkeys(line for line in lines if line and not _NOISE.match(line)))[-600:]


def _private() -> Path:
    """A directory of the user's own with a short name: a socket's path may have 100 characters or so.

    Raises SlurmError when somebody else has made it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    place = Path(base if base and len(base) < 40 and os.path.isdir(base) else "/tmp", f"trivet-ssh-{os.getuid()}")  # noqa: PTH112, S108
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SlurmError(f"{place} is not a directory of your own that nobody else can enter; remove it", False)
    return place


@contextmanager
def _held(socket: Path) -> Iterator[None]:
    """Only one process makes the connection."""
    with open(f"{socket}.lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
