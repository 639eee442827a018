"""The images that were made into SIF files, each once, in a directory that machines may share."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from trivet.engines.runtimes.api import ApiError, UnreachableError
from trivet.engines.runtimes.apptainer.command import NAME, Sif
from trivet.engines.runtimes.apptainer.lock import held
from trivet.engines.runtimes.apptainer.sources import Source, find
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.images.archive import ImageError
from trivet.images.registry_client import SilentRegistryError
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Login

_TAIL = 3


class SifCache:
    """SIF files in ``directory``, by the id of their image: ``<sha256>.sif``.

    A file of that name is complete: it is made under another one, in ``<sha256>.making.<token>``, by whoever has the
    lock. What somebody made once, everybody uses; what a killed maker left is removed by the next. ``names`` below it
    holds which image a registry had under a name when it was last asked: it counts while the registry is silent.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory).absolute()
        self._lock = threading.Lock()
        self._locks: dict[ContainerImage, threading.Lock] = {}
        self._known: dict[ContainerImage, Sif] = {}
        self._making: set[subprocess.Popen[bytes]] = set()
        self._closed = threading.Event()

    def ensure(self, program: ContainerImage, say: Callable[[str], None], login: Login | None = None) -> Sif:
        """The SIF of a program's image, made when there is none; ``say`` is told what takes time.

        ``login`` is shown to the image's registry, and to nobody else. Raises ImageUnavailableError.
        """
        with self._lock:
            lock = self._locks.setdefault(program, threading.Lock())
        with lock:
            known = self._known.get(program)
            if known is None or not Path(known.path).exists():
                known = self._known[program] = self._find(program, say, login)
            return known

    def close(self) -> None:
        """Let go: what is being made is given up."""
        self._closed.set()
        with self._lock:
            for process in self._making:
                process.kill()

    def _find(self, program: ContainerImage, say: Callable[[str], None], login: Login | None) -> Sif:
        named = program.reference or program.archive or program.digest or ""
        try:
            try:
                source = find(program, login)
            except SilentRegistryError as error:
                before = self._last(program)
                if before is None:
                    raise
                say(f"{error}; the image it last had under that name is used")
                return before
            name = source.digest.removeprefix("sha256:")
            sif = Sif(str(self.directory / f"{name}.sif"), source.digest, source.config)
            if not Path(sif.path).exists():
                self._make(source, name, Path(sif.path), say)
            if source.remote:
                self._remember(program, sif)
            return sif
        except ImageError as error:
            raise ImageUnavailableError(str(error)) from error
        except (ApiError, UnreachableError) as error:
            raise ImageUnavailableError(f"{named}: {error}") from error
        except OSError as error:
            raise ImageUnavailableError(f"{named} can't be made a SIF in {self.directory}: {_why(error)}") from error

    def _note(self, program: ContainerImage) -> Path:
        named = json.dumps([program.reference, program.digest])
        return self.directory / "names" / f"{hashlib.sha256(named.encode()).hexdigest()}.json"

    def _remember(self, program: ContainerImage, sif: Sif) -> None:
        note = self._note(program)
        draft = note.with_suffix(f".{secrets.token_hex(8)}")
        with suppress(OSError):  # without the note, the registry has to answer next time
            note.parent.mkdir(exist_ok=True)
            draft.write_text(json.dumps({"name": program.reference, "digest": sif.digest, "config": dict(sif.config)}))
            draft.replace(note)

    def _last(self, program: ContainerImage) -> Sif | None:
        try:
            said = json.loads(self._note(program).read_bytes())
            path = self.directory / f"{said['digest'].removeprefix('sha256:')}.sif"
            return Sif(str(path), said["digest"], said["config"]) if path.exists() else None
        except (OSError, ValueError, KeyError):
            return None

    def _make(self, source: Source, name: str, target: Path, say: Callable[[str], None]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        say(f"making a SIF of {source.told}")

        def workshop(token: str) -> Path:
            return self.directory / f"{name}.making.{token}"

        def died(token: str) -> None:
            if token:
                shutil.rmtree(workshop(token), ignore_errors=True)

        with held(self.directory / f"{name}.lock", target, self._closed, died) as token:
            if not token:
                return
            place = workshop(token)
            place.mkdir()
            try:
                self._build(source, place)
                (place / "image.sif").replace(target)
            finally:
                shutil.rmtree(place, ignore_errors=True)

    def _build(self, source: Source, place: Path) -> None:
        """Everything is done in one directory, that of the cache: it has to have room, and no other place of the
        machine does (a full /tmp is the usual end of `apptainer build`)."""
        _write(place / "image.tar", source.layers(place))
        command = [NAME, "--silent", "build", "--disable-cache", "--fix-perms", "image.sif", "docker-archive:image.tar"]
        environment = {"APPTAINER_TMPDIR": str(place), **os.environ}
        with open(place / "log", "wb") as log:
            process = subprocess.Popen(
                command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        with self._lock:
            self._making.add(process)
        if self._closed.is_set():
            process.kill()
        code = process.wait()
        with self._lock:
            self._making.discard(process)
        if code != 0:
            said = (place / "log").read_text(errors="replace").strip().splitlines()[-_TAIL:]
            raise ImageUnavailableError(
                f"{source.told} can't be made a SIF in {self.directory}: {'; '.join(said) or f'exit code {code}'}"
            )
        with open(place / "image.sif", "rb") as file:
            os.fsync(file.fileno())


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("xb") as stream:
        for chunk in chunks:
            stream.write(chunk)


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"there is no room left ({error.strerror})"
    return str(error.strerror or error)


def installed() -> str:
    """What `apptainer --version` says. Raises OSError or subprocess.SubprocessError when it does not run."""
    done = subprocess.run([NAME, "--version"], capture_output=True, text=True, timeout=20, check=True)
    return done.stdout.strip()
