"""What the commands for jobs share: how a job, and a step of it, are named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from trivet.records import home
from trivet.records.datasets import DamagedError
from trivet.records.directory import JobDirectory
from trivet.tasks.problem import closest
from trivet.workflows import history


def found(name: str) -> JobDirectory:
    """The job of that name. A usage error tells what there is instead."""
    try:
        return history.find(home(), name)
    except LookupError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def dataset_of(job: JobDirectory) -> Iterator[None]:
    """Look into a job's dataset. Raises ClickException where it is gone or damaged."""
    try:
        yield
    except (OSError, DamagedError) as error:
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise click.ClickException(f"the dataset of job {job.id} can't be read: {reason}") from None


def step_of(word: str, names: Sequence[str], tasks: Sequence[str]) -> int:
    """The step that a word means: its number, from 0, its own name (``names``) or that of its task.

    Raises a usage error where there is none or more than one.
    """
    if re.fullmatch(r"-?[0-9]{1,9}", word):
        if not 0 <= int(word) < len(names):
            raise click.UsageError(f"there is no step {word}: the workflow has {len(names)}, counted from 0")
        return int(word)
    meant = [index for index, pair in enumerate(zip(names, tasks, strict=True)) if word in pair]
    if len(meant) == 1:
        return meant[0]
    if meant:
        numbers = ", ".join(map(str, meant))
        raise click.UsageError(f"`{word}` is the name of several steps ({numbers}); give a number")
    raise click.UsageError(f"there is no step `{word}`; {closest(word, dict.fromkeys([*names, *tasks]))}")
