"""Files there that only grow: what is new in many of them, by one command."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

from trivet.engines.slurm.commands import SlurmError
from trivet.engines.slurm.remote.connection import READY, Connection, UnreachableError, told

# Every line of stdin is an offset and a name, or `look` and a directory that a network file system is to look at anew.
_SCRIPT = (
    'cd -- "$1" || exit 3; while read -r from name; do '
    'if [ "$from" = look ]; then (: > "$name/look-$$") 2>/dev/null && rm -f "$name/look-$$"; '
    'elif [ -s "$name" ]; then size=$(wc -c < "$name"); size=$((size)); if [ "$size" -gt "$from" ]; then '
    'echo "$((size - from)) $name"; tail -c "+$((from + 1))" "$name" | head -c "$((size - from))"; fi; fi; done'
)
_BLOCK = 1 << 20


def fetch(connection: Connection, source: str, root: Path, names: Iterable[str], looked_at: Iterable[str]) -> int:
    """Append to files below ``root`` what those below ``source`` there have more, in the order of ``names``; how many
    bytes that was. ``looked_at`` are directories that somebody else writes to.

    What was fetched when the connection breaks is kept, and the rest comes the next time. Raises SlurmError.
    """
    connection.open()
    known: set[str] = set()
    fetched = 0
    with tempfile.TemporaryFile() as given:
        given.writelines(f"look {name}\n".encode() for name in looked_at)
        for name in names:
            known.add(name)
            given.write(f"{_size(root / name)} {name}\n".encode())
        given.seek(0)
        with connection.started(["sh", "-c", _SCRIPT, "sh", source], given) as process:
            stream = cast("IO[bytes]", process.stdout)
            while (line := stream.readline()) != READY and line:
                pass
            while line := stream.readline():
                length, _, name = line.decode(errors="replace").rstrip("\n").partition(" ")
                if name not in known or not length.isdigit():
                    raise SlurmError(
                        f"{connection.host}: {source} is read by something that is no shell: {line!r}", False
                    )
                fetched += _append(root / name, stream, int(length))
            _, err = process.communicate(timeout=60)
    if process.returncode == 3:
        raise SlurmError(f"{connection.host}: {told(err.decode(errors='replace'))}", False)
    if process.returncode != 0:
        raise UnreachableError(connection.host, told(err.decode(errors="replace")) or "the connection was lost")
    return fetched


def _append(path: Path, stream: IO[bytes], length: int) -> int:
    """Raises SlurmError when it can't be written; a stream that ends early is left to the caller."""
    done = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            while done < length and (data := stream.read(min(_BLOCK, length - done))):
                file.write(data)
                done += len(data)
    except OSError as error:
        raise SlurmError(f"{path}: {error.strerror or error}", True) from None
    return done


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0
