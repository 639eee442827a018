"""Writing, checking and comparing the manifest of a package: `trivet fractal manifest` without its command line."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.contracts.fractal.authoring.manifests import Built

SCHEMA_VERSIONS = ("fractal_schema_v1", "pydantic_v2")
TASK_LIST = "dev.task_list"


class Wanted(NamedTuple):
    """The package whose manifest is meant, and how it is made: what `authoring.manifests.build` is given."""

    package: str | None = None
    task_list: str = TASK_LIST
    schema_version: Literal["fractal_schema_v1", "pydantic_v2"] = "fractal_schema_v1"
    compatible: bool = False
    static: bool = False


def without_collecting() -> None:
    """Let this process collect no garbage, not even at its end: it is short, and what it makes, modules, stays.

    Looking for garbage among a hundred modules takes a tenth of the time of a manifest.
    """
    gc.disable()
    atexit.register(gc.freeze)


def plainly(words: list[str]) -> int | None:
    """Do a command line of the usual kind without the library that would parse it; None for any other."""
    match words:
        case ["create" | "check" as what, "--package", name, *more] if not {name, *more} & {"", "-h", "--help"}:
            if name.startswith("-") or more not in ([], ["--compat"]):
                return None
            wanted = Wanted(name, compatible=bool(more))
            return create(wanted) if what == "create" else check(wanted)
    return None


def create(wanted: Wanted) -> int:
    """Write the manifest of a package, if nothing is wrong with it; the exit code is 1 when something is."""
    built = _build(wanted)
    if not built.ok:
        return _refused(built, "nothing was written")
    from trivet.contracts.fractal.authoring.files import text_of
    from trivet.records.files import write_text

    path = built.path.resolve()
    try:
        write_text(path, text_of(built.manifest))
    except OSError as error:
        raise ProblemsError([Problem("F083", f"{path} can't be written: {error.strerror}")]) from None
    print(built.path)
    return 0


def check(wanted: Wanted, ignore_order: bool = False, verbose: bool = False) -> int:
    """Compare the manifest of a package with what `create` would write; the exit code is 1 when values differ."""
    built = _build(wanted)
    if not built.ok:
        return _refused(built, "not compared")
    from trivet.contracts.fractal.authoring import comparing

    old, new = _read(built.path), built.written
    if old == new and wanted.compatible:
        return _up_to_date(built)
    if wanted.compatible:
        return _told_as_the_public_tool_does(old, new, ignore_order, verbose)
    changed, order = comparing.changes(old, new)
    if not changed:
        return _up_to_date(built, [] if ignore_order else order)
    _print(changed, [] if ignore_order else order)
    number = f"{len(changed)} difference{'' if len(changed) == 1 else 's'}"
    hint = _hint(wanted, old)
    _tell([Problem("F084", f"{built.path} is not up to date: {number}", hint=hint)])
    return 1


def diff(wanted: Wanted, files: tuple[Path, ...] = (), ignore_order: bool = False) -> int:
    """Say what differs between two manifests: those of two files, or of one (by default the package's) and the package.

    The exit code is 1 when values differ.
    """
    from trivet.contracts.fractal.authoring import comparing

    if len(files) == 2:
        old, new = (_read(file) for file in files)
    else:
        built = _build(wanted)
        if built.written is None:
            return _refused(built, "not compared")
        _tell(built.problems)
        old, new = _read(files[0] if files else built.path), built.written
    changed, order = comparing.changes(old, new)
    _print(changed, [] if ignore_order else order)
    return 1 if changed else 0


def _build(wanted: Wanted) -> Built:
    """The manifest in the making; its warnings are told. Raises ProblemsError."""
    without_collecting()
    try:
        from trivet.contracts.fractal.authoring.manifests import build
    except ModuleNotFoundError as error:
        message = f"this needs {error.name}, which is not installed for {sys.executable}"
        raise ProblemsError([Problem("F082", message, hint="pip install 'trivet[fractal]'")]) from None
    built = build(
        wanted.package if wanted.package is not None else _package(),
        wanted.task_list,
        schema_version=wanted.schema_version,
        compatible=wanted.compatible,
        static=wanted.static,
    )
    if built.ok:
        _tell(built.problems)
    return built


def _package() -> str:
    """The name of the package that the project in the working directory is. Raises ProblemsError."""
    from trivet.contracts.fractal.authoring import packages

    path = str(Path.cwd() / "pyproject.toml")
    try:
        return packages.project_name(path)
    except (LookupError, OSError, TypeError, ValueError) as error:
        message = f"`--package` was not given, and {path} does not say it: {error}"
        raise ProblemsError([Problem("F085", message, hint="give `--package NAME`")]) from None


def _read(path: Path) -> Any:
    from trivet.contracts.fractal.authoring.files import read
    from trivet.contracts.fractal.authoring.refused import RefusedError

    try:
        return read(path)
    except RefusedError as refused:
        raise ProblemsError([Problem(refused.code, refused.message, hint=refused.hint)]) from None


def _tell(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    from trivet.cli.reporting import problem_lines

    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)


def _refused(built: Built, consequence: str) -> int:
    _tell(built.problems)
    errors = sum(problem.severity == "error" for problem in built.problems)
    print(f"{errors} error{'' if errors == 1 else 's'}; {consequence}", file=sys.stderr)
    return 1


def _up_to_date(built: Built, order: list[str] | None = None) -> int:
    _print([], order or [])
    print(f"{built.path} is up to date", file=sys.stderr)
    return 0


def _print(changed: list[str], order: list[str]) -> None:
    for line in changed:
        print(line)
    for path in order:
        print(f"  {path}: only the order differs")


def _hint(wanted: Wanted, old: Any) -> str:
    """What to do; a manifest that the public tool wrote is told from one that is out of date."""
    from trivet.contracts.fractal.authoring import comparing
    from trivet.contracts.fractal.authoring.manifests import build

    name = wanted.package if wanted.package is not None else _package()
    other = build(name, wanted.task_list, schema_version=wanted.schema_version, compatible=True, static=wanted.static)
    if other.written is not None and not comparing.changes(old, other.written)[0]:
        return "it is what the public tool writes: check with --compat, or write it anew with `create`"
    return "write it anew with `create`"


def _told_as_the_public_tool_does(old: Any, new: Any, ignore_order: bool, verbose: bool) -> int:
    import json

    from trivet.contracts.fractal.authoring.comparing import differences

    count = 0
    for difference in differences(old, new, ignore_order):
        count += 1
        print(difference.message)
        if verbose:
            print(f"OLD:\n{json.dumps(difference.old)}\nNEW:\n{json.dumps(difference.new)}\n")
    if count:
        print("New/old manifests differ", file=sys.stderr)
    return 1 if count else 0
