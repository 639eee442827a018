"""Values as files (App Engine tasks, types and encodings): written for the program, read back and judged.

A value is one entry named as its parameter, without extension: scalars and geometries as UTF-8 text, files and images
as they are, arrays as a directory of ``array.yml`` and one entry for each index.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, cast

from trivet.contracts.cytomine.judging import Judge, kind_of_file
from trivet.contracts.cytomine.pictures import extension
from trivet.contracts.cytomine.scalars import from_text, to_text
from trivet.contracts.cytomine.sidecars import SUFFIX
from trivet.contracts.parsing import parse_json, parse_yaml
from trivet.tasks import types
from trivet.tasks.problem import DocumentPath
from trivet.tasks.quantities import format_memory
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value

MAX_TEXT = 64 * 1024**2
"""Most bytes of one scalar or geometry that are read."""

_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)
Place = Callable[[types.File, FileRef, Path], None]
"""Puts a referenced file of some type at a path."""


def encode(kind: ValueType, value: Value, path: Path, place: Place) -> None:
    """Write a valid value to ``path``; ``place`` puts a referenced file there.

    Raises ValueError for what has no text (a lone surrogate), OSError.
    """
    if isinstance(kind, types.Array):
        path.mkdir(exist_ok=True)
        items = cast("Sequence[Value]", value)
        _write(path / "array.yml", f"size: {len(items)}")
        for index, item in enumerate(items):
            encode(kind.of, item, path / str(index), place)
    elif isinstance(kind, types.File):
        place(kind, cast("FileRef", value), path)
    elif isinstance(kind, types.Geometry):
        _write(path, json.dumps(value, allow_nan=False))
    else:
        _write(path, to_text(kind, value))


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    path.chmod(0o644)  # whatever the umask: the image may run as anybody


class Reader(Judge):
    """Reads values and judges them. One that can't be used is returned as None, which is no valid value of any type.

    ``trusted`` is what a user laid out: there, links are followed, and side-cars of images are nothing unexpected.
    """

    def __init__(self, trusted: bool = False) -> None:
        super().__init__()
        self._trusted = trusted

    def decode(self, kind: ValueType, path: Path, at: DocumentPath) -> Value:
        """The value at ``path``; of what a program wrote links are never followed. ``at`` is its place, such as
        ``("outputs", "areas", 3)``."""
        before = len(self.problems)
        try:
            value = self._decode(kind, path, at)
        except FileNotFoundError:
            self.note("C200", at, "was not written", f"the program must write {path.name} in its output folder")
        except (OSError, RecursionError) as error:
            self.note("C201", at, f"can't be read: {getattr(error, 'strerror', None) or error}")
        except ValueError as error:
            self.note("C202", at, str(error))
        else:
            self.judge(kind, value, at, items=False)  # an array's items were judged when they were read
            if not any(problem.severity == "error" for problem in self.problems[before:]):
                return value
        return None

    def _decode(self, kind: ValueType, path: Path, at: DocumentPath) -> Value:
        mode = (path.stat() if self._trusted else path.lstat()).st_mode
        if isinstance(kind, types.Array):
            if not stat.S_ISDIR(mode):
                self.note("C201", at, f"is {kind_of_file(mode)}; an array is a directory with array.yml")
                return None
            return self._decode_array(kind, path, at)
        if isinstance(kind, types.Image) and stat.S_ISDIR(mode):
            return FileRef(str(path), None if self._trusted else _tree_size(path))
        if not stat.S_ISREG(mode):
            self.note("C201", at, f"is {kind_of_file(mode)}, not a file")
            return None
        if isinstance(kind, types.File):
            with self._open(path) as stream:
                ending = extension(stream.read(132))
                if not ending and kind.formats == ("text",):
                    ending = ".txt"
                name = "-".join(str(step) for step in at[1:]) + ending
                return FileRef(str(path), os.fstat(stream.fileno()).st_size, name=name)
        return self._decode_text(kind, path, at)

    def _decode_text(self, kind: ValueType, path: Path, at: DocumentPath) -> Value:
        with self._open(path) as stream:
            raw = stream.read(MAX_TEXT + 1)
        if len(raw) > MAX_TEXT:
            self.note(
                "C213", at, f"has more than {format_memory(MAX_TEXT)}", f"declare it as a file, not as {kind.name}"
            )
            return None
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            self.note("C202", at, f"is not UTF-8 text (byte 0x{raw[error.start]:02x} at {error.start})")
            return None
        meant = isinstance(kind, types.Enumeration) and text in kind.values
        if not text.strip() and not meant and not isinstance(kind, types.String):
            self.note("C217", at, "is blank")
            return None
        if isinstance(kind, types.Geometry):
            data, problem = parse_json(text)
            if problem is not None:
                self.note("C207", at, f"is {problem.message}")
            return cast("Value", data)
        return from_text(kind, text)

    def _decode_array(self, kind: types.Array, path: Path, at: DocumentPath) -> Value:
        with os.scandir(path) as entries:
            names = {entry.name for entry in entries}
        indices = sorted(int(name) for name in names if _INDEX.fullmatch(name))
        size = self._array_size(path, at)
        if size is not None and size != len(indices):
            self.note("C206", at, f"array.yml says {size} items and there are {len(indices)}")
        gaps = [index for index, found in enumerate(indices) if index != found]
        if gaps:
            message = f"lacks item {gaps[0]}; items are named 0 to {len(indices) - 1}"
            self.note("C206", at, message, "start at 0, leave none out, write no leading zeros")
        known = {"array.yml", *map(str, indices)}
        if self._trusted and isinstance(types.innermost(kind), types.Image):
            known |= {f"{index}{SUFFIX}" for index in indices}
        others = sorted(names - known)
        if others:
            self.note("C204", at, f"holds unexpected files: {listed(others)}", severity="warning")
        if size is None or gaps or size != len(indices):
            return None
        return [self.decode(kind.of, path / str(index), (*at, index)) for index in indices]

    def _array_size(self, path: Path, at: DocumentPath) -> int | None:
        hint = "write one line such as `size: 3`"
        try:
            with self._open(path / "array.yml") as stream:
                text = stream.read(65_536).decode()
        except FileNotFoundError:
            self.note("C205", at, "has no array.yml", hint)
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.note("C205", at, f"has an array.yml that can't be read: {error}", hint)
            return None
        data, problem = parse_yaml(text)
        size = data.get("size") if isinstance(data, dict) else None
        if problem is not None or isinstance(size, bool) or not isinstance(size, int) or size < 0:
            self.note("C205", at, "has an array.yml that gives no size", hint)
            return None
        return size

    def _open(self, path: Path) -> IO[bytes]:
        """Open what a program wrote: never through a link, never blocking on a pipe."""
        follow = 0 if self._trusted else os.O_NOFOLLOW
        descriptor = os.open(path, os.O_RDONLY | follow | os.O_NONBLOCK | os.O_CLOEXEC)
        stream = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            stream.close()
            raise OSError("it is not a regular file")
        return stream


def listed(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(f"`{name}`" for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _tree_size(path: Path) -> int:
    """Bytes of all files below; OSError for links, since they could lead anywhere."""
    total = 0
    for child in path.rglob("*"):
        mode = child.lstat()
        if not stat.S_ISREG(mode.st_mode) and not stat.S_ISDIR(mode.st_mode):
            raise OSError(f"{child.name} in it is {kind_of_file(mode.st_mode)}")
        total += mode.st_size if stat.S_ISREG(mode.st_mode) else 0
    return total
