"""The files of a new task, which passes its own checks and tests (App Engine tasks)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from importlib.resources import files as resources

NAME = re.compile(r"[a-z0-9]+(?:[_-]+[a-z0-9]+)*", re.ASCII)
"""What is the last part of a namespace, and of an image's name, at once."""

_FILES = {
    "descriptor.yml": "descriptor.yml",
    "measure.py": "measure.py",
    "requirements.txt": "requirements.txt",
    "Dockerfile": "Dockerfile",
    ".dockerignore": "dockerignore",
    ".gitignore": "gitignore",
    "README.md": "README.md",
    "tests/squares.yml": "squares.yml",
    "tests/nothing.yml": "nothing.yml",
    "tests/bad.yml": "bad.yml",
    ".github/workflows/task.yml": "workflow.yml",
}


def files(name: str) -> Mapping[str, str | bytes]:
    """Every file of a project by its path. Raises ValueError for what can't be the name."""
    if not NAME.fullmatch(name) or not 3 <= len(name) <= 30:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30] or "my-task"
        raise ValueError(
            f"{name!r} can't be the name of a task: 3 to 30 lower-case letters and digits, with dashes or underscores "
            f"between them; for example {near if len(near) > 2 else 'my-task'}"
        )
    templates = resources("trivet.contracts.cytomine") / "project_files"
    title = re.sub(r"[_-]+", " ", name).capitalize()
    words = {"@NAME@": name, "@TITLE@": title, "@SHORT@": re.sub(r"[_-]+", "_", name)}
    made: dict[str, str | bytes] = {}
    for path, template in _FILES.items():
        text = templates.joinpath(f"{template}.in").read_text(encoding="utf-8")
        for mark, word in words.items():
            text = text.replace(mark, word)
        made[path] = text
    image = _png(16, 12, {(2, 2, 4): 200, (11, 8, 3): 155})
    return made | {"tests/data/squares.png": image, "tests/data/broken.png": image[:40]}


def _png(width: int, height: int, squares: Mapping[tuple[int, int, int], int]) -> bytes:
    """A grey image, black but for squares at (left, top, side) of a grey value."""
    rows = [bytearray(width) for _ in range(height)]
    for (left, top, side), grey in squares.items():
        for row in rows[top : top + side]:
            row[left : left + side] = bytes([grey]) * side
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
