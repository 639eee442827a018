"""Writing files so that nothing half-written is ever seen, and measuring them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trivet.records import UnreadableError

CHUNK = 1 << 20

LONE = "backslashreplace"
"""How half a surrogate pair is encoded: within JSON it becomes an escape, and is read as what it was. Names of files
that are no UTF-8 have such, and programs write them."""


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write text as `write_bytes` writes bytes."""
    write_bytes(path, text.encode(), mode)


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file under a temporary name, sync it, and rename it into place. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_json(path: Path, data: Any) -> None:
    """Write JSON data as `write_text` writes text."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8", LONE))


def read_record(path: Path, format: int) -> dict[str, Any]:
    """A record in JSON that has this format. Raises FileNotFoundError or UnreadableError."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableError(f"{path} is damaged: {error}") from None
    if not isinstance(record, dict) or record.get("format") != format:
        found = record.get("format") if isinstance(record, dict) else None
        raise UnreadableError(f"{path} has format {found}; this version of Trivet reads {format}")
    return record


def sync_directory(path: Path) -> None:
    """Make renames inside a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_below(path: Path) -> Iterator[Path]:
    """Every regular file below a directory, in the order of their paths; links to directories are not followed."""
    entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def measure(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file; of a directory the sum of sizes, and of every file below it in ``files``.

    A directory also has the sizes of its largest file and of its largest item, a directory right below it.
    The SHA-256 of a directory is that of the lines ``<sha256 of the file>  <relative path>`` in order, as the
    command line tool ``sha256sum`` prints them. Raises OSError.
    """
    if not path.is_dir():
        return {"size": path.stat().st_size, "sha256": sha256_of(path)}
    files = [
        {"path": file.relative_to(path).as_posix(), "size": file.stat().st_size, "sha256": sha256_of(file)}
        for file in files_below(path)
    ]
    lines = "".join(f"{file['sha256']}  {file['path']}\n" for file in files)
    digest = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    sizes = [int(str(file["size"])) for file in files]
    items: dict[str, int] = {}
    for file, size in zip(files, sizes, strict=True):
        item, below, _ = str(file["path"]).partition("/")
        if below:
            items[item] = items.get(item, 0) + size
    largest = {"largest_file": max(sizes, default=0), "largest_item": max(items.values(), default=0)}
    return {"size": sum(sizes), **largest, "sha256": digest, "files": files}
