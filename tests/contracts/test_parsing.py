"""Text to data: every way that bad text can be bad."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.parsing import MAX_DEPTH, duplicate_keys, parse_json, parse_yaml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ('{"a": 1,}', 1, 8, "remove the trailing comma"),
        ("[1,\n 2,\n]", 2, 3, "remove the trailing comma"),
        ('{"a": NaN}', 1, 7, "JSON has no such number; leave it out or write it as text"),
        ('["NaN",\n -Infinity]', 2, 2, "JSON has no such number; leave it out or write it as text"),
        ('{"a" // why\n: 1}', 1, 6, "JSON has no comments"),
        ("{'a': 1}", 1, 2, "JSON texts stand in double quotes"),
        ("[1 2]", 1, 4, "is a comma missing before this, or a quote not closed?"),
        ('{"a": [1', 1, 9, "the file ends too early"),
        ('{"a": 1} x', 1, 10, ""),
    ],
)
def test_bad_json_is_told_with_its_place(text: str, line: int, column: int, hint: str) -> None:
    data, problem = parse_json(text)
    assert data is None
    assert problem is not None
    assert (problem.code, problem.line, problem.column, problem.hint) == ("T005", line, column, hint)
    assert problem.message.startswith("not valid JSON: ")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\n  b: 2", 2, 4),
        ("a: *nowhere", 1, 4),
        ("a: 1\n---\nb: 2", 2, 1),
        ("ok: 1\na: !!python/object/apply:os.system [true]", 2, 4),
        ("a: !!bool perhaps", 1, 4),
        ('a: 1\nb: !!int ""', 2, 4),
        ("? [a, b]\n: 1", 1, 3),
        ("é: \x01", 1, 4),
    ],
)
def test_bad_yaml_is_told_with_its_place(text: str, line: int, column: int) -> None:
    data, problem = parse_yaml(text)
    assert data is None
    assert problem is not None
    assert (problem.code, problem.line, problem.column) == ("T005", line, column)


@pytest.mark.parametrize("text", ["!!map x", "\ud800", "!!float x", "9" * 5000, "<<: 1"])
def test_no_text_makes_the_yaml_parser_raise(text: str) -> None:
    data, problem = parse_yaml(text)
    assert data is None
    assert problem is not None
    assert problem.code == "T005"


def test_yaml_keeps_to_the_data_model_of_json() -> None:
    data, problem = parse_yaml("1: 2\nyes: off\nday: 2001-02-03\nset: !!set {a}\nraw: !!binary YQ==\nx: !!omap [k: 1]")
    assert problem is None
    assert data == {"1": 2, "yes": False, "day": "2001-02-03", "set": {"a": None}, "raw": "YQ==", "x": [{"k": 1}]}


def test_depth_is_limited_and_the_limit_itself_is_read() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_json(deepest)[1] is None
    assert parse_yaml(deepest)[1] is None
    for text in ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "[" * 200_000):
        for parse in (parse_json, parse_yaml):
            problem = parse(text)[1]
            assert problem is not None
            assert (problem.code, problem.line, problem.column) == ("T006", 1, MAX_DEPTH + 1)


def test_brackets_inside_texts_are_no_depth() -> None:
    text = json.dumps(["[" * 1000 + '"' + "\\" * 3])
    assert parse_json(text) == (["[" * 1000 + '"' + "\\" * 3], None)


def test_unclosed_quotes_take_linear_time() -> None:
    text = "[" * 101 + '"' + '\\"' * 500_000
    assert parse_json(text)[1] is not None  # with quadratic work this would take days


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    data, problem = parse_yaml("\n".join(lines))
    assert data is None
    assert problem is not None
    assert problem.code == "T007"


def test_a_cyclic_alias_is_refused() -> None:
    data, problem = parse_yaml("a: &a\n  b: *a")
    assert data is None
    assert problem is not None
    assert (problem.code, problem.line, problem.column) == ("T007", 2, 6)


def test_duplicate_keys_are_warned_of_where_they_are() -> None:
    for data, _ in (parse_json('{"x": [{"a": 1, "b": 2, "a": 3}]}'), parse_yaml("x:\n- a: 1\n  b: 2\n  a: 3")):
        assert data == {"x": [{"a": 3, "b": 2}]}
        (problem,) = duplicate_keys(data)
        assert (problem.code, problem.severity, problem.path) == ("T009", "warning", ("x", 0, "a"))


def test_overriding_a_merged_key_is_no_duplicate() -> None:
    data, problem = parse_yaml("base: &b {a: 1, c: 4}\nx:\n  <<: *b\n  a: 2")
    assert problem is None
    assert data["x"] == {"a": 2, "c": 4}
    assert list(duplicate_keys(data)) == []


@given(PLAIN)
@settings(max_examples=60, deadline=None)
def test_every_json_text_is_read_as_the_standard_reader_does(data: object) -> None:
    text = json.dumps(data)
    assert parse_json(text) == (json.loads(text), None)


@given(st.text(alphabet="ab:{}[],&*!?|>-#'\"%@ \n\t0", max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_data_or_a_problem_and_never_raises(text: str) -> None:
    for parse in (parse_json, parse_yaml):
        data, problem = parse(text)
        assert problem is None or data is None
