"""`validate`: is a file a valid document, and what is wrong with it."""

from __future__ import annotations

import sys

from task_api.reading import text_file
from trivet.cli.reporting import problem_json, problem_lines
from trivet.contracts.kaapana import detection, document, rules
from trivet.contracts.kaapana.template_options import TemplateOptions
from trivet.contracts.source import Source
from trivet.runs.sources import complete, with_options
from trivet.tasks.problem import Problem, ProblemsError, has_errors

LENIENT = TemplateOptions(undefined="empty")
"""Variables without a value are empty in this command line, as its users expect."""

_NAMES = {"task": "task description", "pc": "container description"}


def validate(file: str, schema: str, form: str) -> int:
    """Print whether a file is valid, and if not every problem; the exit code is then 1. Of a valid one warnings go to
    stderr, so that it has one line."""
    problems = findings(file, schema)
    bad = has_errors(problems)
    if form == "json":
        from json import dumps

        print(dumps([problem_json(problem) for problem in problems], indent=2))
        return int(bad)
    print(f"{'❌' if bad else '✅'} {file}: {'not a' if bad else 'a'} valid {_NAMES[schema]}")
    for problem in problems:
        if problem.severity != "info":
            print(*problem_lines(problem), sep="\n", file=sys.stdout if bad else sys.stderr)
    return int(bad)


def findings(file: str, schema: str) -> list[Problem]:
    """Everything that is wrong with a file that is to be a task, or with ``schema`` ``pc`` a container."""
    try:
        source = text_file(file)
        other = _other(source, schema)
        if other is not None:
            return source.place([other])
        if schema == "pc":
            return _checked(source, "container")
        source = with_options(source, LENIENT)
        problems: list[Problem] = []
        try:
            source = complete(source, from_image=False)
        except ProblemsError as error:  # of the container file beside it
            problems += error.problems
        return [*_checked(source, "task"), *problems]
    except ProblemsError as error:
        return list(error.problems)


def _checked(source: Source, kind: str) -> list[Problem]:
    return list(dict.fromkeys(source.place(rules.check(document.read(source, kind)))))


def _other(source: Source, schema: str) -> Problem | None:
    """A problem when the file is clearly of the other kind."""
    data = source.data
    if not isinstance(data, dict) or not detection.detect(source):
        return None
    found = "task" if detection.is_task(data) else "pc"
    if found == schema:
        return None
    message = f"this is a {_NAMES[found]}, not a {_NAMES[schema]}"
    return Problem("A002", message, hint=f"validate it with --schema {found}")
