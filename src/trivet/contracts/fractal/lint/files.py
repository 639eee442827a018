"""The Python files of a package, beside its manifest in a directory or in a wheel, as text."""

# ruff: noqa: PTH116, PTH118, PTH119 (names stay text here: they are shown as the user gave them)
from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from trivet.contracts.fractal.lint.sources import Sources
from trivet.contracts.fractal.manifest import FILE_NAME

if TYPE_CHECKING:
    from trivet.tasks.document import Document

MAX_FILES, MAX_BYTES = 5000, 1024 * 1024
"""What a package may have more is not looked at."""


def sources_of(document: Document) -> Sources:
    """The sources beside a manifest: in its directory, or in the wheel it stands in."""
    shown = document.origin.removesuffix(FILE_NAME).rstrip("/")
    archive = document.model.archive
    if archive is not None:
        inner = document.origin.removeprefix(f"{archive}/").rpartition("/")[0]
        return _in_wheel(str(archive), inner, shown)
    return in_directory(document.base, shown)


def in_directory(directory: str, shown: str | None = None) -> Sources:
    """The sources of a package in a directory, which messages call ``shown``."""

    def read(path: str) -> str | None:
        if path.startswith(("/", "..")) or "\x00" in path:
            return None
        try:
            place = os.path.join(directory, path)
            status = os.stat(place)
            if not S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return None
            with open(place, "rb") as file:
                return file.read().decode("utf-8", "replace")
        except OSError:
            return None

    return Sources(os.path.basename(directory), directory if shown is None else shown, lambda: _files(directory), read)


def _files(directory: str) -> list[str]:
    found: list[str] = []
    start = len(os.path.join(directory, ""))
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if not name.startswith((".", "__pycache__")))
        inner = os.path.join(place, "")[start:]
        found += (inner + name for name in names if name.endswith(".py"))
        if len(found) > MAX_FILES:
            break
    return found[:MAX_FILES]


def _in_wheel(archive: str, inner: str, shown: str) -> Sources:
    from zipfile import BadZipFile, ZipFile
    from zlib import error as ZlibError

    def paths() -> list[str]:
        try:
            with ZipFile(archive) as wheel:
                names = [name for name in wheel.namelist() if name.startswith(f"{inner}/") and name.endswith(".py")]
        except (OSError, BadZipFile):
            return []
        return [name[len(inner) + 1 :] for name in names[:MAX_FILES]]

    def read(path: str) -> str | None:
        try:
            with ZipFile(archive) as wheel, wheel.open(f"{inner}/{path}") as file:
                raw = file.read(MAX_BYTES + 1)
        except (KeyError, OSError, BadZipFile, EOFError, NotImplementedError, RuntimeError, ZlibError):
            return None
        return None if len(raw) > MAX_BYTES else raw.decode("utf-8", "replace")

    return Sources(inner.rpartition("/")[2], shown, paths, read)
