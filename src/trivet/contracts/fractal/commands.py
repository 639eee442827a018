"""How a part of a task is started: its script by the environment's Python, or a command somebody registered."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from trivet.contracts.fractal.environment import interpreter
from trivet.contracts.fractal.manifest import prefix_of
from trivet.contracts.fractal.naming import forbidden_in
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, ProblemsError

_PYTHON = re.compile(r"python[0-9.]*", re.ASCII)


def command_of(document: Document, entry: Mapping[str, Any], suffix: str) -> tuple[str, ...]:
    """The words that start a part of a task, before its own arguments (Fractal, command line).

    ``suffix`` ends the key: ``_parallel``, ``_non_parallel``, or nothing for a task of version 1. Raises ProblemsError
    when the script is not there or the program is not found.
    """
    command = entry.get(f"command{suffix}")
    if command is not None:
        problems = list(faults(command))
        if problems:
            raise ProblemsError(problems)
        return words(command)
    python, script = shown(document, entry, [suffix])
    if not os.path.isfile(script):  # noqa: PTH113
        hint = "install the package, and name it (and its environment) instead of this file"
        raise ProblemsError([Problem("F020", f"{script} does not exist", hint=hint)])
    return python, script


def shown(document: Document, entry: Mapping[str, Any], suffixes: Sequence[str]) -> tuple[str, ...]:
    """The words of all parts of a task, for people."""
    commands = [entry.get(f"command{suffix}") for suffix in suffixes]
    if any(command is not None for command in commands):
        return tuple(word for command in commands for word in words(command or ""))
    scripts = (f"{document.base}/{entry[f'executable{suffix}']}" for suffix in suffixes)
    return interpreter(prefix_of(document)), *scripts


@lru_cache(maxsize=64)  # every unit of a task asks for the same, and splitting is slow
def words(command: str) -> tuple[str, ...]:
    """A command split as a POSIX shell does: quotes are honoured, nothing is expanded. Raises ValueError."""
    return tuple(shlex.split(command))


def faults(command: str) -> Iterator[Problem]:
    """What keeps a command from being started (Fractal, command line)."""
    found = forbidden_in(command)
    if found:
        told = " ".join(f"`{one}`" for one in found)
        yield Problem("F019", f"the command `{command}` holds {told}, which a shell would take for its own")
        return
    try:
        parts = words(command)
    except ValueError as error:
        yield Problem("F019", f"the command `{command}` can't be split into words: {error}")
        return
    if not parts or not parts[0]:
        yield Problem("F016", "the command must name a program")
    elif shutil.which(parts[0]) is None:
        hint = "name the program by its absolute path, or install it"
        yield Problem("F020", f"the program `{parts[0]}` of the command `{command}` is not found", hint=hint)


def is_script(command: Sequence[str]) -> bool:
    """Whether a command is nothing but a Python and a script."""
    if len(command) != 2:
        return False
    program, script = command
    return _PYTHON.fullmatch(program.rpartition("/")[2]) is not None and script.endswith(".py")
