"""Findings as a SARIF 2.1.0 log (OASIS), which code hosts and editors read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trivet import __version__
from trivet.tasks.problem import Problem

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_FAMILIES = {
    "B": "The values of a task's inputs",
    "C": "The Cytomine App Engine's contract",
    "E": "Restrictions of the Fractal web form on schemas of arguments",
    "F": "The Fractal contract",
    "K": "The Kaapana Task API",
    "R": "The plain command's form",
    "T": "Reading a document",
}


def log(problems: Sequence[Problem]) -> dict[str, Any]:
    """The log as JSON data: one run, its rules the codes that occur."""
    codes = sorted({problem.code for problem in problems})
    driver = {"name": "Trivet", "version": __version__, "rules": [_rule(code) for code in codes]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True}],
                "results": [_result(problem, codes.index(problem.code)) for problem in problems],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    return {"id": code, "shortDescription": {"text": _FAMILIES.get(code[:1], "A finding of Trivet")}}


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    text = problem.message + (f" ({problem.hint})" if problem.hint else "")
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": text},
    }
    if problem.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(problem.file)}}
        if problem.line is not None:
            column = {} if problem.column is None else {"startColumn": problem.column}
            place["region"] = {"startLine": problem.line, **column}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _uri(file: str) -> str:
    return Path(file).as_uri() if file.startswith("/") else quote(file.encode(errors="surrogateescape"))
