"""Files with datasets, or with lists of images, as commands are given them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.cli.dataset_words import UNUSABLE
from trivet.contracts.parsing import parse_json
from trivet.datasets.exchange import Content, read_content, read_images
from trivet.datasets.images import Image
from trivet.tasks.problem import Problem, ProblemsError, has_errors


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read: its name, its text, and the JSON data in it."""

    name: str
    text: str
    data: Any

    def place(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with file, line and column, looked up by their paths."""
        from trivet.contracts.positions import json_positions

        problems = list(problems)
        positions = json_positions(self.text, [problem.path for problem in problems]) if problems else ()
        return [problem.at(self.name, *at) for problem, at in zip(problems, positions, strict=True)]


def content_of(file: str, name: str | None = None) -> tuple[Content, list[Problem]]:
    """The dataset in a file (``-`` is stdin), under another name if one is given, and what is to be said of it.

    Raises ProblemsError when it is none.
    """
    found = _read(file)
    data = found.data
    if name is not None and isinstance(data, dict):
        data["name"] = name
    problems: list[Problem] = []
    content = read_content(data, problems)
    if content is None:
        raise ProblemsError(found.place(problems))
    return content, found.place(problems)


def images_in(file: str, zarr_dir: str) -> tuple[dict[str, Image], list[Problem]]:
    """The images below ``zarr_dir`` that a file lists (a list, or a dataset), and what is to be said of them.

    Raises ProblemsError.
    """
    found = _read(file)
    inside = ("images",) if isinstance(found.data, dict) else ()
    items = found.data.get("images") if inside else found.data
    if not isinstance(items, list):
        message = "a list of images is needed, or an object with the list `images`"
        raise ProblemsError([Problem(UNUSABLE, message, file=file)])
    problems: list[Problem] = []
    images = read_images(items, zarr_dir, problems, inside)
    if has_errors(problems):
        raise ProblemsError(found.place(problems))
    return images, found.place(problems)


def _read(file: str) -> _File:
    """A file (``-`` is stdin). Raises ProblemsError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # bytes that are no text, names that can be none
        reason = getattr(error, "strerror", None) or str(error)
        raise ProblemsError([Problem(UNUSABLE, f"the file can't be read: {reason}", file=file)]) from None
    data, problem = parse_json(text)
    if problem is not None:
        raise ProblemsError([problem.at(file, problem.line, problem.column)])
    return _File(file, text, data)
