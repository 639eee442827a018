"""Names that the public server makes or reads: of folders and files of a job, packages, wheels, archives."""

from __future__ import annotations

import string
from dataclasses import dataclass

FORBIDDEN = frozenset("`#$&*()\\|[]{};<>?!")
"""Characters that may not stand in a command (Fractal, command line): a shell would take them for its own."""

_UNDERSCORES = str.maketrans(dict.fromkeys(string.punctuation + string.whitespace, "_"))


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """The names of one unit's files in the folder of its task."""

    arguments: str
    log: str
    output: str


def slug(text: str) -> str:
    """A name for files: lower case, with ``_`` for every ASCII punctuation mark or blank."""
    return text.lower().translate(_UNDERSCORES)


def task_folder(order: int, name: str) -> str:
    """The folder of a workflow's task within a job; ``order`` is its position in the workflow, from 0."""
    return f"{order}_{slug(name)}"


def unit_files(unit: str) -> UnitFiles:
    """The files of a unit by its name: ``non_par`` (of which there is only one) or ``par-000000-0000012``."""
    prefix = unit if unit.startswith("par-") else f"{unit}-"
    return UnitFiles(f"{prefix}-args.json", f"{prefix}-log.txt", f"{prefix}-metadiff.json")


def forbidden_in(command: str) -> str:
    """Those `FORBIDDEN` characters that a command holds, sorted; empty when it is allowed."""
    return "".join(sorted(FORBIDDEN & set(command)))


def parse_wheel_name(filename: str) -> tuple[str, str]:
    """Distribution and version by a wheel's file name, as they are written there. Raises ValueError for another name.

    That name is ``{distribution}-{version}[-{build}]-{python}-{abi}-{platform}.whl``.
    """
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or "/" in filename or len(parts) not in (5, 6) or not all(parts):
        raise ValueError(f"{filename!r} is no file name of a wheel, as my_tasks-1.0.0-py3-none-any.whl")
    return parts[0], parts[1]


def parse_pixi_archive_name(filename: str) -> tuple[str, str]:
    """Package and version by the file name of a pixi project, ``{package}-{version}.tar.gz`` with a single ``-``.

    Raises ValueError for another name.
    """
    parts = filename.removesuffix(".tar.gz").split("-")
    if not filename.endswith(".tar.gz") or "/" in filename or len(parts) != 2 or not all(parts):
        raise ValueError(f"{filename!r} is no file name of a pixi project, as my_tasks-1.0.0.tar.gz")
    return parts[0], parts[1]


def task_range(total: int, first: int | None, last: int | None) -> tuple[int, int]:
    """The first and last task of a job, from 0; None is the first or last of the workflow.

    Raises ValueError unless 0 ≤ first ≤ last < ``total``.
    """
    begin = 0 if first is None else first
    end = total - 1 if last is None else last
    if not 0 <= begin <= end < total:
        told = f"tasks {begin} to {end} can't be run of a workflow with {total}"
        raise ValueError(f"{told}: they are counted from 0, and the first can't come after the last")
    return begin, end
