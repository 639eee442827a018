"""Traces of Kaapana's older operator in a container project: what its programs were given, and no task is today."""

# ruff: noqa: PTH118, PTH119, PTH122 (names stay text here: what is walked is often large)
from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from trivet.tasks.problem import Problem, Severity

INSTEAD = {
    "WORKFLOW_DIR": "a task gets one directory for each channel, at its `mounted_path`",
    "BATCH_NAME": "the items of a channel are the directories in it; there is no batch directory around them",
    "OPERATOR_IN_DIR": "read the `mounted_path` of an input channel",
    "OPERATOR_OUT_DIR": "write to the `mounted_path` of an output channel",
    "conf/conf.json": "declare what a user may set as variables in `env` of the template",
}
"""What the older operator gave, and what to use now."""

MAX_BYTES = 1024 * 1024
MAX_FILES = 2000

_TRACE = re.compile(r"\b(WORKFLOW_DIR|BATCH_NAME|OPERATOR_IN_DIR|OPERATOR_OUT_DIR)\b|\bconf[\"'\s,/]{1,8}conf\.json\b")
_SET = re.compile(r"^\s*(?:ENV|ARG)\s+([A-Za-z_]\w*)[ =]", re.MULTILINE | re.ASCII)
_PROGRAMS = (".sh", ".bash", ".py", ".r", ".jl", ".m", ".pl")
_SKIPPED = ("node_modules", "__pycache__", "venv", "site-packages", "tests", "test-data")


def hints(directory: str, declared: Collection[str]) -> Iterator[Problem]:
    """Every program and Dockerfile of a container project that still reads what the older operator gave.

    A warning for each file and name, at the first line; only a note for variables that the templates (``declared``)
    or the Dockerfile set themselves.
    """
    texts = list(_programs(directory))
    given = {*declared, *(name for path, text in texts if _is_dockerfile(path) for name in _SET.findall(text))}
    for path, text in texts:
        seen = set()
        for match in _TRACE.finditer(text):
            name = match[1] or "conf/conf.json"
            if name not in seen and not (_is_dockerfile(path) and name in given):
                seen.add(name)
                yield _hint(path, text, match.start(), name, name in given)


def _hint(path: str, text: str, at: int, name: str, given: bool) -> Problem:
    severity: Severity = "info" if given else "warning"
    now = "here it is set by hand" if given else "no task gets it"
    message = f"`{name}` is what the older operator gave; {now}"
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return Problem("K080", message, severity, INSTEAD[name], file=path, line=line, column=column)


def _programs(directory: str) -> Iterator[tuple[str, str]]:
    """Path and text of everything in a project that may be run; what can't be read as text is passed over."""
    left = MAX_FILES
    for root, directories, names in os.walk(directory):
        if root != directory and "processing-container.json" in names:
            directories.clear()
            continue
        directories[:] = sorted(name for name in directories if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            path = os.path.normpath(os.path.join(root, name))
            suffix = os.path.splitext(name)[1].lower()
            if suffix not in _PROGRAMS and suffix != "" and not _is_dockerfile(path):
                continue
            left -= 1
            text = _text(Path(path)) if left >= 0 else None
            if text is not None and (suffix or _is_dockerfile(path) or text.startswith("#!")):
                yield path, text


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _is_dockerfile(path: str) -> bool:
    name = os.path.basename(path).lower()
    return name.startswith(("dockerfile", "containerfile")) or name.endswith(".dockerfile")
