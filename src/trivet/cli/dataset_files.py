"""Files with datasets, or with lists of images, as commands are given them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from trivet.cli.dataset_words import UNUSABLE
from trivet.contracts.parsing import parse_json
from trivet.datasets.exchange import Content, read_content
from trivet.tasks.problem import Problem, ProblemsError


def content_of(file: str, name: str | None = None) -> tuple[Content, list[Problem]]:
    """The dataset in a file (``-`` is stdin), under another name if one is given, and what is to be said of it.

    Raises ProblemsError when it is none.
    """
    data = data_of(file)
    if name is not None and isinstance(data, dict):
        data["name"] = name
    problems: list[Problem] = []
    content = read_content(data, problems)
    placed = [problem.at(file) for problem in problems]
    if content is None:
        raise ProblemsError(placed)
    return content, placed


def images_in(file: str) -> list[Any]:
    """The images that a file lists, as plain data: a list, or a dataset. Raises ProblemsError."""
    data = data_of(file)
    items = data.get("images") if isinstance(data, dict) else data
    if not isinstance(items, list):
        message = "a list of images is needed, or an object with the list `images`"
        raise ProblemsError([Problem(UNUSABLE, message, file=file)])
    return items


def data_of(file: str) -> Any:
    """The JSON data of a file (``-`` is stdin). Raises ProblemsError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProblemsError([Problem(UNUSABLE, f"the file can't be read: {reason}", file=file)]) from None
    data, problem = parse_json(text)
    if problem is not None:
        raise ProblemsError([problem.at(file, problem.line, problem.column)])
    return data
