"""Reading a ``.env`` file: ``NAME=VALUE`` lines that stand in for variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trivet.tasks.problem import Problem

_LINE = re.compile(
    r"""[^\S\n]*(?:export[^\S\n]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[^\S\n]*=[^\S\n]*
        (?:'(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<plain>(?!['"])[^\n]*?))
        [^\S\n]*(?:(?<!\S)\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_SKIPPED = re.compile(r"[^\S\n]*(?:\#[^\n]*)?(?:\n|\Z)")
_REST = re.compile(r"[^\n]*(?:\n|\Z)")
_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}", re.ASCII)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parsed(text: str, name: str, environment: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The variables of a ``.env`` text, and a warning for every line that is none.

    Values may be quoted (with escapes in double quotes, over several lines); ``${OTHER}`` and ``${OTHER:-text}`` are
    replaced outside single quotes, from the environment first, as the public implementation does.
    """
    values: dict[str, str] = {}
    problems = []
    at = 0
    text = text.replace("\r\n", "\n")
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        line = _LINE.match(text, at)
        if line is None:
            number = text.count("\n", 0, at) + 1
            hint = 'lines look like NAME=value or NAME="a value"'
            problems.append(
                Problem("K034", "this line is no variable", "warning", hint, file=name, line=number, column=1)
            )
            at = _rest(text, at)
            continue
        values[line["name"]] = _value(line, {**values, **environment})
        at = line.end()
    return values, problems


def _value(line: re.Match[str], known: Mapping[str, str]) -> str:
    if line["single"] is not None:
        return re.sub(r"\\([\\'])", r"\1", line["single"])
    if line["double"] is not None:
        text = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), line["double"], flags=re.DOTALL)
    else:
        text = line["plain"]
    return _REFERENCE.sub(lambda match: known.get(match["name"], match["default"] or ""), text)


def _rest(text: str, at: int) -> int:
    match = _REST.match(text, at)
    return match.end() if match is not None else len(text)
