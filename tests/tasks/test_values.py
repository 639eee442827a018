"""Values, their references to files, and their form in a record."""

from __future__ import annotations

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.tasks.values import FileRef, file_refs, from_json, map_refs, to_json

REFS = st.builds(FileRef, st.text(), st.none() | st.integers(0), st.none() | st.text(), st.none() | st.text())
KEYS = st.text(max_size=3) | st.sampled_from(["$file", "$number", "$data"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | REFS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_every_value_survives_strict_json(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)  # type: ignore[arg-type]
    assert from_json(json.loads(text)) == value


def test_the_form_of_references_and_of_what_json_lacks() -> None:
    assert to_json(FileRef("/a", 3, name="n")) == {"$file": "/a", "size": 3, "name": "n"}
    assert to_json([math.inf, -math.inf]) == [{"$number": "inf"}, {"$number": "-inf"}]
    assert to_json({"$file": "mine"}) == {"$data": {"$file": "mine"}}
    assert math.isnan(from_json(to_json(math.nan)))  # type: ignore[arg-type]


def test_references_are_found_and_replaced_wherever_they_are() -> None:
    value = {"a": [FileRef("/1"), "x"], "b": FileRef("/2")}
    assert list(file_refs(value)) == [FileRef("/1"), FileRef("/2")]
    moved = map_refs(value, lambda ref: FileRef("/new" + ref.path))
    assert moved == {"a": [FileRef("/new/1"), "x"], "b": FileRef("/new/2")}
