"""What is said about manifests that are wrong, and where."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts import fractal
from trivet.contracts.source import Source
from trivet.tasks.document import Document
from trivet.tasks.problem import has_errors

TASK = {"name": "T", "executable_parallel": "t.py"}


def found(document: Document) -> set[tuple[str, tuple[str | int, ...]]]:
    return {(problem.code, problem.path) for problem in fractal.check(document)}


def test_a_good_package_has_no_problems(package: Any) -> None:
    schema = {"type": "object", "properties": {"zarr_url": {"type": "string"}}, "additionalProperties": False}
    document = package({**TASK, "args_schema_parallel": schema}, has_args_schemas=True, authors="A. Author")
    assert fractal.check(document) == []


def test_all_problems_are_told_at_once(read: Callable[[Any], Document]) -> None:
    document = read(
        {
            "manifest_version": "2",
            "authors": " ",
            "task_lst": [],
            "args_schema_version": "pydantic_v3",
            "task_list": [
                {"name": "A", "executable_parallel": "../a.py", "tags": ["x", 1], "docs_link": "ftp://x"},
                {"name": "A", "executable_parallel": "a;b.py", "type": "paralel", "meta_parallel": None},
                {"name": "C", "executable_non_parallel": None, "input_types": {"t": "maybe"}},
                "D",
            ],
        }
    )
    assert {item for item in found(document) if item[0] != "F020"} == {
        ("F014", ("authors",)),
        ("F003", ("task_lst",)),
        ("F021", ("args_schema_version",)),
        ("F016", ("task_list", 0, "executable_parallel")),
        ("F002", ("task_list", 0, "tags", 1)),
        ("F013", ("task_list", 0, "docs_link")),
        ("F007", ("task_list", 1, "name")),
        ("F019", ("task_list", 1, "executable_parallel")),
        ("F011", ("task_list", 1, "type")),
        ("F002", ("task_list", 1, "meta_parallel")),
        ("F008", ("task_list", 2)),
        ("F015", ("task_list", 2, "input_types", "t")),
        ("F002", ("task_list", 3)),
    }


def test_a_misspelled_type_gets_a_hint(read: Callable[[Any], Document]) -> None:
    document = read({"manifest_version": "2", "task_list": [{**TASK, "type": "paralel"}]})
    (problem,) = [problem for problem in fractal.check(document) if problem.code == "F011"]
    assert problem.hint == "did you mean `parallel`?"


def test_a_missing_script_is_an_error_in_a_package_and_a_warning_elsewhere(package: Any, read: Any) -> None:
    document = package(TASK)
    (Path(document.base) / "t.py").unlink()
    (inside,) = fractal.check(document)
    (alone,) = fractal.check(read({"manifest_version": "2", "task_list": [TASK]}))
    assert (inside.code, inside.severity) == ("F020", "error")
    assert (alone.code, alone.severity) == ("F020", "warning")


def test_the_scripts_of_a_wheel_are_looked_for_inside(tmp_path: Path) -> None:
    manifest = json.dumps({"manifest_version": "2", "task_list": [TASK, {"name": "U", "executable_parallel": "u.py"}]})
    wheel = tmp_path / "some_tasks-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some_tasks/t.py", "")
    name = f"{wheel}/some_tasks/__FRACTAL_MANIFEST__.json"
    document = fractal.read(
        Source(name, manifest, tmp_path, {"METADATA": "Name: Some.Tasks\nVersion: 1.0\n\nText"}, archive=wheel)
    )
    assert found(document) == {("F020", ("task_list", 1, "executable_parallel"))}
    task = fractal.tasks(document)[0]
    assert (task.namespace, task.version) == ("some-tasks", "1.0")


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a": {"type": "int"}}}, ("properties", "a", "type")),
        ({"properties": {"a": 1}}, ("properties", "a")),
        ({"properties": {"a": {"$ref": "#/$defs/B"}}}, ("properties", "a", "$ref")),
        ({"properties": {"a": {"$ref": "http://example.org/x.json"}}}, ("properties", "a", "$ref")),
        ({"properties": {"a": {"minimum": "1"}}}, ("properties", "a", "minimum")),
        ({"properties": {"a": {"maxLength": -1}}}, ("properties", "a", "maxLength")),
        ({"properties": {"a": {"pattern": "("}}}, ("properties", "a", "pattern")),
        ({"properties": {"a": {"anyOf": [{"type": "string"}, "x"]}}}, ("properties", "a", "anyOf", 1)),
        ({"properties": {"a": {"anyOf": {}}}}, ("properties", "a", "anyOf")),
        ({"properties": {"a": {"enum": "x"}}}, ("properties", "a", "enum")),
        ({"$defs": []}, ("$defs",)),
        ({"required": "a"}, ("required",)),
    ],
)
def test_a_schema_that_is_none_is_found(package: Any, schema: Any, path: Any) -> None:
    document = package({**TASK, "args_schema_parallel": schema})
    assert found(document) == {("F017", ("task_list", 0, "args_schema_parallel", *path))}


def test_arguments_that_do_not_fit_the_type_are_warned_of(package: Any) -> None:
    schema = {"type": "object", "properties": {"zarr_dir": {"type": "string"}}, "additionalProperties": False}
    problems = fractal.check(package({**TASK, "args_schema_parallel": schema}))
    assert [(problem.code, problem.severity) for problem in problems] == [("F018", "warning")] * 2
    assert "`zarr_url` is always supplied" in problems[0].message
    assert "`zarr_dir` is never supplied" in problems[1].message


def test_a_type_that_does_not_fit_the_executables_is_warned_of_and_gives_no_task(package: Any) -> None:
    document = package({**TASK, "type": "compound"}, TASK | {"name": "good"})
    assert [(problem.code, problem.severity) for problem in fractal.check(document)] == [("F012", "warning")]
    assert [task.name for task in fractal.tasks(document)] == ["good"]


def test_what_cannot_be_read_is_one_problem(read: Callable[[Any], Document]) -> None:
    assert [problem.code for problem in fractal.check(read('{"task_list": [}'))] == ["T005"]
    assert [problem.code for problem in fractal.check(read("[1]"))] == ["F002"]


def test_a_key_given_twice_is_warned_of(read: Callable[[Any], Document]) -> None:
    document = read('{"manifest_version": "2", "task_list": [], "authors": "A", "authors": "B"}')
    assert found(document) == {("T009", ("authors",))}


@pytest.mark.parametrize(
    ("name", "text", "is_ours"),
    [
        ("x/__FRACTAL_MANIFEST__.json", "{broken", True),
        ("other.json", '{"task_list": []}', True),
        ("other.json", '{"manifest_version": "3"}', True),
        ("other.json", '{"name": "x"}', False),
        ("other.json", "[]", False),
    ],
)
def test_manifests_are_recognised_by_their_content(name: str, text: str, is_ours: bool) -> None:
    assert fractal.detect(Source(name, text, Path())) is is_ours


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
GOOD = {
    "manifest_version": "2",
    "has_args_schemas": True,
    "authors": "A",
    "task_list": [
        {
            "name": "T",
            "type": "compound",
            "executable_non_parallel": "i.py",
            "executable_parallel": "c.py",
            "meta_parallel": {"mem": 10},
            "args_schema_non_parallel": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
            "args_schema_parallel": {
                "type": "object",
                "properties": {"m": {"$ref": "#/$defs/M"}, "n": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
                "$defs": {"M": {"type": "string", "enum": ["a", "b"]}},
            },
            "input_types": {"t": True},
            "tags": ["x"],
        }
    ],
}


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, member in members for place in places(member, (*path, key)))]


@given(st.sampled_from(places(GOOD)), JSON, st.sampled_from(["1", "2"]))
@settings(max_examples=150, deadline=None)
def test_a_manifest_with_anything_in_any_place_never_raises(place: Any, value: Any, version: str) -> None:
    data: Any = json.loads(json.dumps(GOOD | {"manifest_version": version}))
    if place:
        parent = data
        for step in place[:-1]:
            parent = parent[step]
        parent[place[-1]] = value
    else:
        data = value
    source = Source("__FRACTAL_MANIFEST__.json", json.dumps(data), Path("/nowhere"))
    document = fractal.read(source)
    problems = fractal.check(document)
    assert all(problem.line for problem in source.place(problems))
    if not has_errors(problems):
        fractal.tasks(document)
