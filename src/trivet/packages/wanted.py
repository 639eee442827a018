"""What somebody wants to be collected: a requirement of an index, a wheel, a directory; understood, or refused."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trivet.contracts.fractal.naming import parse_wheel_name
from trivet.packages import manifests
from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PYPI, WHEEL, DIRECTORY = "pypi", "wheel", "directory"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be collected.

    ``package`` is a requirement of an index (``my-tasks[gpu]>=2``), a wheel or the directory of a project; ``extras``
    are further ones. ``python`` is an interpreter or a version of it (None: the one that runs Trivet). ``before`` are
    versions the resolver has to keep to, ``after`` such that count whatever packages say of each other; both are
    installed even where nothing requires them. ``editable``: the modules stay in the directory, for its author.
    """

    package: str
    extras: tuple[str, ...] = ()
    python: str | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    editable: bool = False


def understood(wanted: Wanted) -> tuple[str, Requirement | None]:
    """Where the package comes from, and what is asked of an index. Raises ProblemsError."""
    from packaging.requirements import InvalidRequirement, Requirement

    text = wanted.package
    bad = [name for name in (*wanted.before, *wanted.after, *wanted.extras) if not manifests.is_name(name)]
    problems = [Problem("P003", f"{name!r} is no name of a package or an extra") for name in bad]
    is_directory = os.path.isdir(text)  # noqa: PTH112 (never raises)
    if wanted.editable and not is_directory:
        problems.append(Problem("P003", "only a directory can be collected as editable", file=text))
    if is_directory and not any((Path(text) / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
        hint = "give the directory with the pyproject.toml of a package, or --custom for scripts without a package"
        problems.append(Problem("P003", "this directory is no Python project", hint=hint, file=text))
    if text.lower().endswith(".whl") and not is_directory and "://" not in text:
        problems += _wheel_faults(Path(text))
        if not problems:
            return WHEEL, None
    elif not is_directory and (text.startswith((".", "/", "~")) or text.lower().endswith((".gz", ".zip"))):
        there = os.path.lexists(text)
        what = "this is neither a wheel nor a directory" if there else "there is no such wheel or directory"
        hint = "unpack the archive of a project, and give its directory" if there else "check the path"
        problems.append(Problem("P003", what, hint=hint, file=text))
    if problems:
        raise ProblemsError(problems)
    if is_directory:
        return DIRECTORY, None
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        message = f"{text!r} names no package of an index: {str(error).splitlines()[0]}"
        hint = "write my-tasks, my-tasks==1.0, my-tasks[extra]>=1; or give a wheel or a directory that exists"
        raise ProblemsError([Problem("P003", message, hint=hint)]) from None
    if requirement.url or requirement.marker:
        message = (
            f"{text!r} has {'an address' if requirement.url else 'a condition'}; only a name and versions are known"
        )
        raise ProblemsError([Problem("P003", message, hint="get the wheel or the directory first, and collect that")])
    requirement.extras |= set(wanted.extras)
    return PYPI, requirement


def _wheel_faults(path: Path) -> Iterator[Problem]:
    if not path.is_file():
        yield Problem("T001", "the file does not exist", hint="check the path", file=str(path))
        return
    try:
        parse_wheel_name(path.name)
    except ValueError as error:
        yield Problem("P003", str(error), file=str(path))
        return
    try:
        manifests.in_wheel(path)
    except ProblemsError as error:
        yield from error.problems


def exact_version(requirement: Requirement) -> str | None:
    """The only version that a requirement allows, if it is written as one."""
    found = [one.version for one in requirement.specifier if one.operator == "==" and not one.version.endswith(".*")]
    return found[0] if len(found) == len(requirement.specifier) == 1 else None
