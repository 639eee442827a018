"""Files to a cluster and back: by rsync where both sides have it, else by tar through the same connection."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from trivet.engines.slurm.commands import SlurmError
from trivet.engines.slurm.remote.connection import LOST, READY, Connection, UnreachableError, told

PLACE = ".trivet-incoming-"
"""What the names of directories begin with in which files are that have not come as a whole."""

_LASTING = re.compile(
    r"No space left|[Qq]uota exceeded|Permission denied|Read-only file system|Not a directory|File name too long"
    r"|Operation not permitted|Is a directory"
)
_RSYNC = re.compile(r"rsync\s+version\s+v?(\d+)\.(\d+)")
_OLDEST = (3, 1)

# A command of its own for `tar`, since an archive of what is not there is none. The names come by stdin.
_PACK = 'cd -- "$1" && while IFS= read -r name; do if [ -e "$name" ] || [ -L "$name" ]; then echo "$name"; fi; done'
_PACK += " | tar -cf - -T -"
_UNPACK = 'cd -- "$1" && tar -xf -'


class Transfer:
    """Brings files through ``connection``; what comes there is whole when the call returns, or it raises.

    ``rsync`` is the program there (None: there is none). Every method raises SlurmError: `passing` where only the
    connection was lost.
    """

    def __init__(self, connection: Connection, rsync: str | None) -> None:
        self._connection = connection
        self.rsync = rsync if rsync is not None and has_rsync() else None

    def up(self, root: Path, names: Sequence[str], target: str) -> None:
        """Files and directories below ``root`` to an existing directory ``target`` there; directories alone, without
        what is in them."""
        if not names:
            return
        if self.rsync is not None:
            self._rsync(names, ["-lptd", f"{root}/", f"{self._connection.host}:{target}/"])
        else:
            self._pack(root, names, target)

    def down(self, source: str, names: Sequence[str], root: Path) -> None:
        """Files and directories, with all that is in them, below ``source`` there to ``root``; what is not there is
        passed over."""
        if not names:
            return
        names = list(_outermost(names))
        if self.rsync is not None:
            with _incoming(root) as place:  # what is half there when all is killed must not be found among the rest
                more = ["-rlpt", "--ignore-missing-args", f"--temp-dir={place}"]
                self._rsync(names, [*more, f"{self._connection.host}:{source}/", f"{root}/"])
        else:
            self._unpack(source, names, root)

    def _rsync(self, names: Sequence[str], more: Sequence[str]) -> None:
        assert self.rsync is not None  # noqa: S101 (asked by the caller)
        self._connection.open()
        shell = shlex.join(self._connection.command)
        command = ["rsync", "-e", shell, f"--rsync-path={self.rsync}", "--protect-args", "--from0", "--files-from=-"]
        with tempfile.TemporaryFile() as given:
            given.write(b"".join(os.fsencode(name) + b"\0" for name in names))
            given.seek(0)
            with self._connection.local([*command, "--omit-dir-times", *more], given) as process:
                _, err = process.communicate()
        if process.returncode != 0:
            self._failed(process.returncode, err)

    def _pack(self, root: Path, names: Sequence[str], target: str) -> None:
        self._connection.open()
        with self._connection.started(["sh", "-c", _UNPACK, "sh", target], subprocess.PIPE) as process:
            error: OSError | None = None
            out, err = _listen(process)
            try:
                with process.stdin as stream, tarfile.open(fileobj=stream, mode="w|") as archive:  # type: ignore[union-attr]
                    for name in names:
                        archive.add(root / name, name, recursive=False, filter=_nobodys)
            except BrokenPipeError:
                pass
            except OSError as failed:
                error = failed
                process.kill()
            code = process.wait()
            out.join()
            err.join()
        if error is not None:
            raise SlurmError(f"{error.filename}: {error.strerror or error}", False)
        if code != 0:
            self._failed(code, err.said)

    def _unpack(self, source: str, names: Sequence[str], root: Path) -> None:
        self._connection.open()
        with tempfile.TemporaryFile() as given, _incoming(root) as place:
            given.write("".join(f"{name}\n" for name in names).encode(errors="surrogateescape"))
            given.seek(0)
            with self._connection.started(["sh", "-c", _PACK, "sh", source], given) as process:
                stream = cast("IO[bytes]", process.stdout)
                _, err = None, _Listener(cast("IO[bytes]", process.stderr))
                torn = ""
                try:
                    while (line := stream.readline()) != READY and line:
                        pass
                    with tarfile.open(fileobj=stream, mode="r|") as archive:
                        archive.extractall(place, filter="tar")
                except tarfile.FilterError as error:
                    process.kill()
                    raise SlurmError(f"{self._connection.host}: {error}", False) from None
                except tarfile.TarError as error:
                    torn = str(error) or "no archive came"
                except OSError as error:
                    raise SlurmError(f"{error.filename or root}: {error.strerror or error}", False) from None
                stream.read()
                code = process.wait()
                err.join()
            if code != 0:
                self._failed(code, err.said)
            if torn:  # the same would come again
                raise SlurmError(f"{self._connection.host}: {torn}", False)
            _merge(Path(place), root)

    def _failed(self, code: int, err: bytes) -> None:
        said = told(err.decode(errors="replace"))
        said = re.sub(r"Wrote only \d+ of \d+ bytes", r"\g<0> (No space left on device?)", said)  # how tar says it
        if _LASTING.search(said):
            raise SlurmError(f"{self._connection.host}: {said}", False)
        if code in _LOST or code < 0:
            raise UnreachableError(self._connection.host, said or "the connection was lost")
        raise SlurmError(f"{self._connection.host}: {said or f'files could not be copied ({code})'}", False)


_LOST = (LOST, 10, 12, 20, 30, 35)
"""Exit codes of `ssh` and rsync where the connection ended."""


class _Listener(threading.Thread):
    """Reads a stream to its end, so that nobody who writes to it has to wait."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream, self.said = stream, b""
        self.start()

    def run(self) -> None:
        self.said = self._stream.read()


