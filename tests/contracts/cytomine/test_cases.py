"""Test cases of a task: how they are read, and what counts as the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trivet.contracts.cytomine import geometry
from trivet.contracts.cytomine.cases import Case, differences, read_cases
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import Task
from trivet.tasks.values import FileRef, Value

TaskWith = Callable[..., Task]
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}


def feature(shape: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shape, "properties": properties}


def circle(x: float, radius: float) -> dict[str, Any]:
    return feature({"type": "Point", "coordinates": [x, 0]}, subType="Circle", radius=radius)


def polygon(*corners: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*map(list, corners), list(corners[0])]]}


def codes(task: Task, folder: Path, expected: Any, found: Value, tolerance: float = 1e-6) -> list[str]:
    case = Case("x", str(folder / "x.yml"), folder, {}, {"o": expected}, tolerance)
    return [problem.code for problem in differences(task, case, {} if found is None else {"o": found})]


@pytest.mark.parametrize(
    ("kind", "expected", "found", "tolerance", "same"),
    [
        ("integer", 4, 4, 9, True),
        ("integer", 4, 5, 9, False),
        ("integer", True, 1, 9, False),
        ("boolean", True, True, 0, True),
        ("string", "a", "a ", 0, False),
        ("number", 1, 1.0, 0, True),
        ("number", 100, 100.9, 0.01, True),
        ("number", 100, 101.1, 0.01, False),
        ("number", 0, 0.009, 0.01, True),
        ("number", 1, 1.0000001, 1e-6, True),
        ("number", "nan", math.nan, 0, True),
        ("number", "inf", math.inf, 0, True),
        ("number", "-inf", math.inf, 9, False),
        ("number", 1, math.nan, 9, False),
        ("number", True, 1.0, 0, False),
        ("number", "one", 1.0, 0, False),
        ("datetime", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", 0, True),
        ("datetime", "2024-01-01", "2024-01-01T00:00:00Z", 0, False),
        ({"id": "array", "subtype": "integer"}, [1, 2], [1, 2], 0, True),
        ({"id": "array", "subtype": "integer"}, [2, 1], [1, 2], 0, False),
        ({"id": "array", "subtype": "integer"}, [1], [1, 2], 0, False),
        ({"id": "array", "subtype": "integer"}, {"size": 2}, [1, 2], 0, True),
        ({"id": "array", "subtype": "integer"}, {"size": 3}, [1, 2], 0, False),
        ({"id": "array", "subtype": "integer"}, 5, [1, 2], 0, False),
        ({"id": "array", "subtype": {"id": "array", "subtype": "number"}}, [[1.5], []], [[1.5], []], 0, True),
        ({"type": "integer", "optional": True}, None, None, 0, True),
        ({"type": "integer", "optional": True}, None, 3, 0, False),
        ({"type": "integer", "optional": True}, 3, None, 0, False),
    ],
)
def test_what_is_the_same(
    kind: Any, expected: Any, found: Value, tolerance: float, same: bool, task_with: TaskWith, tmp_path: Path
) -> None:
    found_codes = codes(task_with({}, {"o": kind}), tmp_path, expected, found, tolerance)
    assert set(found_codes) == (set() if same else {"C303"})


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "same"),
    [
        (SQUARE, SQUARE, 0, True),
        # The same square from another corner, in the other direction, with one corner more.
        (SQUARE, polygon((4, 4), (4, 0), (0, 0), (0, 2), (0, 4)), 0, True),
        (SQUARE, polygon((0, 0), (4, 0), (4, 4.001), (0, 4)), 1e-6, False),
        (SQUARE, polygon((0, 0), (4, 0), (4, 4.001), (0, 4)), 0.01, True),
        (SQUARE, polygon((0, 0), (2, 0.0001), (4, 0), (4, 4), (0, 4)), 0.01, True),
        (SQUARE, feature(SQUARE, colour="red"), 0, True),
        (SQUARE, feature(SQUARE, subType="Rectangle"), 0, False),
        (circle(1, 2), circle(1, 2), 0, True),
        (circle(1, 2), circle(1, 2.5), 0.1, False),
        (circle(1, 2), circle(1.05, 2.05), 0.1, True),
        (circle(1, 2), {"type": "Point", "coordinates": [1, 0]}, 0.1, False),
        (feature(SQUARE, radius="x"), SQUARE, 0, True),
        ({"type": "Point", "coordinates": [1, 0]}, {"type": "MultiPoint", "coordinates": [[1, 0]]}, 0.1, False),
    ],
)
def test_which_geometries_are_the_same(one: Any, other: Any, tolerance: float, same: bool) -> None:
    assert geometry.same(one, other, tolerance) is same
    assert geometry.same(other, one, tolerance) is same


def test_a_geometry_is_compared_with_what_is_one(task_with: TaskWith, tmp_path: Path) -> None:
    task = task_with({}, {"o": "geometry"})
    assert codes(task, tmp_path, SQUARE, SQUARE) == []
    assert codes(task, tmp_path, "a square", SQUARE) == ["C303"]


def test_files_by_content_digest_and_size(task_with: TaskWith, tmp_path: Path) -> None:
    found = tmp_path / "results/o.png"
    found.parent.mkdir()
    Image.new("L", (6, 4)).save(found)
    content = found.read_bytes()
    (tmp_path / "same.png").write_bytes(content)
    (tmp_path / "other.png").write_bytes(content[:-1] + b"x")
    task = task_with({}, {"o": "image"})
    good: list[Any] = [
        "same.png",
        {"file": "same.png", "size": len(content)},
        {"sha256": hashlib.sha256(content).hexdigest()},
        {"format": "png", "width": 6, "height": 4},
    ]
    bad: list[Any] = ["other.png", "none.png", {"size": 1}, {"sha256": "0"}, {"width": 7}, {"md5": "x"}, {}, 5]
    for expected in good:
        assert codes(task, tmp_path, expected, FileRef(str(found))) == []
    for expected in bad:
        assert codes(task, tmp_path, expected, FileRef(str(found))) == ["C303"]


def project(folder: Path, **files: str) -> Path:
    (folder / "tests").mkdir()
    for name, text in files.items():
        (folder / "tests" / name.replace("_", ".")).write_text(text)
    return folder


def test_cases_are_read_from_their_files(task_with: TaskWith, tmp_path: Path) -> None:
    task = task_with({"a": "integer"}, {"o": "integer"})
    b = json.dumps({"name": "B", "inputs": {"a": 1}, "expected": {"o": 2}, "tolerance": 0.5, "exit_code": 0})
    first, second = read_cases(task, project(tmp_path, b_yml="inputs: {a: 1}\nexit_code: 3\n", a_json=b))
    assert (first.name, first.inputs, first.expected, first.tolerance) == ("B", {"a": 1}, {"o": 2}, 0.5)
    assert (second.name, second.exit_code, second.base) == ("b", 3, tmp_path / "tests")


@pytest.mark.parametrize(
    ("text", "found", "line"),
    [
        ("- 1\n", "C300", 1),
        ("a: [\n", "T005", 2),
        ("inputs: 3\n", "C300", 1),
        ("\nexpected: {x: 1}\n", "C300", 2),
        ("expected: {o: 1}\nexit_code: 1\n", "C300", 1),
        ("tolerance: -1\n", "C300", 1),
        ("tolerance: .inf\n", "C300", 1),
        ("expect: {o: 1}\n", "C301", 1),
        ("", "T002", None),
    ],
)
def test_what_is_wrong_with_a_case(
    text: str, found: str, line: int | None, task_with: TaskWith, tmp_path: Path
) -> None:
    [case] = read_cases(task_with({}, {"o": "integer"}), project(tmp_path, a_yml=text))
    assert [(problem.code, problem.line) for problem in case.problems] == [(found, line)]
    assert case.problems[0].file == str(tmp_path / "tests/a.yml")
    assert case.problems[0].severity == "error"


def test_differences_are_placed_in_the_case(task_with: TaskWith, tmp_path: Path) -> None:
    task = task_with({}, {"o": {"id": "array", "subtype": "integer"}})
    [case] = read_cases(task, project(tmp_path, a_yml="expected:\n  o:\n    - 1\n    - 2\n"))
    [problem] = differences(task, case, {"o": [1, 3]})
    assert problem.line == 4
    assert problem.message == "output `o`[1] is 3, not 2"


def test_a_project_without_cases(task_with: TaskWith, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="C302"):
        read_cases(task_with({}, {}), tmp_path)
