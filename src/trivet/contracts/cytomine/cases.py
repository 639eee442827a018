"""Test cases of a task: files that say what goes in and what must come out, and the comparison of values with that.

A case is a YAML or JSON object: ``inputs`` as for ``trivet run --values``; ``expected`` values by output; ``tolerance``
for numbers and coordinates (relative, and absolute around zero; default 1e-6); ``exit_code`` (default 0).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from trivet.contracts.cytomine import geometry, slides
from trivet.contracts.cytomine.pictures import Picture, inspect
from trivet.contracts.fields import Fields
from trivet.contracts.parsing import duplicate_keys
from trivet.contracts.source import load
from trivet.tasks import types
from trivet.tasks.problem import Problem, ProblemsError, closest
from trivet.tasks.task import Task
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value

TOLERANCE = 1e-6
_CODES = {"missing": "C300", "type": "C300", "unknown": "C301"}
_FILE_FACTS = ("file", "sha256", "size", "format", "width", "height")


@dataclass(frozen=True, slots=True)
class Case:
    """One case: ``inputs`` are plain data, paths in it are relative to the file's directory ``base``."""

    name: str
    file: str
    base: Path
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerance: float = TOLERANCE
    exit_code: int = 0
    problems: tuple[Problem, ...] = ()


def read_cases(task: Task, directory: Path) -> list[Case]:
    """The cases in ``tests/*.yml`` (and ``.yaml``, ``.json``) of a project, by name; each with what is wrong with it.

    Raises ProblemsError when there is none.
    """
    folder = directory / "tests"
    paths = sorted(path for ending in ("yml", "yaml", "json") for path in folder.glob(f"*.{ending}"))
    if not paths:
        hint = "write one with `inputs` and `expected`"
        raise ProblemsError([Problem("C302", "holds no test case (*.yml)", hint=hint, file=str(folder))])
    return [_read(task, path) for path in paths]


def _read(task: Task, path: Path) -> Case:
    try:
        source = load(path)
    except ProblemsError as error:
        return Case(path.stem, str(path), path.parent, {}, {}, problems=error.problems)
    data, unread = source.parsed
    if unread is not None:
        return Case(path.stem, source.name, source.base, {}, {}, problems=tuple(source.place([unread])))
    problems = list(duplicate_keys(data))
    fields = Fields(data, problems, _CODES)
    inputs = fields.get("inputs", dict, {}, null=True)
    expected = fields.get("expected", dict, {}, null=True)
    tolerance = fields.get("tolerance", float, TOLERANCE)
    exit_code = fields.get("exit_code", int, 0)
    name = fields.get("name", str, path.stem)
    fields.unknown(severity="error")  # a misspelt `expected` would compare nothing
    if not 0 <= tolerance < math.inf:
        fields.note("C300", "`tolerance` must be a number that is not negative", "tolerance")
    if exit_code and expected:
        fields.note("C300", "a task that fails has no outputs to expect", "expected")
    outputs = [port.name for port in task.outputs]
    for output in expected:
        if output not in outputs:
            fields.note(
                "C300", f"there is no output `{output}`", "expected", output, hint=closest(str(output), outputs)
            )
    return Case(name, source.name, source.base, inputs, expected, tolerance, exit_code, tuple(source.place(problems)))


def differences(task: Task, case: Case, outputs: Mapping[str, Value]) -> list[Problem]:
    """What the outputs of a run have that the case does not expect; outputs it does not name are not looked at."""
    comparison = _Comparison(case)
    for port in task.outputs:
        if port.name in case.expected:
            comparison.compare(port.type, case.expected[port.name], outputs.get(port.name), (port.name,))
    return comparison.place()


