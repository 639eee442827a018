"""Values as JSON: what is shown can be given again, every other documented form is understood, the rest is refused."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.cytomine.errors import public_error
from trivet.contracts.cytomine.provisions import JsonReader, to_json
from trivet.tasks import types
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value

from .conftest import examples

AT = ("inputs", "x")
POINT = {"type": "Point", "coordinates": [1, 2]}
BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


def refer(path: str) -> FileRef:
    if not path.startswith("/data/"):
        raise ValueError(f"{path} is outside of /data")
    return FileRef(path)


def read(kind: ValueType, data: Any) -> tuple[Value, list[str]]:
    reader = JsonReader(refer)
    value = reader.decode(kind, data, AT)
    return value, [problem.code for problem in reader.problems]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS: list[st.SearchStrategy[tuple[ValueType, Any]]] = [
    st.booleans().map(lambda value: (types.Boolean(), value)),
    st.integers(-(10**30), 10**30).map(lambda value: (types.Integer(), value)),
    st.floats().map(lambda value: (types.Number(allow_infinity=True, allow_nan=True), value)),
    TEXT.map(lambda value: (types.String(), value)),
    st.lists(TEXT, min_size=1, unique=True).map(lambda values: (types.Enumeration(tuple(values)), values[-1])),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda at: (types.Datetime(), at.isoformat() + "Z")),
    st.tuples(st.integers(-99, 99), st.floats(-99, 99)).map(
        lambda pair: (types.Geometry(), {"type": "Point", "coordinates": list(pair)})
    ),
]
VALUES = st.recursive(
    st.one_of(SCALARS),
    lambda inner: st.tuples(inner, st.integers(0, 3)).map(lambda p: (types.Array(p[0][0]), [p[0][1]] * p[1])),
    max_leaves=3,
)


@given(VALUES)
@settings(max_examples=examples(500), deadline=None)
def test_what_is_shown_can_be_given_again(value: tuple[ValueType, Any]) -> None:
    kind, shown = value
    text = json.dumps(to_json(kind, shown), allow_nan=False)
    found, codes = read(kind, json.loads(text))
    assert codes == []
    assert repr(found) == repr(shown)  # NaN is like itself, 1 is not like 1.0


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (types.Number(), math.nan, "NaN"),
        (types.Number(), -math.inf, "-Infinity"),
        (types.Array(types.Integer()), [4, 1], [{"index": 0, "value": 4}, {"index": 1, "value": 1}]),
        (types.Array(types.Integer()), [], []),
        (types.File(), FileRef("/data/a"), None),
        (types.Array(types.Image()), [FileRef("/data/a")], [{"index": 0}]),
        (types.Geometry(), POINT, '{"type": "Point", "coordinates": [1, 2]}'),
        (
            types.Array(types.Array(types.Integer())),
            [[7]],
            [{"type": "ARRAY", "subType": "INTEGER", "value": [{"index": 0, "value": 7}]}],
        ),
    ],
)
def test_what_clients_are_shown(kind: ValueType, value: Value, shown: Any) -> None:
    assert to_json(kind, value) == shown


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (types.Number(allow_infinity=True), "+inf", math.inf),
        (types.Number(allow_infinity=True), "-inf", -math.inf),
        (types.Integer(), 3735931646, 3735931646),
        (types.Datetime(), "2024-02-23T20:00:00+02:00", "2024-02-23T18:00:00Z"),
        (types.Geometry(), POINT, POINT),
        (types.Geometry(), json.dumps(POINT), POINT),
        (types.Array(types.Integer()), [1, 2, 3], [1, 2, 3]),
        (types.Array(types.Integer()), [{"index": 1, "value": 2}, {"index": 0, "value": 1}], [1, 2]),
        (types.Array(types.Array(types.Integer())), [{"index": 0, "value": [{"index": 0, "value": 5}]}], [[5]]),
        (
            types.Array(types.Geometry()),
            json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": POINT}]}),
            [{"type": "Feature", "geometry": POINT}],
        ),
        (types.Array(types.Geometry()), {"type": "GeometryCollection", "geometries": [POINT, POINT]}, [POINT, POINT]),
    ],
)
def test_every_way_to_give_a_value(kind: ValueType, data: Any, value: Value) -> None:
    assert read(kind, data) == (value, [])


def test_files_are_given_by_path_where_the_caller_allows_it(tmp_path: Path) -> None:
    reader = JsonReader(lambda path: FileRef(str(tmp_path / path)))
    (tmp_path / "a").write_bytes(b"x")
    assert reader.decode(types.Array(types.File()), ["a"], AT) == [FileRef(str(tmp_path / "a"))]
    assert read(types.File(), "/etc/passwd") == (None, ["C201"])
    assert read(types.File(), "/data/none") == (None, ["C201"])
    assert read(types.File(), 5) == (None, ["C220"])


@pytest.mark.parametrize(
    ("kind", "data", "codes", "message"),
    [
        (types.Boolean(), "true", ["C203"], "value does not match defined constraint."),
        (types.Integer(), "5", ["C220"], "invalid parameter type"),
        (types.Integer(), 5.5, ["C220"], "invalid parameter type"),
        (types.Integer(), True, ["C220"], "invalid parameter type"),
        (types.Integer(above=75, minimum=80), 75, ["C221", "C222"], "value must be greater than defined constraint"),
        (types.Integer(below=53, maximum=52), 75, ["C223", "C224"], "value must be less than defined constraint"),
        (types.Number(maximum=0.5), 0.6, ["C224"], "value must be less than or equal to defined constraint"),
        (types.Number(), "inf", ["C225"], "value cannot be infinity"),
        (types.Number(above=1), "nan", ["C226"], "value cannot be nan"),
        (types.Number(), "one", ["C220"], "invalid parameter type"),
        (types.String(min_length=2), "a", ["C229"], "value must be greater than or equal to define constraint"),
        (types.String(max_length=2), "abc", ["C230"], "value must be less than or equal to defined constraint"),
        (types.String(), "\ud800", ["C202"], ""),
        (types.String(), 5, ["C220"], "invalid parameter type"),
        (types.Enumeration(("a",)), "b", ["C203"], "value does not match defined constraint."),
        (types.Enumeration(("a",)), 1, ["C203"], "value does not match defined constraint."),
        (types.Datetime(), 5, ["C220"], "invalid parameter type"),
        (types.Datetime(), "soon", ["C202"], "value does not match defined constraint."),
        (types.Datetime(after=NEW_YEAR), "2023-12-31T23:59:59Z", ["C227"], "date must be after the defined constraint"),
        (
            types.Datetime(before=NEW_YEAR),
            "2024-01-02T00:00:00Z",
            ["C228"],
            "date must be before the defined constraint",
        ),
        (types.Geometry(), 5, ["C220"], "invalid parameter type"),
        (types.Geometry(), "{", ["C207"], "failed to parse the given GeoJSON object"),
        (types.Geometry(), BOW_TIE, ["C231"], "invalid GeoJSON object"),
        (types.Geometry(), {"type": "Sphere"}, ["C232"], "unsupported geometry type"),
        (
            types.Geometry(),
            {"type": "Feature", "geometry": POINT, "properties": {"subType": "Blob"}},
            ["C233"],
            "unsupported geometry subtype",
        ),
        (
            types.Geometry(),
            {"type": "Feature", "geometry": POINT, "properties": {"subType": "Circle"}},
            ["C234"],
            "missing radius parameter",
        ),
        (types.Array(types.Integer()), 5, ["C235"], "invalid provision structure"),
        (types.Array(types.Integer()), {"index": 0, "value": 5}, ["C235"], "invalid provision structure"),
        (types.Array(types.Integer()), [{"index": 1, "value": 5}], ["C235"], "invalid provision structure"),
        (types.Array(types.Integer()), [{"index": 0, "value": 5}, 6], ["C235"], "invalid provision structure"),
        (types.Array(types.Integer()), [{"index": [], "value": 5}], ["C235"], "invalid provision structure"),
        (types.Array(types.Integer()), [{"index": False, "value": 5}], ["C235"], "invalid provision structure"),
        (
            types.Array(types.Integer()),
            [{"index": 0, "value": 5}, {"index": 0, "value": 5}],
            ["C235"],
            "invalid provision structure",
        ),
        (types.Array(types.Integer()), [1, "2", None], ["C220", "C236"], "invalid parameter type"),
        (types.Array(types.Integer(), 2, 3), [1], ["C206"], "invalid collection dimensions"),
        (types.Array(types.Geometry()), {"type": "Point"}, ["C237"], "invalid feature collection"),
        (types.Array(types.Geometry()), "{", ["C237"], "invalid feature collection"),
        (types.Integer(), None, ["C236"], "provision is null"),
    ],
)
def test_what_is_refused_and_with_what_word_first(kind: ValueType, data: Any, codes: list[str], message: str) -> None:
    assert read(kind, data) == (None, codes)
    assert message in public_error(codes[0]).message


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["index", "{}", "[" * 99]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["index", "value", "type", "coordinates", "geometry", "features"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from([types.Integer(), types.Geometry(), types.Datetime(), types.String()]), ANYTHING)
@settings(max_examples=examples(500), deadline=None)
def test_any_json_is_a_value_or_refused(kind: ValueType, data: Any) -> None:
    for one in (kind, types.Array(kind), types.Array(types.Array(kind))):
        value, codes = read(one, data)
        assert (value is None) == bool(codes)
        assert value is None or list(one.faults(value)) == []


BOUND = st.none() | st.integers(-3, 3)


@given(BOUND, BOUND, BOUND, BOUND, st.integers(-5, 5) | st.floats())
@settings(max_examples=examples(500), deadline=None)
def test_bounds_are_told_in_the_order_of_the_contract(
    gt: int | None, geq: int | None, lt: int | None, leq: int | None, value: int | float
) -> None:
    comparable = not math.isnan(value)
    broken = [
        ("C221", gt is not None and not value > gt),
        ("C222", geq is not None and not value >= geq),
        ("C223", lt is not None and not value < lt),
        ("C224", leq is not None and not value <= leq),
    ]
    codes = [code for code, is_broken in broken if is_broken and comparable]
    number = types.Number(geq, leq, gt, lt)
    special = ["C225"] if abs(value) == math.inf else [] if comparable else ["C226"]
    assert read(number, value)[1] == codes + special
    allowed = types.Number(geq, leq, gt, lt, allow_infinity=True, allow_nan=True)
    assert read(allowed, value)[1] == codes
    assert read(types.Integer(geq, leq, gt, lt), value)[1] == (codes if isinstance(value, int) else ["C220"])


@given(st.text(max_size=6), st.integers(0, 4), st.none() | st.integers(0, 4))
@settings(max_examples=examples(500), deadline=None)
def test_lengths_of_texts(text: str, shortest: int, longest: int | None) -> None:
    short, long = len(text) < shortest, longest is not None and len(text) > longest
    codes = read(types.String(shortest, longest), text)[1]
    assert codes == (["C229"] if short else ["C230"] if long else [])


@given(st.binary(max_size=200))
@settings(max_examples=examples(200), deadline=None)
def test_files_are_judged_by_their_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "judged"
    path.write_bytes(content)
    reader = JsonReader(FileRef)
    kind = types.File(("text",), max_size=100)
    reader.decode(kind, str(path), AT)
    try:
        content.decode()
        wrong = []
    except UnicodeDecodeError:
        wrong = ["C209"]
    assert [problem.code for problem in reader.problems] == wrong + (["C213"] if len(content) > 100 else [])
