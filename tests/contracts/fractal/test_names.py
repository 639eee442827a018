"""Names and versions: the public contract's vectors, and what they do not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.fractal import naming, versions
from trivet.contracts.fractal.environment import normalized

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/fractal"
ERROR = {"error": True}


def vectors() -> list[Any]:
    path = CORPUS / "names_versions.json"
    if not path.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {path}"))]
    found = json.loads(path.read_text())["vectors"]
    # Names of units are tested beside the units.
    return [pytest.param(vector, id=vector["id"]) for vector in found if vector["op"] != "unit_file_prefixes"]


OPERATIONS = {
    "sanitize_string": lambda vector: naming.slug(vector["input"]),
    "normalize_package_name": lambda vector: normalized(vector["input"]),
    "parse_wheel_filename": lambda vector: list(naming.parse_wheel_name(vector["input"])),
    "parse_pixi_archive_name": lambda vector: list(naming.parse_pixi_archive_name(vector["input"])),
    "first_last_task_index": lambda vector: list(
        naming.task_range(vector["num_tasks"], vector["first"], vector["last"])
    ),
    "resolve_version": lambda vector: versions.resolve(vector["available"], vector["requested"]),
    "sort_versions": lambda vector: versions.newest_first(vector["input"]),
    "new_wftask_meta": lambda vector: versions.carried_over(
        vector["old_wftask_meta"], vector["old_task_meta"], vector["new_task_meta"]
    ),
    "command_is_allowed": lambda vector: not naming.forbidden_in(vector["input"]),
    "task_type_update_allowed": lambda vector: versions.may_become(vector["old"], vector["new"]),
}


@pytest.mark.parametrize("vector", vectors())
def test_vector(vector: Any) -> None:
    try:
        answer = OPERATIONS[vector["op"]](vector)
    except ValueError:
        answer = ERROR
    assert answer == vector["expected"]


@pytest.mark.parametrize(
    ("available", "requested", "expected"),
    [
        (["1.2.0", "1.20.0"], "1.2", "1.2.0"),
        (["1.2", "1.2.1"], "1.2", "1.2"),
        (["1.2.0", "1.2.1"], "1.2", "1.2.1"),
        (["1.9", "1.10"], "1", "1.10"),
        (["1.0", "2.0rc1"], None, "1.0"),
        (["1.0a1", "1.0a2"], None, "1.0a2"),
        (["1.0", "2.0rc1"], "2.0rc1", "2.0rc1"),
        (["2.0rc1", "2.0.dev1"], "2", "2.0rc1"),
        (["v1.0", "nonsense"], "1.0.0", "v1.0"),
        (["1.0", "1.0.post1"], "1", "1.0.post1"),
        (["1!1.0", "1.0"], "1", "1.0"),
    ],
)
def test_the_version_that_is_meant(available: list[str], requested: str | None, expected: str) -> None:
    assert versions.resolve(available, requested) == expected


@pytest.mark.parametrize(
    ("available", "requested"), [([], None), (["1.0"], "2"), (["1.0"], "x"), (["2.0rc1"], "2.0rc2")]
)
def test_a_version_that_is_not_there_is_told(available: list[str], requested: str | None) -> None:
    with pytest.raises(ValueError, match="version"):
        versions.resolve(available, requested)


def test_versions_are_sorted_by_their_numbers() -> None:
    given = [None, "1.9", "zebra", "1.10", "1.10rc1", "apple", "1.10.post1"]
    assert versions.newest_first(given) == ["1.10.post1", "1.10", "1.10rc1", "1.9", "zebra", "apple", None]


def test_what_the_user_removed_stays_removed_and_true_is_not_one() -> None:
    old, new = {"a": 1, "b": 2, "gpu": 1}, {"a": 10, "b": 20, "c": 30}
    assert versions.carried_over({"a": 1, "gpu": True}, old, new) == {"a": 10, "c": 30, "gpu": True}
    assert versions.carried_over({"a": 1}, None, None) == {"a": 1}
    assert versions.carried_over({}, old, new) == {"c": 30}


@pytest.mark.parametrize("name", ["x.whl", "a-1.0.whl", "d/a-1.0-py3-none-any.whl", "a-1.0-py3-none-any.zip", ""])
def test_what_is_no_wheel(name: str) -> None:
    with pytest.raises(ValueError, match="wheel"):
        naming.parse_wheel_name(name)


@pytest.mark.parametrize("name", ["a.tar.gz", "a-1.0.zip", "-1.0.tar.gz", "d/a-1.0.tar.gz"])
def test_what_is_no_pixi_project(name: str) -> None:
    with pytest.raises(ValueError, match="pixi"):
        naming.parse_pixi_archive_name(name)


def test_files_of_a_unit_are_named_as_the_public_server_does() -> None:
    assert naming.task_folder(3, "Convert images (v2)") == "3_convert_images__v2_"
    assert naming.unit_files("non_par").arguments == "non_par--args.json"
    assert naming.unit_files("par-000000-0000012") == naming.UnitFiles(
        "par-000000-0000012-args.json", "par-000000-0000012-log.txt", "par-000000-0000012-metadiff.json"
    )


@given(st.text(max_size=20))
@settings(max_examples=100)
def test_a_slug_is_one_plain_word(text: str) -> None:
    found = naming.slug(text)
    assert not set(found) & set("/ .\t\n-'\"")
    assert naming.slug(found) == found
