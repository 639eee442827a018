"""Inputs that lie in a directory as a program would find them (App Engine tasks, types and encodings)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from trivet.contracts.cytomine import sidecars
from trivet.contracts.cytomine.values import Reader, listed
from trivet.tasks import types
from trivet.tasks.problem import Problem
from trivet.tasks.task import Task
from trivet.tasks.values import Value


def read_inputs(task: Task, folder: Path) -> tuple[dict[str, Value], Sequence[Problem]]:
    """The values of a task's inputs in a directory, and what is wrong with them; absent ones are left out.

    Files are referred to where they are; links are followed. Raises OSError for what is no readable directory.
    """
    reader = Reader(trusted=True)
    names = set(os.listdir(folder))  # noqa: PTH208 - names only
    values: dict[str, Value] = {}
    for port in task.inputs:
        at = ("inputs", port.name)
        image = sidecars.owner(port.name)
        if image is not None:
            outline = sidecars.read(values.get(image), folder / image, partial(reader.decode, types.Geometry(), at=at))
            if outline is not None:
                values[port.name] = outline
        elif port.name in names:
            values[port.name] = reader.decode(port.type, folder / port.name, at)
    unknown = sorted(names - {port.name for port in task.inputs})
    if unknown:
        message = f"{folder} holds files that no input declares: {listed(unknown)}"
        reader.problems.append(Problem("C204", message, "warning", "a file is named as its input, without extension"))
    return values, reader.problems
