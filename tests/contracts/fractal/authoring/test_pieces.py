"""The small rules: names, authors, titles, reserved arguments, comparing, the text of the file."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.fractal.authoring import arguments, comparing, files, packages, reserved, titles

from .conftest import vectors

MISC = vectors("misc")
needs_vectors = pytest.mark.skipif("deepdiff" not in MISC, reason="the vectors are not here")


@needs_vectors
def test_names_of_packages_are_normalized() -> None:
    assert [packages.normalized(given) for given, _ in MISC["normalize_package_name"]] == [
        name for _, name in MISC["normalize_package_name"]
    ]


@needs_vectors
def test_a_project_gives_a_name_and_authors(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    for vector in MISC["pyproject"]:
        path.write_text(vector["toml"])
        wanted = vector["package_name"]
        if "result" in wanted:
            assert packages.project_name(str(path)) == wanted["result"], vector["id"]
        else:
            with pytest.raises((LookupError, ValueError)) as refused:
                packages.project_name(str(path))
            assert wanted["exit"].endswith(f"following error: {refused.value}"), vector["id"]
        try:
            authors = packages.project_authors(str(path))
        except (LookupError, TypeError, ValueError):
            authors = None
        assert authors == vector["authors"]["result"], vector["id"]


@needs_vectors
def test_the_reserved_arguments_of_every_part() -> None:
    for row in MISC["argument_table"]:
        pair = row["task_type"], row["executable_kind"]
        assert list(reserved.required(*pair)) == row["required"]
        assert list(reserved.forbidden(*pair)) == row["forbidden"]
    for kind, part, names, verdict in MISC["validate_arguments"]:
        try:
            lacks, has = reserved.missing(names, kind, part), reserved.excess(names, kind, part)
            found = "missing" if lacks else "forbidden" if has else "ok"
        except ValueError:
            found = "invalid_kind"
        assert found == verdict, (kind, part, names)


@needs_vectors
def test_titles() -> None:
    for name, _, title in MISC["argument_titles"]:
        assert titles.of_argument(name) == title
    for name, title in MISC["root_titles"]:
        assert titles.of_schema(name) == title
    for name, title in MISC["reference_attribute_titles"]:
        properties: dict[str, Any] = {name: {}}
        titles.add_missing(properties)
        assert properties[name]["title"] == title


@needs_vectors
def test_a_single_reference_stands_for_itself() -> None:
    for vector in MISC["single_allof"]:
        found = {name: arguments.without_single_all_of(one) for name, one in vector["in"]["properties"].items()}
        assert json.dumps(found) == json.dumps(vector["out"]["properties"])


@needs_vectors
def test_differences_in_the_words_of_the_public_tool() -> None:
    for vector in MISC["deepdiff"]:
        if "messages" in vector:
            found = comparing.differences(vector["old"], vector["new"], vector["ignore_keys_order"])
            assert [difference.message for difference in found] == vector["messages"]


def test_too_deep_a_nesting_is_refused() -> None:
    old: Any = 1
    new: Any = 2
    for _ in range(20):
        old, new = [old], [new]
    with pytest.raises(ValueError, match="MAX_RECURSION_LEVEL=20"):
        list(comparing.differences(old, new, ignore_order=False))
    assert comparing.changes(old, new)[0] == [f"~ {'[0]' * 20}: 1 -> 2"]


def test_changes_are_told_task_by_task_to_the_last_value() -> None:
    old = {"authors": "A", "task_list": [{"name": "x", "tags": ["a"], "n": 3}, {"name": "y"}]}
    new = {"task_list": [{"name": "z"}, {"n": 3.0, "name": "x", "tags": ["a", "b"]}], "authors": "A"}
    changed, order = comparing.changes(old, new)
    assert changed == ['+ task `x`.tags[1]: "b"', "~ task `x`.n: 3 -> 3.0", "- task `y`", "+ task `z`"]
    assert order == ["task `x`", "manifest"]


def test_what_is_not_a_number_is_equal_to_itself() -> None:
    nothing = float("nan")
    assert comparing.changes({"a": nothing}, {"a": float("nan")}) == ([], [])


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = st.text() | st.integers() | st.booleans() | st.none()


@settings(max_examples=200, deadline=None)
@given(st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner, inner)))
def test_the_file_is_what_the_standard_library_writes(value: Any) -> None:
    assert files.text_of(value) == json.dumps(value, indent=2) + "\n"


def test_task_models_have_the_fields_and_parts_of_the_contract() -> None:
    from trivet.fractal import task_models

    parts = {
        "CompoundTask": ("compound", "i.py", {"a": 1}, "e.py", {"b": 2}),
        "ConverterCompoundTask": ("converter_compound", "i.py", {"a": 1}, "e.py", {"b": 2}),
        "NonParallelTask": ("non_parallel", "e.py", {"b": 2}, None, None),
        "ConverterNonParallelTask": ("converter_non_parallel", "e.py", {"b": 2}, None, None),
        "ParallelTask": ("parallel", None, None, "e.py", {"b": 2}),
    }
    assert sorted(task_models.__all__) == sorted(parts)
    for name, wanted in parts.items():
        model = getattr(task_models, name)
        given: dict[str, Any] = {"name": "T", "executable": "e.py", "meta": {"b": 2}}
        if "Compound" in name:
            given |= {"executable_init": "i.py", "meta_init": {"a": 1}}
        task = model(**given, input_types={"x": "yes"})
        properties = ("type", "executable_non_parallel", "meta_non_parallel", "executable_parallel", "meta_parallel")
        assert tuple(getattr(task, one) for one in properties) == wanted
        assert task.input_types == {"x": True}
        assert task.tags == []
        assert list(model.model_fields)[:10] == [
            "name", "executable", "meta", "input_types", "output_types",
            "category", "modality", "tags", "docs_info", "type",
        ]  # fmt: skip
        for bad in ({"colour": "red"}, {"type": "another"}):
            with pytest.raises(ValueError, match="1 validation error"):
                model(**given, **bad)
    base: Any = typing.cast("Any", task_models.ParallelTask).__mro__[1]
    with pytest.raises(NotImplementedError):
        _ = base(name="T", executable="e.py", type="x").executable_parallel


def test_pydantic_is_imported_in_this_room_only() -> None:
    import ast

    root = Path(__file__).resolve().parents[4] / "src/trivet"
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            if any(name.partition(".")[0] in ("pydantic", "pydantic_core", "docstring_parser") for name in names):
                found.add(path.parent.relative_to(root).as_posix())
    assert found == {"contracts/fractal/authoring"}
