"""Where a document comes from: a text with a name, the directory it stands in, and what came with it."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trivet.tasks.problem import DocumentPath, Problem, ProblemsError

MAX_BYTES = 16 * 1024 * 1024
"""No description of a task is larger; a larger file is refused before it is read."""


@dataclass(frozen=True)
class Source:
    """A text document, read but not understood.

    ``name`` is shown in messages; ``base`` is the directory relative paths inside are resolved against;
    ``attachments`` are further texts that belong to it, by name. ``image`` is the container image it was read from or
    is meant for, ``archive`` the file that holds both it and its image, ``prefix`` the Python environment it is
    installed in.
    """

    name: str
    text: str
    base: Path
    attachments: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    archive: Path | None = None
    prefix: Path | None = None

    @cached_property
    def parsed(self) -> tuple[Any, Problem | None]:
        """The plain data of the text and None, or None and the problem that prevents reading it."""
        from trivet.contracts.parsing import parse_json, parse_yaml

        return parse_yaml(self.text) if self.is_yaml else parse_json(self.text)

    @property
    def is_yaml(self) -> bool:
        """Whether the text is read as YAML: by the name, or, without a known suffix, by how the text begins."""
        name = self.name.lower()
        if name.endswith((".yml", ".yaml")):
            return True
        return not name.endswith(".json") and self.text.lstrip()[:1] not in ("{", "[")

    @property
    def data(self) -> Any:
        """The plain data, None where the text can't be read."""
        return self.parsed[0]

    @property
    def texts(self) -> dict[str, str]:
        """The text and its attachments by name, the main one first: what `Document.texts` keeps."""
        return {self.name: self.text, **self.attachments}

    def place(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with file, line and column filled in, looked up by their paths."""
        problems = list(problems)
        paths = [problem.path for problem in problems if not problem.file and problem.line is None]
        positions = iter(self._positions(paths))
        placed = []
        for problem in problems:
            if problem.file:
                placed.append(problem)
            elif problem.line is not None:
                placed.append(problem.at(self.name, problem.line, problem.column))
            else:
                placed.append(problem.at(self.name, *next(positions)))
        return placed

    def _positions(self, paths: Sequence[DocumentPath]) -> Sequence[tuple[int, int] | tuple[None, None]]:
        if not paths:
            return ()
        if self.parsed[1] is not None:
            return [(None, None)] * len(paths)
        from trivet.contracts.positions import json_positions, yaml_positions

        return yaml_positions(self.text, paths) if self.is_yaml else json_positions(self.text, paths)


def load(path: Path, name: str | None = None) -> Source:
    """Read a document's text from a file.

    Raises ProblemsError when it is missing, no regular file, unreadable, empty, too large or not UTF-8 text.
    """
    shown = name or str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _refused(shown, "T001", "this is a directory, not a document")
        if not stat.S_ISREG(status.st_mode):
            raise _refused(shown, "T001", "this is not a regular file")
        if status.st_size > MAX_BYTES:
            raise _refused(
                shown,
                "T004",
                f"the file has {status.st_size:,} bytes; a task's description has at most {MAX_BYTES:,}",
                "is this the right file?",
            )
        raw = path.read_bytes()
    except FileNotFoundError:
        broken = path.is_symlink()
        message = "the link leads nowhere" if broken else "the file does not exist"
        raise _refused(shown, "T001", message, "" if broken else "check the path") from None
    except OSError as error:
        raise _refused(shown, "T001", f"the file can't be read: {error.strerror or error}") from None
    return Source(shown, decode(raw, shown), path.absolute().parent)


def decode(raw: bytes, name: str) -> str:
    """The text of a document's bytes. Raises ProblemsError when empty or not UTF-8 text."""
    if not raw.strip():
        raise _refused(name, "T002", "the file is empty")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw[:4].count(0) == 2:
        raise _refused(name, "T003", "the file is UTF-16 text", "save it as UTF-8")
    if b"\x00" in raw:
        raise _refused(name, "T003", "the file is binary, not text", "documents are JSON or YAML, bundles zip archives")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        what = f"the file is not UTF-8 text (byte 0x{raw[error.start]:02x})"
        problem = Problem("T003", what, hint="save it as UTF-8", file=name, line=line, column=column)
        raise ProblemsError([problem]) from None


def _refused(name: str, code: str, message: str, hint: str = "") -> ProblemsError:
    return ProblemsError([Problem(code, message, hint=hint, file=name)])
