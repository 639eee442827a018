"""Task packages that were collected: a directory for each package and version, which appears and goes as a whole.

::

    packages/<name>/<version>/
        package.json    what was asked, what came of it, the documents with the tasks
        venv/           its Python environment, where Trivet made one
        *.whl           the wheel it was installed from, unless that came from an index
        used            touched when a task of it is run

A package is made in a hidden directory and renamed into place, so whoever sees it sees all of it. Nothing is locked:
of two that make the same at once, the first to be done wins. `trivet.packages.registered` reads the tasks.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.records import files
from trivet.records.owner import Owner
from trivet.tasks.problem import closest

FORMAT = 1
RECORD = "package.json"
VENV = "venv"
"""The environment that Trivet made for a package, by its name in the package's directory."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PackageDirectory:
    """The directory of one version of a package; ``path`` is absolute and ends in ``<name>/<version>``."""

    path: Path

    @property
    def name(self) -> str:
        """The package's name in its normal form, see `normal`."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        return self.path.name

    @property
    def active(self) -> bool:
        """Whether its tasks can be run: a package that was deactivated has no environment, nor has one that lost it, or
        its interpreter. Raises as `read` does."""
        record = self.read()
        return bool(record["active"]) and (record["prefix"] != VENV or (self.venv / "bin/python").exists())

    @property
    def venv(self) -> Path:
        """Where the environment is that Trivet made for it, if it did."""
        return self.path / VENV

    @property
    def prefix(self) -> Path | None:
        """The Python environment its tasks run in; None for plain commands. Raises as `read` does."""
        prefix = self.read()["prefix"]
        return None if prefix is None else self.path / prefix

    @property
    def last_used(self) -> float | None:
        """When a task of it was last run, in seconds since the epoch; None if never."""
        try:
            return (self.path / "used").stat().st_mtime
        except OSError:
            return None

    def read(self) -> dict[str, Any]:
        """The content of ``package.json``. Raises FileNotFoundError or UnreadableError."""
        return files.read_record(self.path / RECORD, FORMAT)

    def write(self, record: dict[str, Any]) -> None:
        """Replace ``package.json``. Raises OSError."""
        files.write_json(self.path / RECORD, record)

    def touch(self) -> None:
        """Say that it is used now; a home that can't be written is no reason not to run."""
        with suppress(OSError):
            (self.path / "used").touch()

    def remove(self) -> None:
        """Let it vanish at once, then delete its files. Raises OSError."""
        _discard(self.path)
        with suppress(OSError):  # other versions are still there
            self.path.parent.rmdir()

    def remove_venv(self) -> None:
        """Let the environment vanish at once, then delete its files. Raises OSError."""
        with suppress(FileNotFoundError):
            _discard(self.venv)


def normal(name: str) -> str:
    """The form in which names of packages are compared: as PEP 503 has it, and words for what is no name there
    (Fractal calls the package of a single task as the task)."""
    return re.sub(r"[\W_]+", "-", name).strip("-").lower()


def is_version(text: str) -> bool:
    """True when a version can be the name of a directory; all of PEP 440 can."""
    return _VERSION.fullmatch(text) is not None


def every(home: Path) -> list[PackageDirectory]:
    """All packages below a home, by name, the newest version first."""
    found = [PackageDirectory(path.parent) for path in (home / "packages").glob(f"[!.]*/[!.]*/{RECORD}")]
    found.sort(key=lambda package: age(package.version), reverse=True)
    return sorted(found, key=lambda package: package.name)


def find(home: Path, name: str, version: str | None = None) -> PackageDirectory:
    """That version of a package, be it active or not; without one, its newest active version.

    Versions are compared as PEP 440 does: 2.1 is 2.1.0; of those before a release the newest counts only where there is
    nothing else. Raises LookupError, with words about what there is instead.
    """
    here = every(home)
    mine = [package for package in here if package.name == normal(name)]
    if not mine:
        names = dict.fromkeys(package.name for package in here)
        hint = closest(normal(name), names)
        raise LookupError(f"no package `{name}` was collected" + (f" ({hint})" if hint else ""))
    if version is not None:
        for package in mine:
            if package.version == version or age(package.version) == age(version):
                return package
        there = ", ".join(package.version for package in mine)
        raise LookupError(f"`{name}` was not collected in version {version}; collected: {there}")
    active = [package for package in mine if package.active]
    if not active:
        there = ", ".join(package.version for package in mine)
        raise LookupError(
            f"no version of `{name}` is active ({there}); `trivet fractal reactivate {name}=={mine[0].version}` "
            "makes its environment again"
        )
    return next((package for package in active if not age(package.version)[1]), active[0])


def age(version: str) -> tuple[bool, bool, Any]:
    """What versions are ordered by, the newest being the greatest; those PEP 440 does not know are the oldest. The
    second part is True for one before a release."""
    from packaging.version import InvalidVersion, Version

    try:
        parsed = Version(version)
    except InvalidVersion:
        return False, False, version
    return True, parsed.is_prerelease, parsed


@contextmanager
def workshop(home: Path) -> Iterator[Path]:
    """A hidden directory to make a package in; whatever is left in it at the end is deleted.

    Those of processes that were killed are deleted at this occasion. Raises OSError.
    """
    packages = home / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    _sweep(packages)
    path = Path(tempfile.mkdtemp(prefix=".new-", dir=packages))
    try:
        files.write_json(path / "owner.json", Owner.this_process().to_json())
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def put(home: Path, made: Path, name: str, version: str) -> PackageDirectory:
    """Put a directory that was made in a `workshop` in its place. Raises FileExistsError, other OSErrors."""
    place = home / "packages" / normal(name) / version
    while True:
        place.parent.mkdir(exist_ok=True)
        try:
            made.rename(place)
        except FileNotFoundError:  # somebody has just removed the only other version, and the directory with it
            if not made.exists():
                raise
            continue
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                if place.is_dir() and not (place / RECORD).exists():  # remains of something; no package is without
                    _discard(place)
                    continue
                raise FileExistsError(errno.EEXIST, "it was collected already", str(place)) from None
            raise
        files.sync_directory(place.parent)
        return PackageDirectory(place)


def _discard(path: Path) -> None:
    packages = next(parent for parent in path.parents if parent.name == "packages")
    hidden = packages / f".old-{os.getpid()}-{time.time_ns()}"
    path.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _sweep(packages: Path) -> None:
    """Delete what killed processes left: directories being deleted, and those whose maker is dead."""
    for path in packages.glob(".*-*"):
        if path.name.startswith(".old-") or (path.name.startswith(".new-") and _is_abandoned(path)):
            shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path) -> bool:
    """Whether the process that made a directory is known to be dead; on another machine, after a day."""
    try:
        owner = Owner.from_json(json.loads((path / "owner.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError):
        alive = None
    else:
        alive = owner.alive
    if alive is not None:
        return not alive
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > 86_400
    return False
