"""Zip archives that nobody vouches for: what must be true before one byte of them is used."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from trivet.tasks.problem import Problem

MAX_ENTRIES = 10_000
MAX_DIRECTORY = 16 * 1024**2
"""Most bytes the list of entries may have: it is read into memory before anything else is known."""

MAX_UNPACKED = 64 * 1024**3
"""Most bytes all entries together may have once unpacked."""

MAX_RATIO = 200
"""How many times larger than in the zip an entry may be; only counted for large ones."""

DAMAGED = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error)
"""Everything that reading a damaged entry raises, beside OSError."""

_LARGE = 64 * 1024**2
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_COMMENT = 2**16


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip, opened when its list of entries is of a sane size. Raises zipfile.BadZipFile and OSError."""
    size = _directory_size(path)
    if size > MAX_DIRECTORY:
        raise zipfile.BadZipFile(f"its list of entries has {size:,} bytes; at most {MAX_DIRECTORY:,} are read")
    with zipfile.ZipFile(path) as archive:
        yield archive


def files_of(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The files that count: neither folders nor what macOS adds."""
    for entry in archive.infolist():
        parts = entry.filename.split("/")
        if not entry.filename.endswith("/") and "__MACOSX" not in parts and not parts[-1].startswith("._"):
            yield entry


def unsafe(archive: zipfile.ZipFile) -> Iterator[Problem]:
    """Everything that speaks against unpacking: names that lead outside, links, duplicates, bombs, encryption."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        yield Problem("C106", f"has {len(entries):,} entries; at most {MAX_ENTRIES:,} are read")
        return
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED:
        yield Problem("C106", f"unpacks to {total:,} bytes; at most {MAX_UNPACKED:,} are allowed")
    if sum(entry.compress_size for entry in entries) > archive.start_dir:
        yield Problem("C106", "has entries that share their bytes", hint="zip the files anew")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if not _is_safe(name):
            hint = "names are relative, hold no `..` and at most 255 bytes between two /"
            yield Problem("C103", f"entry {name!r} has an unsafe name", hint=hint)
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Problem("C104", f"entry {name!r} is a link or a special file", hint="put the file itself in")
        if name in seen:
            yield Problem("C105", f"entry {name!r} is there twice")
        seen.add(name)
        if entry.file_size > max(_LARGE, MAX_RATIO * entry.compress_size):
            ratio = entry.file_size // max(entry.compress_size, 1)
            yield Problem("C106", f"entry {name!r} unpacks to {ratio} times its size", hint="store it uncompressed")
        if entry.flag_bits & 0x1:
            yield Problem("C107", f"entry {name!r} is encrypted")
        elif entry.compress_type not in _METHODS:
            yield Problem("C107", f"entry {name!r} is compressed in a way that is not read", hint="use deflate or none")
    # Sorted by their steps, a file that is a folder, too, is followed by something in it.
    paths = sorted((name.rstrip("/").split("/"), name) for name in seen)
    for (steps, name), (following, _) in pairwise(paths):
        if not name.endswith("/") and following[: len(steps)] == steps:
            yield Problem("C105", f"entry {name!r} is a file and a folder")


def _is_safe(name: str) -> bool:
    steps = name.split("/")
    outside = steps[0] == "" or ".." in steps
    fits = all(len(step.encode(errors="replace")) <= 255 for step in steps)
    return name.isprintable() and fits and not outside and "\\" not in name and ":" not in name


def _directory_size(path: Path) -> int:
    """Bytes of a zip's list of entries, as its last record says; 0 where there is none."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(end - _COMMENT - 22, 0))
        tail = stream.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + 22 > len(tail):
            return 0
        (size,) = struct.unpack_from("<L", tail, at + 12)
        if size != 0xFFFFFFFF or at < 20 or tail[at - 20 : at - 16] != b"PK\x06\x07":
            return int(size)
        (place,) = struct.unpack_from("<Q", tail, at - 12)
        stream.seek(min(place, end))
        record = stream.read(56)
        return int(struct.unpack_from("<Q", record, 40)[0]) if len(record) == 56 else 0
