"""Conversions: a task of one contract as a project of another, and what of it can't be said there.

A conversion knows both contracts; these know nothing of each other. The program stays in its own image: a generated
script in front of it turns what the new platform gives into what the program expects, and back.
"""

from __future__ import annotations

import re
from importlib import import_module

from trivet.contracts.written import Written
from trivet.conversions.original import Original, Wishes
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.task import Task

__all__ = ["DIRECTIONS", "Original", "Wishes", "convert"]

DIRECTIONS = {
    ("cytomine", "kaapana"): "trivet.conversions.to_kaapana",
    ("kaapana", "cytomine"): "trivet.conversions.to_cytomine",
}
"""The module for every pair of contracts, from and to; its `convert` does it."""


def convert(task: Task, contract: str, form: str, original: Original, wishes: Wishes) -> Written:
    """The files of a project that is the same task in a form of another contract, and what is not in them.

    Raises ProblemsError when there is no such conversion, or the task can't be converted at all.
    """
    module = DIRECTIONS.get((task.contract, contract))
    if module is None:
        hint = "there is " + " and ".join(f"{source} to {target}" for source, target in DIRECTIONS)
        message = f"what is written in the contract {task.contract} can't be written in {contract}"
        if task.contract == contract:
            hint = "a document is written in another form of its contract when its file is named"
            message = f"this is a task of the contract {contract} already"
        raise ProblemsError([Problem("X001", message, hint=hint, file=task.document.origin)])
    names = {"image": original.image, "user": original.user, "image of the shell": wishes.shell_from}
    odd = [f"the {what} {name!r} can't be named in a Dockerfile" for what, name in names.items() if not _fits(name)]
    if odd:
        raise ProblemsError([Problem("X004", message, file=task.document.origin) for message in odd])
    written: Written = import_module(module).convert(task, form, original, wishes)
    return written


def _fits(name: str) -> bool:
    """Whether a name stays one word of one line, whatever is written around it."""
    return re.fullmatch(r"[A-Za-z0-9_./:@+-]*", name, re.ASCII) is not None
