"""Reading the files that commands are given, and telling what is found in them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from trivet.contracts.source import Source, load
from trivet.tasks.problem import Problem, ProblemsError


def text_file(path: str) -> Source:
    """The text of a file; a pickle is refused with the reason, and never looked into. Raises ProblemsError."""
    if _is_pickle(Path(path)):
        message = "this is a pickle; reading one can run any program that is hidden in it, so none is ever read"
        raise refusal("A001", message, "start the task again with this tool: its records are plain JSON", path)
    return load(Path(path))


def tell(problems: Iterable[Problem], least: str = "info") -> None:
    """Print findings on stderr: all, or only errors and warnings."""
    from trivet.cli.reporting import problem_lines

    for problem in problems:
        if least == "info" or problem.severity != "info":
            print(*problem_lines(problem), sep="\n", file=sys.stderr)


def refusal(code: str, message: str, hint: str = "", file: str = "") -> ProblemsError:
    """One reason not to go on."""
    return ProblemsError([Problem(code, message, hint=hint, file=file)])


def _is_pickle(path: Path) -> bool:
    """By the first and the last byte: no JSON begins and ends like that."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            first = stream.read(1)
            stream.seek(-1, 2)
            return first == b"\x80" or (first in (b"(", b"]", b"}", b"c", b"l") and stream.read() == b".")
    except OSError:
        return False
