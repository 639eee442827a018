"""Values from the words of a command line and from Python, by the types of ports."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.runs.inputs import bound, bound_python, in_directory, in_file
from trivet.tasks.call import Call
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import Task
from trivet.tasks.types import Array, Image, Integer, Zarr
from trivet.tasks.values import FileRef

KINDS = ("boolean", "integer", "number", "string", "datetime", "geometry", "image", "file", "directory", "json")


@pytest.fixture
def task() -> Task:
    return trivet.command(["true"], inputs={kind: {"type": kind, "optional": True} for kind in KINDS})


def given(task: Task, *words: str, home: Path = Path(), each: str | None = None) -> Call:
    return bound(task, [tuple(word.split("=", 1)) for word in words], home, each)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("boolean=true", True),
        ("boolean=No", False),
        ("boolean=1", True),
        ("integer=-12", -12),
        ("integer=0x1F", 31),
        ("integer=99999999999999999999", 99999999999999999999),
        ("number=2", 2),
        ("number=-2.5e3", -2500.0),
        ("string=", ""),
        ("string= true ", " true "),
        ("string=a=b", "a=b"),
        ("datetime=2024-02-23T18:00:00Z", "2024-02-23T18:00:00Z"),
        ('geometry={"type": "Point", "coordinates": [1, 2]}', {"type": "Point", "coordinates": [1, 2]}),
        ("json=[1, {}]", [1, {}]),
        ("json=plain text", "plain text"),
    ],
)
def test_a_word_is_read_by_the_type_of_its_port(task: Task, word: str, value: Any) -> None:
    name = word.partition("=")[0]
    result = given(task, word).values[name]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize("word", ["integer=0x" + "f" * 5000, "integer=" + "9" * 5000])
def test_a_whole_number_that_is_too_long_is_refused(task: Task, word: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        given(task, word)
    [problem] = caught.value.problems
    assert problem.code == "B003"
    assert "is too long" in problem.message


def test_a_string_from_a_file_keeps_its_line_ends(task: Task, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a\r\nb\r")
    assert given(task, f"string=@{tmp_path}/text").values["string"] == "a\r\nb\r"


def test_a_path_without_its_sign_is_told(task: Task, tmp_path: Path) -> None:
    (tmp_path / "roi").write_text('{"type": "Point", "coordinates": [1, 2]}', encoding="utf-8")
    with pytest.raises(ProblemsError) as caught:
        given(task, f"geometry={tmp_path}/roi")
    assert caught.value.problems[0].hint == f"write geometry=@{tmp_path}/roi for what the file holds"


def test_null_unsets_what_is_no_text(task: Task) -> None:
    words = ("integer=null", "geometry=null", "datetime=null", "string=null")
    values = {"integer": None, "geometry": None, "datetime": None, "string": "null"}
    assert given(task, *words).values == values


@pytest.mark.parametrize("name", ["values.json", "values.yml"])
def test_values_from_a_file(task: Task, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")
    values = {
        "integer": 5,
        "number": 1e400,
        "string": "a",
        "image": "photo.png",
        "file": {"$file": "photo.png", "size": 99},
        "boolean": None,
        "geometry": '{"type": "Point", "coordinates": [1, 2]}',
        "json": {"a": [1]},
    }
    (tmp_path / name).write_text(json.dumps(values).replace("Infinity", '"-inf"'))
    monkeypatch.chdir("/")
    photo = FileRef(str(tmp_path / "photo.png"), 1)
    found = {**values, "number": -math.inf, "image": photo, "file": photo}
    found["geometry"] = {"type": "Point", "coordinates": [1, 2]}
    assert in_file(task, tmp_path / name) == (found, [])
    call = bound(task, [("integer", "6")], Path(), given={"integer": 5, "string": "a"})
    assert call.values == {"integer": 6, "string": "a"}


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[1]", None, "inputs by name"),
        ("{", 1, "JSON"),
        ('{\n "integer": 1,\n "image": "none.png"}', 3, "none.png can't be read"),
        ('{"geometry": "{"}', 1, "JSON"),
    ],
)
def test_bad_values_are_told_with_their_place(
    task: Task, text: str, where: int | None, message: str, tmp_path: Path
) -> None:
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(ProblemsError, match=message) as caught:
        in_file(task, tmp_path / "v.json")
    assert caught.value.problems[0].file == str(tmp_path / "v.json")
    assert where is None or caught.value.problems[0].line == where


def test_names_of_values_are_text(task: Task, tmp_path: Path) -> None:
    (tmp_path / "v.yml").write_text("1: 2\ninteger: 1\ninteger: 3\n")
    values, [problem] = in_file(task, tmp_path / "v.yml")
    assert values == {"1": 2, "integer": 3}
    assert problem.code == "T009"
    with pytest.raises(ProblemsError, match="no input `1`"):
        bound(task, [], Path(), given=values)


def test_a_directory_of_inputs_is_refused_where_nothing_is_laid_out(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="not read from a directory"):
        in_directory(task, tmp_path)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("boolean=maybe", "'maybe' is not true or false"),
        ("integer=1.5", "'1.5' is not a whole number"),
        ("integer=", "'' is not a whole number"),
        ("number=wide", "'wide' is not a number"),
        ("number=nan", "NaN is not allowed"),
        ("geometry={", "is not valid JSON"),
        (f"geometry={'[' * 50_000}", "is nested more than 100 levels deep"),
        (f"json={'[' * 50_000}", "is nested more than 100 levels deep"),
        ("geometry=[1]", "is not a GeoJSON object"),
        ("datetime=yesterday", "is not an ISO 8601 date and time"),
        ("file=no/such/file", "can't be read: No such file or directory"),
        ("directory=.", ""),
        ("file=.", "is a directory, not a file"),
        ("string=@no/such/file", "can't be read as text"),
        ("intiger=1", "did you mean `integer`?"),
        ("integer=run:last/x", "there is no run `last`"),
    ],
)
def test_a_bad_word_is_told_with_its_port(
    task: Task, word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if not message:
        assert given(task, word).values["directory"] == FileRef(str(tmp_path))
        return
    with pytest.raises(ProblemsError, match=f"`{word.partition('=')[0]}`") as caught:
        given(task, word, home=tmp_path)
    assert message in str(caught.value)


def test_files_become_references_with_their_size(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b.png").write_bytes(b"12345")
    monkeypatch.chdir(tmp_path)
    wanted = FileRef(str(tmp_path / "a b.png"), 5)
    assert given(task, "image=a b.png").values["image"] == wanted
    assert given(task, "image=@a b.png").values["image"] == wanted
    assert bound_python(task, {"image": Path("a b.png")}).values["image"] == wanted


def test_a_text_may_come_from_a_file(task: Task, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("7\n")
    assert given(task, f"integer=@{tmp_path}/value", f"string=@{tmp_path}/value").values == {
        "integer": 7,
        "string": "7\n",
    }


def test_the_same_name_twice_makes_a_list_where_one_is_wanted(task: Task) -> None:
    assert given(task, "integer=1", "integer=2", each="integer").values["integer"] == [1, 2]
    assert given(task, "integer=[3, 4]", each="integer").values["integer"] == [3, 4]
    with pytest.raises(ProblemsError, match="takes one value, and 2 are given"):
        given(task, "integer=1", "integer=2")


def test_lists_of_files_and_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from trivet.tasks.task import Port

    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    ports = (Port("images", Array(Image())), Port("sizes", Array(Integer())), Port("store", Zarr()))
    task = replace(trivet.command(["true"]), inputs=ports)
    values = given(task, "images=a", "images=b", "sizes=[1,2]", "store=x/y.zarr").values
    assert values == {
        "images": [FileRef(str(tmp_path / "a"), 1), FileRef(str(tmp_path / "b"), 1)],
        "sizes": [1, 2],
        "store": str(tmp_path / "x/y.zarr"),
    }
    assert given(task, 'images=["b"]', "sizes=[]", "store=s3://bucket/z").values == {
        "images": [FileRef(str(tmp_path / "b"), 1)],
        "sizes": [],
        "store": "s3://bucket/z",
    }


def test_what_could_not_be_read_is_not_called_missing_too() -> None:
    task = trivet.command(["true"], inputs={"a": "integer", "b": "integer"})
    with pytest.raises(ProblemsError) as caught:
        given(task, "a=x")
    assert [(problem.code, problem.message[:9]) for problem in caught.value.problems] == [
        ("B003", "input `a`"),
        ("B002", "input `b`"),
    ]
