"""Judging values beyond their type (App Engine tasks, types): constraints, topology, what is inside files."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

from trivet.contracts.cytomine import geometry, scalars, slides
from trivet.contracts.cytomine.pictures import Picture, inspect
from trivet.tasks import types
from trivet.tasks.problem import DocumentPath, Problem
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value


class Judge:
    """Judges values and gathers every problem; ``problems`` belong to the parameters they are about."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._unjudged = False

    def judge(self, kind: ValueType, value: Value, at: DocumentPath, items: bool = True) -> None:
        """Note what is wrong with a value: type, constraints, topology, the content of files where references say.

        Without ``items`` those of an array are left out, since they were judged before.
        """
        if value is None:
            return
        if isinstance(kind, types.Array):
            found = cast("Sequence[Value]", value)
            for index, item in enumerate(found if items else ()):
                self.judge(kind.of, item, (*at, index))
            if len(found) < kind.min_size:
                self.note("C206", at, f"has {len(found)} items, fewer than {kind.min_size}")
            if kind.max_size is not None and len(found) > kind.max_size:
                self.note("C206", at, f"has {len(found)} items, more than {kind.max_size}")
        elif isinstance(kind, types.Geometry):
            for code, fault in geometry.faults(value):
                self.note(code, at, fault)
            if not self._unjudged and not geometry.can_judge():
                self._unjudged = True
                message = "was not checked for crossing lines: shapely is not installed"
                self.note("C208", at, message, "pip install 'trivet[geometry]'", "warning")
        elif isinstance(kind, types.File):
            target = Path(cast("FileRef", value).path)
            try:
                self._judge_file(kind, target, at)
            except OSError as error:
                self.note("C201", at, f"can't be read: {error.strerror or error}")
        else:
            for code, fault in scalars.faults(kind, value):
                self.note(code, at, fault)
            if isinstance(value, str) and not _is_writable(value):
                self.note("C202", at, "holds half of a character (a surrogate), which no text file can")

    def note(self, code: str, at: DocumentPath, message: str, hint: str = "", severity: Any = "error") -> None:
        """Note a problem with the value at a place."""
        side, name, *items = at
        where = f"{str(side)[:-1]} `{name}`" + "".join(f"[{item}]" for item in items)
        self.problems.append(Problem(code, f"{where} {message}", severity, hint, path=at[:2]))

    def _judge_file(self, kind: types.File, path: Path, at: DocumentPath) -> None:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not (stat.S_ISDIR(mode) and isinstance(kind, types.Image)):
            self.note("C201", at, f"is {kind_of_file(mode)}, not a file")
            return
        if not isinstance(kind, types.Image):
            with path.open("rb") as stream:
                if kind.formats == ("text",) and not _is_text(stream):
                    self.note("C209", at, "is not text in UTF-8")
                self._judge_size(kind, os.fstat(stream.fileno()).st_size, at)
            return
        try:
            if stat.S_ISDIR(mode):
                picture, size = slides.of_directory(path)
            else:
                with path.open("rb") as stream:
                    picture, size = inspect(stream), os.fstat(stream.fileno()).st_size
            if picture.format == "zip":
                picture, size = slides.of_zip(path)
        except ValueError as error:
            self.note("C210", at, str(error))
            return
        self._judge_picture(kind, picture, at)
        self._judge_size(kind, size, at)

    def _judge_picture(self, kind: types.Image, picture: Picture, at: DocumentPath) -> None:
        if kind.formats and picture.format not in kind.formats:
            what = f"is {picture.format}" if picture.format else "has an unknown format"
            self.note("C210", at, f"{what}; expected {' or '.join(kind.formats)}")
        elif kind.max_width is not None or kind.max_height is not None:
            if picture.width is None or picture.height is None:
                self.note("C211", at, "does not tell its width and height")
                return
            for code, side, pixels, limit in (
                ("C212", "wide", picture.width, kind.max_width),
                ("C218", "high", picture.height, kind.max_height),
            ):
                if limit is not None and pixels > limit:
                    self.note(code, at, f"is {pixels} pixels {side}; at most {limit} are allowed")

    def _judge_size(self, kind: types.File, size: int, at: DocumentPath) -> None:
        if kind.max_size is not None and size > kind.max_size:
            self.note("C213", at, f"has {size:,} bytes; at most {kind.max_size:,} are allowed")


def kind_of_file(mode: int) -> str:
    """What a file is by its mode, in words."""
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a file" if stat.S_ISREG(mode) else "a special file"


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_text(stream: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := stream.read(1 << 20):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
