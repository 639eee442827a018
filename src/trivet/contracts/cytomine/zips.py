"""Zip archives that nobody vouches for: what must be true before one byte of them is used."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator

from trivet.tasks.problem import Problem

MAX_ENTRIES = 10_000
MAX_UNPACKED = 64 * 1024**3
"""Most bytes all entries together may have once unpacked."""

MAX_RATIO = 200
"""How many times larger than in the zip an entry may be; only counted for large ones."""

_LARGE = 64 * 1024**2
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def files_of(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The files that count: neither folders nor what macOS adds."""
    for entry in archive.infolist():
        parts = entry.filename.split("/")
        if not entry.is_dir() and "__MACOSX" not in parts and not parts[-1].startswith("._"):
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
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/") or not name.isprintable():
            yield Problem("C103", f"entry {name!r} has an unsafe name", hint="names are relative and hold no `..`")
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