def _listen(process: subprocess.Popen[bytes]) -> tuple[_Listener, _Listener]:
    return _Listener(cast("IO[bytes]", process.stdout)), _Listener(cast("IO[bytes]", process.stderr))


def expanded(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Files below ``root`` one by one, and directories each before what is in it; what is not there is left out."""
    for name in dict.fromkeys(names):
        path = root / name
        if path.is_dir() and not path.is_symlink():
            yield name
            for folder, inner, files in os.walk(path):
                base = Path(folder).relative_to(root)
                yield from (str(base / one) for one in sorted(inner + files))
        elif path.exists() or path.is_symlink():
            yield name


@contextmanager
def _incoming(root: Path) -> Iterator[str]:
    """A directory below ``root`` for what has not come as a whole. Raises SlurmError when there can be none."""
    try:
        place = tempfile.TemporaryDirectory(prefix=PLACE, dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise SlurmError(f"{root}: {error.strerror or error}", False) from None
    with place as path:
        yield path


def _outermost(names: Iterable[str]) -> Iterator[str]:
    """Without names of what lies in a directory that is named, too: nothing comes twice."""
    last: list[str] = []
    for parts in sorted(name.rstrip("/").split("/") for name in names):
        if not last or parts[: len(last)] != last:
            last = parts
            yield "/".join(parts)


def has_rsync() -> bool:
    """Whether this machine has an rsync that is new enough."""
    if shutil.which("rsync") is None:
        return False
    try:
        done = subprocess.run(["rsync", "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return new_enough(done.stdout)


def new_enough(version: str) -> bool:
    """Whether what ``rsync --version`` prints is that of an rsync that can do what is needed."""
    match = _RSYNC.search(version)
    return match is not None and (int(match[1]), int(match[2])) >= _OLDEST


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _merge(place: Path, root: Path) -> None:
    """Put what has come as a whole where it belongs, file by file. Raises SlurmError."""
    try:
        for folder, inner, files in os.walk(place):
            target = root / Path(folder).relative_to(place)
            target.mkdir(parents=True, exist_ok=True)
            links = [name for name in inner if Path(folder, name).is_symlink()]
            for name in inner:
                if name not in links:  # nothing can be moved out of a directory that is read-only
                    Path(folder, name).chmod(0o700)
            for name in [*files, *links]:
                Path(folder, name).replace(target / name)
    except OSError as error:
        raise SlurmError(f"{error.filename or root}: {error.strerror or error}", False) from None