class _Comparison:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._problems: list[Problem] = []

    def place(self) -> list[Problem]:
        if not self._problems:
            return []
        try:
            return load(Path(self._case.file)).place(self._problems)
        except ProblemsError:  # removed meanwhile
            return [problem.at(self._case.file) for problem in self._problems]

    def compare(self, kind: ValueType, expected: Any, found: Value, at: tuple[str | int, ...]) -> None:
        if expected is None or found is None:
            if expected is not None or found is not None:
                self._differs(at, "was not written" if found is None else "was written and should not be")
        elif isinstance(kind, types.Array):
            self._compare_array(kind, expected, cast("Sequence[Value]", found), at)
        elif isinstance(kind, types.File):
            self._compare_file(expected, cast("FileRef", found), at)
        elif isinstance(kind, types.Geometry):
            self._compare_geometry(expected, found, at)
        elif isinstance(kind, types.Number):
            wanted = float(expected) if isinstance(expected, str) and _is_number(expected) else expected
            if not _is_plain_number(wanted) or not self._near(wanted, cast("float", found)):
                self._differs(at, f"is {found}, not {expected} (within {self._case.tolerance:g})")
        elif isinstance(kind, types.Datetime):
            if next(kind.faults(expected), None) or types.parse_datetime(expected) != types.parse_datetime(found):
                self._differs(at, f"is {found}, not {expected}")
        elif type(expected) is not type(found) or expected != found:
            self._differs(at, f"is {found!r}, not {expected!r}")

    def _compare_array(
        self, kind: types.Array, expected: Any, found: Sequence[Value], at: tuple[str | int, ...]
    ) -> None:
        wanted = (
            expected.get("size")
            if isinstance(expected, dict)
            else len(expected)
            if isinstance(expected, list)
            else None
        )
        if wanted != len(found):
            self._differs(at, f"has {len(found)} items, not {wanted}" if wanted is not None else "is a list")
        elif isinstance(expected, list):
            for index, (one, other) in enumerate(zip(expected, found, strict=True)):
                self.compare(kind.of, one, other, (*at, index))

    def _compare_file(self, expected: Any, found: FileRef, at: tuple[str | int, ...]) -> None:
        facts = {"file": expected} if isinstance(expected, str) else expected
        if not isinstance(facts, dict) or not facts or set(facts) - set(_FILE_FACTS):
            self._differs(at, f"is a file; expect a path, or some of {', '.join(_FILE_FACTS)}")
            return
        path = Path(found.path)
        try:
            actual = self._facts(facts, path)
            if "file" in facts and not _same_content(self._case.base / str(facts["file"]), path):
                self._differs(at, f"is not what is in {facts['file']}")
        except (OSError, ValueError) as error:
            self._differs(at, f"can't be compared: {error}")
            return
        for name, value in facts.items():
            if name != "file" and actual[name] != value:
                self._differs(at, f"has the {name} {actual[name]}, not {value}")

    def _facts(self, wanted: Mapping[str, Any], path: Path) -> dict[str, Any]:
        picture = Picture("")
        if path.is_dir():
            picture, size = slides.of_directory(path)
        else:
            size = path.stat().st_size
            if {"format", "width", "height"} & set(wanted):
                with path.open("rb") as stream:
                    picture = inspect(stream)
        digest = _sha256(path) if "sha256" in wanted else ""
        facts = {"size": size, "sha256": digest, "format": picture.format}
        return facts | {"width": picture.width, "height": picture.height}

    def _compare_geometry(self, expected: Any, found: Value, at: tuple[str | int, ...]) -> None:
        fault = next(geometry.faults(expected), None)
        if fault is not None:
            self._differs(at, f"can't be compared: what is expected {fault[1]}")
        elif not geometry.same(expected, found, self._case.tolerance):
            self._differs(at, "is another geometry")

    def _near(self, expected: float, found: float) -> bool:
        tolerance = self._case.tolerance
        if math.isnan(expected) or math.isnan(found):
            return math.isnan(expected) and math.isnan(found)
        return math.isclose(expected, found, rel_tol=min(tolerance, 0.999), abs_tol=tolerance)

    def _differs(self, at: tuple[str | int, ...], message: str) -> None:
        where = f"`{at[0]}`" + "".join(f"[{index}]" for index in at[1:])
        self._problems.append(Problem("C303", f"output {where} {message}", path=("expected", *at)))


def _is_plain_number(data: Any) -> bool:
    return isinstance(data, int | float) and not isinstance(data, bool)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _same_content(one: Path, other: Path) -> bool:
    import filecmp

    return filecmp.cmp(one, other, shallow=False)


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
