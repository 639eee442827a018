"""Where a value stands in a text."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.positions import json_positions, yaml_positions
from trivet.contracts.source import Source
from trivet.tasks.problem import Problem

JSON = """{
  "name": "x",
  "caf\\u00e9 \\ud83d\\ude00": [
    1, {"b": {"c": null}},
\t[]
  ],
  "name": "again"
}
"""
YAML = """\
# a comment
name: x
list:
  - 1
  - b: {c: ~}
  - &anchor []
"""


def test_positions_in_json() -> None:
    wanted = {
        (): (1, 1),
        ("name",): (7, 3),  # the last of two counts, as it does when it is read
        ("café 😀",): (3, 3),
        ("café 😀", 0): (4, 5),
        ("café 😀", 1, "b", "c"): (4, 15),
        ("café 😀", 2): (5, 2),
        ("café 😀", 9, "z"): (3, 3),  # nowhere: the nearest parent
        ("nothing",): (1, 1),
    }
    assert dict(zip(wanted, json_positions(JSON, list(wanted)), strict=True)) == wanted


def test_positions_in_yaml() -> None:
    wanted = {
        (): (2, 1),
        ("name",): (2, 1),
        ("list", 0): (4, 5),
        ("list", 1, "b", "c"): (5, 9),
        ("list", 2): (6, 5),
        ("list", 7): (3, 1),
    }
    assert dict(zip(wanted, yaml_positions(YAML, list(wanted)), strict=True)) == wanted


def test_one_pass_serves_many_paths() -> None:
    text = json.dumps([{"a": index} for index in range(20_000)])
    found = json_positions(text, [(index, "a") for index in range(20_000)])
    assert len(set(found)) == 20_000
    assert text[found[777][1] - 1 :].startswith('"a": 777}')


KEYS = st.text(max_size=4)
TREES = st.recursive(
    st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def _leaves(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], object]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for index, value in enumerate(data) for leaf in _leaves(value, (*path, index))]
    return [(path, data)]


@given(TREES, st.sampled_from([None, 1]))
@settings(max_examples=80, deadline=None)
def test_what_stands_at_the_position_is_what_the_path_names(data: object, indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    lines = text.split("\n")
    leaves = _leaves(data)
    for (path, value), (line, column) in zip(leaves, json_positions(text, [path for path, _ in leaves]), strict=True):
        rest = lines[line - 1][column - 1 :]
        shown = f"{json.dumps(path[-1])}: {value}" if path and isinstance(path[-1], str) else str(value)
        assert rest.startswith(shown)


def test_a_source_places_its_problems_and_leaves_those_of_other_files() -> None:
    source = Source("x.json", JSON, Path("/"))
    problems = [
        Problem("A1", "m", path=("name",)),
        Problem("A2", "m", file="other", line=9),
        Problem("A3", "m", line=2),
    ]
    placed = [(problem.file, problem.line, problem.column) for problem in source.place(problems)]
    assert placed == [("x.json", 7, 3), ("other", 9, None), ("x.json", 2, None)]


def test_an_unreadable_text_has_no_positions() -> None:
    (placed,) = Source("x.json", "[" * 100_000, Path("/")).place([Problem("A1", "m", path=("a",))])
    assert (placed.file, placed.line) == ("x.json", None)
