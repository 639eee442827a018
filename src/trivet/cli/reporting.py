"""How findings are written: for people, for programs, for GitHub, as SARIF."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from trivet.tasks.problem import Problem

FORMATS = ("text", "json", "github", "sarif")

_COLOURS = {"error": "31", "warning": "33", "info": "36", "ok": "32"}
_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}


@dataclass(frozen=True)
class Checked:
    """What came of checking one file; ``contract`` and ``kind`` are None where it is no document."""

    file: str
    contract: str | None = None
    kind: str | None = None
    problems: tuple[Problem, ...] = ()

    def strict(self) -> Checked:
        """The same with warnings taken as errors."""
        raised = (replace(one, severity="error") if one.severity == "warning" else one for one in self.problems)
        return replace(self, problems=tuple(raised))


def report(form: str, checked: Sequence[Checked]) -> None:
    """Write what was found to stdout in one of `FORMATS`, and a line that sums it up to stderr."""
    if form == "text":
        lines = _text(checked)
    elif form == "github":
        lines = (_github(problem) for one in checked for problem in one.problems)
    else:
        from json import dumps

        lines = iter([dumps(_json(checked) if form == "json" else _sarif(checked), indent=2)])
    for line in lines:
        print(line)
    print(_summary(checked), file=sys.stderr)


def problem_lines(problem: Problem, colour: bool = False) -> list[str]:
    """One finding for people: where, what, and on a second line what to do."""
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part not in (None, ""))
    severity = _coloured(problem.severity, problem.severity, colour)
    lines = [printable(f"{place}: " if place else "") + f"{severity} {printable(f'{problem.code} {problem.message}')}"]
    return [*lines, printable(f"    hint: {problem.hint}")] if problem.hint else lines


def problem_json(problem: Problem) -> dict[str, Any]:
    """One finding as JSON data; ``path`` holds keys and indices from the root."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": list(problem.path),
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def say(text: str, end: str = "\n") -> None:
    """Tell something on stderr; nothing stops because nobody listens there any more."""
    with suppress(OSError):
        print(text, end=end, flush=True, file=sys.stderr)


def printable(text: str) -> str:
    """The text on one line and without control characters: a document must not write escape codes to a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _text(checked: Sequence[Checked]) -> Iterator[str]:
    colour = sys.stdout is not None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for one in checked:
        for problem in one.problems:
            yield from problem_lines(problem, colour)
        if all(problem.severity == "info" for problem in one.problems):
            yield f"{_coloured('ok', 'ok', colour)} {one.contract} {one.kind} {printable(one.file)}"


def _coloured(text: str, kind: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if colour else text


def _json(checked: Sequence[Checked]) -> list[dict[str, Any]]:
    return [
        {
            "file": one.file,
            "contract": one.contract,
            "kind": one.kind,
            "problems": [problem_json(problem) for problem in one.problems],
        }
        for one in checked
    ]


def _github(problem: Problem) -> str:
    """A workflow command of GitHub Actions, which shows it at the line in question."""
    properties = {"file": problem.file, "line": problem.line, "col": problem.column, "title": problem.code}
    given = (f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items() if value not in (None, ""))
    message = problem.message + (f"\n{problem.hint}" if problem.hint else "")
    return f"::{_GITHUB[problem.severity]} {','.join(given)}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)


def _sarif(checked: Sequence[Checked]) -> dict[str, Any]:
    from trivet.cli.sarif import log

    return log([problem for one in checked for problem in one.problems])


def _summary(checked: Sequence[Checked]) -> str:
    found = [problem.severity for one in checked for problem in one.problems]
    counts = [(len(checked), "file"), (found.count("error"), "error"), (found.count("warning"), "warning")]
    return ", ".join(f"{count} {word}" + ("" if count == 1 else "s") for count, word in counts)
