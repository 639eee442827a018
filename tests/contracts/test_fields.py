"""Reading plain data field by field."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.contracts.fields import Fields, duplicates, name_of
from trivet.tasks.problem import Problem

CODES = {"missing": "X001", "type": "X002", "unknown": "X003"}


def reader(data: Any, path: tuple[str | int, ...] = ()) -> tuple[Fields, list[Problem]]:
    problems: list[Problem] = []
    return Fields(data, problems, CODES, path), problems


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [(int, 5, 5), (int, 5.0, 5), (float, 5, 5), (float, 1.5, 1.5), (str, "", ""), (bool, False, False), (list, [], [])],
)
def test_a_value_of_the_right_type_is_given(kind: type, value: object, read: object) -> None:
    fields, problems = reader({"a": value})
    got = fields.get("a", kind)
    assert got == read
    assert type(got) is type(read)
    assert problems == []


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (int, True, "`a` must be a whole number, not true"),
        (int, 1.5, "`a` must be a whole number, not the number 1.5"),
        (int, "5", "`a` must be a whole number, not the text '5'"),
        (float, False, "`a` must be a number, not false"),
        (bool, 0, "`a` must be true or false, not the number 0"),
        (str, None, "`a` must be text, not null"),
        (list, {}, "`a` must be a list, not an object"),
        (dict, [], "`a` must be an object, not a list"),
    ],
)
def test_a_wrong_value_is_noted_and_the_default_given(kind: type, value: object, message: str) -> None:
    fields, problems = reader({"a": value}, ("x", 2))
    assert fields.get("a", kind, "default") == "default"
    assert problems == [Problem("X002", message, path=("x", 2, "a"))]


def test_null_is_allowed_where_it_is_said() -> None:
    fields, problems = reader({"a": None})
    assert fields.get("a", str, "default", null=True) == "default"
    assert problems == []


def test_a_missing_field_is_told_with_the_misspelling_that_may_be_it() -> None:
    fields, problems = reader({"mountedpath": "/x", "name": "n"}, ("inputs", 0))
    fields.get("name", str)
    assert fields.get("mounted_path", str, required=True) is None
    (problem,) = problems
    assert problem.code == "X001"
    assert problem.message == "`inputs[0]` lacks `mounted_path`"
    assert problem.hint == "is `mountedpath` a misspelling of it?"


def test_unknown_fields_are_warned_of_with_what_may_be_meant() -> None:
    fields, problems = reader({"name": "n", "descripton": "d", "zzz": 1})
    fields.get("name", str)
    fields.has("description")
    fields.unknown(known=["other"])
    assert [(problem.severity, problem.path, problem.hint) for problem in problems] == [
        ("warning", ("descripton",), "did you mean `description`?"),
        ("warning", ("zzz",), ""),
    ]


def test_lists_of_objects_and_texts_leave_out_and_note_what_does_not_fit() -> None:
    fields, problems = reader({"o": [{"a": 1}, 5, {"a": 2}], "s": ["x", 3, "y"]})
    assert [item.get("a", int) for item in fields.objects("o")] == [1, 2]
    assert fields.strings("s") == ("x", "y")
    assert fields.strings("absent") is None
    assert [(problem.code, problem.path) for problem in problems] == [("X002", ("o", 1)), ("X002", ("s", 1))]


def test_what_is_no_object_is_noted_once_and_reads_as_empty() -> None:
    fields, problems = reader([1, 2])
    assert fields.get("a", str, required=True) is None
    assert not fields.valid
    assert [problem.message for problem in problems] == ["the document must be an object, not a list"]


def test_the_path_of_a_child_goes_on_from_its_parent() -> None:
    fields, problems = reader({"a": {"b": {"c": 1}}})
    child = fields.child("a")
    assert child is not None
    inner = child.child("b")
    assert inner is not None
    inner.get("c", str)
    assert problems[0].path == ("a", "b", "c")


def test_duplicates_are_found_at_their_later_places() -> None:
    assert list(duplicates(["a", "b", "a", "a"], str)) == [(2, "a"), (3, "a")]


def test_long_texts_are_not_shown() -> None:
    assert name_of("x" * 100) == "a text"
