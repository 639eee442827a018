"""What each type accepts, and how it says what is wrong."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from trivet.tasks import types
from trivet.tasks.types import parse_datetime
from trivet.tasks.values import FileRef

NOON = datetime(2024, 2, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (types.ValueType(), object()),
        (types.Boolean(), False),
        (types.Integer(1, 5), 5),
        (types.Integer(above=0.5), 1),
        (types.Number(0), 0),
        (types.Number(allow_infinity=True), math.inf),
        (types.Number(allow_nan=True), math.nan),
        (types.String(2, 3), "äöü"),
        (types.Enumeration((1, "1")), "1"),
        (types.Datetime(NOON, NOON), "2024-02-23T13:00:00+01:00"),
        (types.Geometry(), {"type": "Point", "coordinates": [0, 0]}),
        (types.File(max_size=3), FileRef("/x", 3)),
        (types.Image(), FileRef("/x")),
        (types.Directory(), FileRef("/x")),
        (types.Zarr(), "s3://bucket/x.zarr"),
        (types.Array(types.Integer(), 1, 2), (1, 2)),
        (types.Json(), {"anything": None}),
        (types.Json({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "number"}}}), [1, 2.5]),
    ],
)
def test_what_is_accepted(kind: types.ValueType, value: Any) -> None:
    assert list(kind.faults(value)) == []


@pytest.mark.parametrize(
    ("kind", "value", "faults"),
    [
        (types.Boolean(), 1, ["1 is not true or false"]),
        (types.Integer(), True, ["True is not a whole number"]),
        (types.Integer(), 1.0, ["1.0 is not a whole number"]),
        (types.Integer(1, 5), 0, ["0 must be at least 1"]),
        (types.Integer(1, 5), 6, ["6 must be at most 5"]),
        (types.Integer(above=1, below=5), 1, ["1 must be greater than 1"]),
        (types.Integer(above=1, below=5), 5, ["5 must be less than 5"]),
        (types.Number(), "1", ["'1' is not a number"]),
        (types.Number(maximum=1), math.inf, ["inf must be at most 1", "infinity is not allowed"]),
        (types.Number(), math.nan, ["NaN is not allowed"]),
        (types.String(2), "x", ["'x' is shorter than 2 characters"]),
        (types.String(max_length=1), "xy", ["'xy' is longer than 1 characters"]),
        (types.String(), 5, ["5 is not text"]),
        (types.Enumeration(("otsu", "li")), "Ostu", ["'Ostu' is not one of the choices; did you mean `otsu`?"]),
        (types.Enumeration((1,)), True, ["True is not one of the choices; known: `1`"]),
        (types.Enumeration(()), 1, ["1 is not one of the choices"]),
        (types.Datetime(after=NOON), "2024-02-23T11:59:59Z", [f"2024-02-23T11:59:59Z is before {NOON.isoformat()}"]),
        (types.Datetime(before=NOON), "2024-02-23T12:00:01Z", [f"2024-02-23T12:00:01Z is after {NOON.isoformat()}"]),
        (types.Datetime(), "2024-02-23T12:00:00", ["'2024-02-23T12:00:00' has no zone; add Z for UTC"]),
        (types.Geometry(), {"coordinates": []}, ["{'coordinates': []} is not a GeoJSON object"]),
        (types.File(), "/x", ["'/x' is not a path"]),
        (types.File(max_size=3), FileRef("/x", 4), ["/x has 4 bytes, more than the allowed 3"]),
        (types.Directory(), "/x", ["'/x' is not a path"]),
        (types.Zarr(), "x.zarr", ["'x.zarr' is not an absolute path or an s3:// URL"]),
        (types.Array(types.Integer(), 2), ["a"], ["1 items are fewer than 2", "item 0: 'a' is not a whole number"]),
        (types.Array(types.Integer(), 0, 1), [1, 2], ["2 items are more than 1"]),
        (types.Array(types.String()), "abc", ["'abc' is not a list"]),
        (types.Json({"properties": {"a": {"type": "string"}}}), {"a": 1}, ['a: 1 is not of type "string"']),
    ],
)
def test_what_is_refused_and_why(kind: types.ValueType, value: Any, faults: list[str]) -> None:
    assert list(kind.faults(value)) == faults


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/x.json", "file:///etc/hostname", "other.json"])
def test_a_schema_never_makes_us_read_anything_else(reference: str) -> None:
    (fault,) = types.Json({"$ref": reference}).faults(1)
    assert fault.startswith("can't be checked against its JSON Schema: ")
    assert "retrieving it failed: " in fault


def test_a_schema_that_is_none_is_a_fault_not_a_crash() -> None:
    (fault,) = types.Json({"type": "nope"}).faults(1)
    assert fault.startswith("can't be checked against its JSON Schema: ")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (types.Integer(1, below=10), "integer ≥ 1 < 10"),
        (types.String(1, 5), "string of 1–5 characters"),
        (types.Enumeration(("a", 2)), "one of a, 2"),
        (types.File(("PNG", "TIFF")), "file (PNG, TIFF)"),
        (types.Array(types.Array(types.Image())), "array of array of image"),
        (types.Datetime(after=NOON), "datetime from 2024-02-23T12:00:00+00:00"),
        (types.Json({"type": "object"}), "object"),
        (types.Json({"type": ["string", "null"]}), "string or null"),
        (types.Json(), "json"),
    ],
)
def test_a_type_in_a_few_words(kind: types.ValueType, words: str) -> None:
    assert kind.describe() == words


def test_types_are_values() -> None:
    assert types.Boolean() == types.Boolean()
    assert types.Integer(1) == types.Integer(1)
    assert types.Integer(1) != types.Number(1)
    assert types.Boolean() != types.Zarr()
    assert len({types.Zarr(), types.Zarr(), types.Directory()}) == 2
    assert repr(types.Integer(1)) == "Integer(minimum=1, maximum=None, above=None, below=None)"
    with pytest.raises(AttributeError):
        types.Integer(1).minimum = 2  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        types.Boolean().anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["noon", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "", 5, None])
def test_what_is_no_instant(text: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_datetime(text)


def test_an_instant_is_told_in_utc() -> None:
    assert parse_datetime("2024-02-23T18:00:00+06:00") == NOON
