"""Reading the files that commands are given, and telling what is found in them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from trivet.contracts.source import Source, load
from trivet.tasks.problem import Problem, ProblemsError


def text_file(path: str) -> Source:
    """The text of a file; a pickle is refused with the reason, and never looked into. Raises ProblemsError."""
    try:
        source = load(Path(path))
    except ProblemsError:
        if _begins_with(path, b"\x80"):
            raise _pickle(path) from None
        raise
    if source.text[:1] in "(]}lc" and source.text.rstrip().endswith(".") and "\n" in source.text:
        raise _pickle(path)  # of the oldest protocol, which is text
    return source


def tell(problems: Iterable[Problem], least: str = "info") -> None:
    """Print findings on stderr: all, or only errors and warnings."""
    from trivet.cli.reporting import problem_lines

    for problem in problems:
        if least == "info" or problem.severity != "info":
            print(*problem_lines(problem), sep="\n", file=sys.stderr)


def refusal(code: str, message: str, hint: str = "", file: str = "") -> ProblemsError:
    """One reason not to go on."""
    return ProblemsError([Problem(code, message, hint=hint, file=file)])


def _begins_with(path: str, start: bytes) -> bool:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(start)) == start
    except OSError:
        return False


def _pickle(path: str) -> ProblemsError:
    message = "this is a pickle; reading one can run any program that is hidden in it, so none is ever read"
    return refusal("A001", message, "start the task again with this tool: its records are plain JSON", path)
