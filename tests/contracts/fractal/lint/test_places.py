"""Findings in a package: the lines of Python they point to, and what is found there that no schema tells."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts import fractal
from trivet.contracts.fractal.lint import check, lint
from trivet.contracts.fractal.lint.files import in_directory
from trivet.contracts.source import load
from trivet.packages.manifests import in_wheel
from trivet.tasks.problem import Problem

BOOLEAN = {"type": "boolean"}
TASK = """\
from typing import Annotated

from pydantic import Field

from .models.options import Options
import pkg.models.options as again


def blur(
    *,
    zarr_url: str,
    flag: bool,
    # The public name is another one.
    hidden: Annotated[bool, Field(alias="shown")],
    options: Options | None = None,
    wells: dict[int, str] = {},
): ...
"""
OPTIONS = """\
from typing import Mapping
from pydantic import BaseModel


class Base(BaseModel):
    inherited: bool


class Options(Base):
    own: bool
    places: "Mapping[tuple[int, int], str]" = {}
    fine: dict[str, int] = {}
"""
SCHEMA = {
    "type": "object",
    "title": "Blur",
    "properties": {
        "zarr_url": {"type": "string"},
        "flag": BOOLEAN,
        "shown": BOOLEAN,
        "options": {"$ref": "#/$defs/Options"},
        "wells": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {
        "Options": {
            "type": "object",
            "properties": {
                "own": BOOLEAN,
                "inherited": BOOLEAN,
                "places": {"type": "object", "additionalProperties": {"type": "string"}},
                "fine": {"type": "object", "additionalProperties": {"type": "integer"}},
            },
        },
        "Elsewhere": BOOLEAN,
    },
}
FILES = {"__init__.py": "", "blur.py": TASK, "models/__init__.py": "", "models/options.py": OPTIONS}


def manifest(schema: Any, version: str | None = "fractal_schema_v1", **more: Any) -> dict[str, Any]:
    entry = {"name": "Blur", "type": "parallel", "executable_parallel": "blur.py", "args_schema_parallel": schema}
    return {"manifest_version": "2", "args_schema_version": version, "task_list": [{**entry, **more}]}


MakeDirectory = Callable[[Mapping[str, str], Any], Path]


@pytest.fixture
def package(tmp_path: Path) -> MakeDirectory:
    def make(files: Mapping[str, str], content: Any) -> Path:
        for name, text in {**files, "__FRACTAL_MANIFEST__.json": json.dumps(content)}.items():
            path = tmp_path / "pkg" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "pkg"

    return make


def placed(problems: list[Problem], root: Path) -> list[tuple[str, str, int | None]]:
    return sorted((one.code, one.file.removeprefix(f"{root}/"), one.line) for one in problems)


EXPECTED = [
    ("E05", "blur.py", 12),
    ("E05", "blur.py", 14),
    ("E05", "models/options.py", 6),
    ("E05", "models/options.py", 10),
    ("F042", "blur.py", 16),
    ("F042", "models/options.py", 11),
]


def test_every_finding_is_placed_where_it_was_written(package: MakeDirectory) -> None:
    root = package(FILES, manifest(SCHEMA))
    problems = check(fractal.read(load(root / "__FRACTAL_MANIFEST__.json")))
    assert [one for one in placed(problems, root) if one[1]] == EXPECTED
    own = next(one for one in problems if one.path[-1] == "own")
    assert own.path == ("task_list", 0, "args_schema_parallel", "$defs", "Options", "properties", "own")
    assert "`Options.own`, by which argument `options` is described, is a boolean without a default" in own.message


def test_what_has_no_source_is_placed_in_the_manifest(package: MakeDirectory) -> None:
    root = package(FILES, manifest(SCHEMA))
    source = load(root / "__FRACTAL_MANIFEST__.json")
    (elsewhere,) = [one for one in source.place(check(fractal.read(source))) if one.path[-1] == "Elsewhere"]
    assert elsewhere.file == source.name
    assert elsewhere.line == 1
    assert elsewhere.column is not None
    assert source.text[elsewhere.column - 1 :].startswith('"Elsewhere"')


def test_the_sources_in_a_wheel_are_read_there(package: MakeDirectory, tmp_path: Path) -> None:
    root = package(FILES, manifest(SCHEMA))
    wheel = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in root.rglob("*.*"):
            archive.write(path, f"pkg/{path.relative_to(root)}")
    (source,) = in_wheel(wheel)
    problems = check(fractal.read(source))
    assert [one for one in placed(problems, Path(f"{wheel}/pkg")) if one[1]] == EXPECTED


def test_a_function_that_is_only_imported_is_found_where_it_is_defined(package: MakeDirectory) -> None:
    files = {
        "__init__.py": "",
        "blur.py": "from pkg._core import smooth as blur\n",
        "_core.py": "def smooth(flag): ...\n",
    }
    root = package(files, manifest({"type": "object", "properties": {"flag": BOOLEAN}}))
    assert placed(
        lint(manifest({"type": "object", "properties": {"flag": BOOLEAN}}), in_directory(str(root))), root
    ) == [("E05", "_core.py", 1)]


@pytest.mark.parametrize(
    "text",
    ["def blur(:", "x = 1", "", "async def other(): ...", "from .blur import blur", "def blur(*): ...\x00"],
)
def test_a_source_that_says_nothing_leaves_the_place_in_the_manifest(package: MakeDirectory, text: str) -> None:
    root = package({"__init__.py": "", "blur.py": text}, manifest({"properties": {"flag": BOOLEAN}, "type": "object"}))
    (problem,) = check(fractal.read(load(root / "__FRACTAL_MANIFEST__.json")))
    assert (problem.code, problem.file, problem.line) == ("E05", "", None)


def test_no_file_outside_the_package_is_read(package: MakeDirectory, tmp_path: Path) -> None:
    (tmp_path / "blur.py").write_text(TASK)
    root = package({}, {})
    content = manifest({"type": "object", "properties": {"flag": BOOLEAN}}, executable_parallel="../blur.py")
    (problem,) = lint(content, in_directory(str(root)))
    assert problem.file == ""


@pytest.mark.parametrize(
    ("version", "severity"), [("fractal_schema_v1", "error"), ("pydantic_v2", "warning"), (None, "warning")]
)
def test_only_the_generation_that_has_the_rules_fails_by_them(version: str | None, severity: str) -> None:
    (problem,) = lint(manifest({"type": "object", "properties": {"flag": BOOLEAN}}, version))
    assert problem.severity == severity


NULL, NUMBER, TEXT = {"type": "null"}, {"type": "integer"}, {"type": "string"}


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ({"type": "array", "prefixItems": [{"anyOf": [NUMBER, TEXT]}, NUMBER]}, ("F041", "prefixItems", 0)),
        ({"type": "object", "additionalProperties": {"anyOf": [NUMBER, TEXT]}}, ("F041", "additionalProperties")),
        (
            {"type": "object", "additionalProperties": {"type": "array", "items": {}}},
            ("F041", "additionalProperties", "items"),
        ),
        ({"type": "object", "patternProperties": {"^a": TEXT}}, ("F043",)),
        ({"type": "object", "propertyNames": {"enum": ["a"]}, "additionalProperties": NUMBER}, ("F043",)),
    ],
)
def test_what_the_public_tool_does_not_look_at(declared: Any, found: tuple[Any, ...]) -> None:
    problems = lint(manifest({"type": "object", "properties": {"a": declared}}))
    assert [(one.code, *one.path[5:]) for one in problems] == [found]
    assert problems[0].severity == "warning"


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": NUMBER},
        {"type": "array", "prefixItems": [NUMBER, {"anyOf": [NUMBER, NULL]}]},
        {"oneOf": [{"$ref": "#/$defs/A"}], "discriminator": {"propertyName": "kind"}},
    ],
)
def test_what_can_be_shown_is_no_finding(declared: Any) -> None:
    definitions = {"A": {"type": "object", "properties": {"kind": {"const": "a", "type": "string"}}}}
    assert lint(manifest({"type": "object", "properties": {"a": declared}, "$defs": definitions})) == []


@pytest.mark.parametrize(
    "name", ["args", "kwargs", "v__args", "v__kwargs", "v__duplicate_kwargs", "v__positional_only"]
)
def test_a_name_that_is_forbidden_only_on_paper_is_a_warning(name: str) -> None:
    (problem,) = lint(manifest({"type": "object", "properties": {name: NUMBER}}))
    assert (problem.code, problem.severity) == ("F040", "warning")


@pytest.mark.parametrize("content", [None, [], {}, {"task_list": 1}, {"task_list": [1, {"args_schema_parallel": [1]}]}])
def test_what_is_no_manifest_has_no_findings(content: Any) -> None:
    assert lint(content) == []


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "#/$defs/A", "boolean", "$ref", "items"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "anyOf", "oneOf", "items", "$defs", "$ref", "enum", "a"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["properties", "$defs", "anyOf", "items", "prefixItems", "patternProperties", "enum"]))
@settings(max_examples=150, deadline=None)
def test_no_schema_makes_the_lint_fail(value: Any, key: str) -> None:
    for schema in ({key: value}, {"properties": {"a": {key: value}}}, {"$defs": {"A": value}, key: value}):
        assert all(problem.message for problem in lint(manifest(schema), in_directory("/nowhere")))
