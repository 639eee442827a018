"""Manifests as neutral tasks: ports, program, resources."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import fractal
from trivet.contracts.source import load
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import MISSING, Environment, Port, Resources
from trivet.tasks.types import Array, Boolean, Directory, Enumeration, File, Integer, Json, Number, String, Zarr

PARALLEL = {"executable_parallel": "t.py"}


def port(task_of: Any, schema: Any, required: bool = False, **root: Any) -> Port:
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else [], **root}
    found: Port = task_of(**PARALLEL, args_schema_parallel=whole).input("x")
    return found


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "boolean"}, Boolean()),
        ({"type": "integer", "minimum": 1, "maximum": 9}, Integer(minimum=1, maximum=9)),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, Number(above=0, below=1)),
        ({"type": "string", "minLength": 1, "maxLength": 3}, String(1, 3)),
        ({"type": "string", "pattern": "^a"}, String(pattern="^a")),
        ({"type": "string", "format": "path"}, String()),
        ({"type": "string", "format": "directory-path"}, Directory()),
        ({"type": "string", "format": "file-path"}, File()),
        ({"type": "string", "enum": ["a", "b"]}, Enumeration(("a", "b"))),
        ({"type": "integer", "const": 1}, Enumeration((1,))),
        ({"$ref": "#/$defs/Colour"}, Enumeration(("red", "blue"))),
        ({"type": "integer", "multipleOf": 2}, Json({"type": "integer", "multipleOf": 2})),
        ({"type": "array", "items": {"type": "string"}}, Json({"type": "array", "items": {"type": "string"}})),
        ({}, Json({})),
    ],
)
def test_a_schema_becomes_the_type_that_says_the_same(task_of: Any, schema: Any, kind: Any) -> None:
    definitions = {"Colour": {"type": "string", "enum": ["red", "blue"], "title": "Colour"}}
    assert port(task_of, schema, True, **{"$defs": definitions}).type == kind


def test_a_pattern_is_looked_for_anywhere_in_the_text(task_of: Any) -> None:
    kind = port(task_of, {"type": "string", "pattern": "b+"}).type
    assert list(kind.faults("abbc")) == []
    assert list(kind.faults("ac")) == ["'ac' does not match the pattern b+"]


def test_places_of_data_are_absolute_and_without_steps_back(task_of: Any) -> None:
    kind = task_of(**PARALLEL).input("zarr_url").type
    assert list(kind.faults("/a/..b")) == list(kind.faults("s3://bucket/a")) == []
    assert all(list(kind.faults(url)) for url in ("a", "/a/../b", "s3://bucket/../a", 1))


def test_a_schema_with_references_takes_its_definitions_along(task_of: Any) -> None:
    definitions = {"Inner": {"type": "object", "properties": {"k": {"type": "integer"}}}}
    found = port(task_of, {"type": "array", "items": {"$ref": "#/$defs/Inner"}}, True, **{"$defs": definitions})
    assert list(found.type.faults([{"k": 1}])) == []
    assert list(found.type.faults([{"k": "one"}])) != []


def test_null_is_allowed_where_the_schema_allows_it(task_of: Any) -> None:
    found = port(task_of, {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None})
    assert (found.type, found.optional, found.default) == (Integer(), True, MISSING)


def test_a_default_its_own_schema_refuses_is_left_to_the_function(task_of: Any) -> None:
    found = port(task_of, {"type": "integer", "default": "auto"})
    assert (found.optional, found.default) == (True, MISSING)
    assert port(task_of, {"type": "integer", "default": 3}).default == 3


RESERVED = {
    "parallel": ("zarr_url",),
    "non_parallel": ("zarr_urls", "zarr_dir"),
    "compound": ("zarr_urls", "zarr_dir"),
    "converter_non_parallel": ("zarr_dir",),
    "converter_compound": ("zarr_dir",),
}
EXECUTABLES = {
    "parallel": {"executable_parallel": "c.py"},
    "non_parallel": {"executable_non_parallel": "i.py"},
    "converter_non_parallel": {"executable_non_parallel": "i.py"},
    "compound": {"executable_non_parallel": "i.py", "executable_parallel": "c.py"},
    "converter_compound": {"executable_non_parallel": "i.py", "executable_parallel": "c.py"},
}


@pytest.mark.parametrize("kind", RESERVED)
def test_the_runners_arguments_are_inputs_by_the_type_of_the_task(task_of: Any, kind: str) -> None:
    properties = {name: {} for name in ("zarr_url", "zarr_urls", "zarr_dir", "init_args")}
    schemas = {f"args_schema_{key[11:]}": {"properties": properties} for key in EXECUTABLES[kind]}
    task = task_of(**EXECUTABLES[kind], **schemas, type=kind)
    assert tuple(found.name for found in task.inputs) == RESERVED[kind]
    assert all(found.access == "inout" and found.required for found in task.inputs)
    assert task.repeats == ("zarr_url" if kind == "parallel" else None)
    assert [(found.name, found.type) for found in task.outputs] == [("zarr_urls", Array(Zarr())), ("changes", Json())]
    assert len(task.command) == 1 + len(EXECUTABLES[kind])


def test_reserved_names_cannot_be_given_elsewhere(task_of: Any) -> None:
    task = task_of(**PARALLEL, args_schema_parallel={"properties": {"zarr_url": {}, "init_args": {}}})
    with pytest.raises(ProblemsError) as error:
        bind(task, {"zarr_url": ["/a"], "zarr_urls": ["/b"], "init_args": {}})
    assert [problem.code for problem in error.value.problems] == ["B001", "B001"]


def test_arguments_of_both_parts_are_told_apart_only_when_they_must(task_of: Any) -> None:
    task = task_of(
        **EXECUTABLES["compound"],
        args_schema_non_parallel={"properties": {"level": {"type": "integer"}, "mode": {"type": "string"}}},
        args_schema_parallel={"properties": {"level": {"type": "integer"}, "size": {"type": "number"}}},
    )
    assert [found.name for found in task.inputs][2:] == ["init.level", "mode", "compute.level", "size"]


@pytest.mark.parametrize(
    ("meta", "resources"),
    [
        ({}, Resources()),
        ({"cpus_per_task": 2, "mem": 1000, "needs_gpu": True}, Resources(2, 1000 * 2**20, 1)),
        ({"mem": "2G"}, Resources(memory=2000 * 2**20)),
        ({"mem": "10K", "cpus_per_task": 0, "needs_gpu": "no"}, Resources()),
    ],
)
def test_meta_data_become_resources(task_of: Any, meta: Any, resources: Resources) -> None:
    assert task_of(**PARALLEL, meta_parallel=meta).resources == resources


def test_the_environment_named_gives_interpreter_and_versions(package: Any, tmp_path: Path) -> None:
    document = package({"name": "T", **PARALLEL})
    site = tmp_path / "env/lib/python3.11/site-packages"
    for name, version, more in (
        ("Some_Tasks", "1.2", "Requires-Dist: zarr>=3\nRequires-Dist: ngio>=1; extra == 'ngio'\n"),
        ("zarr", "3.1", ""),
        ("ngio", "1.0", ""),
        ("unrelated", "9", ""),
    ):
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}\n")
    source = load(Path(document.base) / "__FRACTAL_MANIFEST__.json")
    (task,) = fractal.tasks(fractal.read(replace(source, prefix=tmp_path / "env")))
    assert task.program == Environment(str(tmp_path / "env"), {"some-tasks": "1.2", "zarr": "3.1"})
    assert (task.namespace, task.version) == ("some-tasks", "1.2")
    assert task.command == (f"{tmp_path}/env/bin/python3", f"{document.base}/t.py")


def test_without_an_environment_the_own_interpreter_and_the_project_are_taken(package: Any) -> None:
    document = package({"name": "T", **PARALLEL})
    project = Path(document.base).parent / "pyproject.toml"
    project.write_text('[project]\nname = "Named.Otherwise"\nversion = "0.3"\n')
    (task,) = fractal.tasks(document)
    assert (task.namespace, task.version, task.command[0]) == ("named-otherwise", "0.3", sys.executable)


V1 = {
    "manifest_version": "1",
    "has_args_schemas": True,
    "task_list": [
        {
            "name": "Old",
            "executable": "old.py",
            "input_type": "image",
            "output_type": "zarr",
            "meta": {"parallelization_level": "well"},
            "args_schema": {"properties": {"component": {"type": "string"}, "size": {"type": "integer"}}},
        }
    ],
}


def test_a_manifest_of_version_1_is_a_task_too(read: Any) -> None:
    document = read(V1)
    assert document.kind == "manifest-v1"
    problems = fractal.check(document)
    assert [(problem.code, problem.severity) for problem in problems] == [("F020", "warning")]
    (task,) = fractal.tasks(document)
    inputs = ["input_paths", "output_path", "metadata", "component", "gather-parallel-output", "size"]
    assert [found.name for found in task.inputs] == inputs
    assert task.command == (sys.executable, "/nowhere/old.py")


def test_a_bad_manifest_of_version_1_is_told_so(read: Any) -> None:
    bad = {**V1, "task_list": [{"name": "Old", "meta": {"parallelization_level": "slide"}, "executables": "x.py"}]}
    assert {(problem.code, problem.path) for problem in fractal.check(read(bad))} == {
        ("F001", ("task_list", 0)),
        ("F022", ("task_list", 0, "meta", "parallelization_level")),
        ("F010", ("task_list", 0)),
        ("F003", ("task_list", 0, "executables")),
    }
