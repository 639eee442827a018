"""Values as files: what is written is read back, every documented form is understood, everything else is told."""

from __future__ import annotations

import json
import math
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trivet.contracts.cytomine import geometry
from trivet.contracts.cytomine.values import Reader, encode
from trivet.tasks import types
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value

from .conftest import examples

AT = ("outputs", "x")


def no_files(kind: types.File, reference: FileRef, path: Path) -> None:
    raise AssertionError("no file was expected")


def read(kind: ValueType, path: Path) -> tuple[Value, list[str]]:
    reader = Reader()
    value = reader.decode(kind, path, AT)
    return value, [problem.code for problem in reader.problems]


def read_text(kind: ValueType, text: str | bytes, folder: Path) -> tuple[Value, list[str]]:
    path = folder / "x"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(kind, path)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CHOICE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1, max_size=9)
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()).map(
    lambda instant: instant.isoformat() if instant.utcoffset() is not None else "2024-02-23T18:00:00Z"
)
POINT = st.tuples(st.integers(-9, 9) | st.floats(-1e9, 1e9), st.integers()).map(
    lambda pair: {"type": "Point", "coordinates": [pair[0], pair[1] % 1000]}
)
BOX = st.tuples(st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 99), st.integers(1, 99)).map(
    lambda b: {
        "type": "Feature",
        "properties": {"subType": "Rectangle", "colour": "ü"},
        "geometry": {
            "type": "Polygon",
            "coordinates": [
                [[b[0], b[1]], [b[0] + b[2], b[1]], [b[0] + b[2], b[1] + b[3]], [b[0], b[1] + b[3]], [b[0], b[1]]]
            ],
        },
    }
)
SCALARS: list[st.SearchStrategy[tuple[ValueType, Any]]] = [
    st.booleans().map(lambda value: (types.Boolean(), value)),
    st.integers(-(10**80), 10**80).map(lambda value: (types.Integer(), value)),
    st.floats().map(lambda value: (types.Number(allow_infinity=True, allow_nan=True), value)),
    TEXT.map(lambda value: (types.String(), value)),
    st.lists(CHOICE, min_size=1, unique=True).map(lambda values: (types.Enumeration(tuple(values)), values[-1])),
    INSTANTS.map(lambda value: (types.Datetime(), value)),
    POINT.map(lambda value: (types.Geometry(), value)),
    BOX.map(lambda value: (types.Geometry(), value)),
]
VALUES = st.recursive(
    st.one_of(SCALARS),
    lambda inner: st.tuples(inner, st.integers(0, 3)).map(lambda p: (types.Array(p[0][0]), [p[0][1]] * p[1])),
    max_leaves=3,
)


def same(kind: ValueType, left: Any, right: Any) -> bool:
    if isinstance(kind, types.Array):
        return len(left) == len(right) and all(same(kind.of, *pair) for pair in zip(left, right, strict=True))
    if isinstance(kind, types.Datetime):
        return right.endswith("Z") and datetime.fromisoformat(left) == datetime.fromisoformat(right)
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right and type(left) is type(right))


@given(VALUES)
@example((types.Enumeration(("\x0c",)), "\x0c"))
@settings(max_examples=examples(500), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, value: tuple[ValueType, Any]) -> None:
    kind, given = value
    path = tmp_path_factory.mktemp("value") / "x"
    encode(kind, given, path, no_files)
    found, codes = read(kind, path)
    assert codes == []
    assert same(kind, given, found)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (types.Boolean(), True, "true"),
        (types.Integer(), -7, "-7"),
        (types.Number(), 0.1, "0.1"),
        (types.Number(), 3, "3"),
        (types.Number(), -math.inf, "-inf"),
        (types.Number(), math.nan, "nan"),
        (types.String(), " a\n", " a\n"),
        (types.Enumeration(("otsu",)), "otsu", "otsu"),
        (types.Datetime(), "2024-02-23T20:00:00+02:00", "2024-02-23T18:00:00Z"),
    ],
)
def test_scalars_are_text_without_a_newline(kind: ValueType, value: Value, text: str, tmp_path: Path) -> None:
    encode(kind, value, tmp_path / "x", no_files)
    assert (tmp_path / "x").read_bytes() == text.encode()


def test_arrays_are_directories_with_their_size(tmp_path: Path) -> None:
    encode(types.Array(types.Array(types.Integer())), [[1, 2], []], tmp_path / "x", no_files)
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "x/array.yml": "size: 2",
        "x/0/array.yml": "size: 2",
        "x/0/0": "1",
        "x/0/1": "2",
        "x/1/array.yml": "size: 0",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3735931646\n", 3735931646),
        ("  -12 ", -12),
        ("+5", 5),
        ("0b1010_0111", 167),
        ("0777", 511),
        ("0", 0),
        ("-0x_1".replace("_", "1"), -17),
        ("0xDEAD_BEEF", 3735928559),
        ("1_000", 1000),
        ("9" * 3000, int("9" * 3000)),
    ],
)
def test_every_way_to_write_an_integer(text: str, value: int, tmp_path: Path) -> None:
    assert read_text(types.Integer(), text, tmp_path) == (value, [])


@pytest.mark.parametrize(
    "text", ["1.0", "1e3", "_1", "0x", "0b2", "089", "one", "１", "1 2", "9" * 5000, "0x" + "f" * 9000]
)
def test_what_is_no_integer(text: str, tmp_path: Path) -> None:
    assert read_text(types.Integer(), text, tmp_path) == (None, ["C202"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-.5", -0.5),
        ("6.", 6.0),
        ("1e-3", 0.001),
        ("+INF", math.inf),
        ("-inf", -math.inf),
        ("Infinity\n", math.inf),
    ],
)
def test_every_way_to_write_a_number(text: str, value: float, tmp_path: Path) -> None:
    found, codes = read_text(types.Number(allow_infinity=True), text, tmp_path)
    assert (found, type(found), codes) == (value, float, [])


@pytest.mark.parametrize("text", ["1_0", "0x1p3", "1d", "--1", "e5", ".", "1,5"])
def test_what_is_no_number(text: str, tmp_path: Path) -> None:
    assert read_text(types.Number(), text, tmp_path) == (None, ["C202"])


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (types.Integer(above=3), "3", "C221"),
        (types.Integer(maximum=3), "4", "C224"),
        (types.Integer(minimum=3), "2", "C222"),
        (types.Number(below=0.5), "0.5", "C223"),
        (types.Number(), "nan", "C226"),
        (types.Number(), "inf", "C225"),
        (types.Number(), "1e999", "C225"),
        (types.Boolean(), "True", "C202"),
        (types.Boolean(), "1", "C202"),
        (types.Boolean(), "", "C217"),
        (types.Integer(), " \n", "C217"),
        (types.Integer(), b"\xff", "C202"),
        (types.String(min_length=1), "", "C229"),
        (types.String(max_length=2), "abc", "C230"),
        (types.Enumeration(("a",)), "b", "C203"),
        (types.Datetime(), "2024-02-23", "C202"),
        (types.Datetime(), "2024-02-23T18:00:00", "C202"),
        (types.Datetime(), "0001-01-01T00:00:00+05:00", "C202"),
        (types.Datetime(before=datetime(2024, 1, 1, tzinfo=UTC)), "2024-01-01T00:00:01Z", "C228"),
        (types.Datetime(after=datetime(2024, 1, 1, tzinfo=UTC)), "2023-12-31T23:59:59Z", "C227"),
        (types.Geometry(), "{", "C207"),
        (types.Geometry(), '{"type": "Point", "coordinates": [1, NaN]}', "C207"),
        (types.Geometry(), "[" * 5000, "C207"),
    ],
)
def test_refused_texts(kind: ValueType, text: str | bytes, code: str, tmp_path: Path) -> None:
    assert read_text(kind, text, tmp_path) == (None, [code])


def test_bounds_of_instants_are_allowed_themselves(tmp_path: Path) -> None:
    instant = datetime(2024, 1, 1, tzinfo=UTC)
    kind = types.Datetime(instant, instant + timedelta(seconds=1))
    assert read_text(kind, "2024-01-01T01:00:00+01:00\n", tmp_path) == ("2024-01-01T00:00:00Z", [])
    assert read_text(kind, "2024-01-01T00:00:01Z", tmp_path) == ("2024-01-01T00:00:01Z", [])


def test_empty_and_padded_text_is_kept(tmp_path: Path) -> None:
    assert read_text(types.String(), "", tmp_path) == ("", [])
    assert read_text(types.String(), " a\r\n", tmp_path) == (" a\r\n", [])


def point(**properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": properties}


SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Point", "coordinates": [1, 2.5]},
        {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]},
        {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
        {"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]]]},
        {"type": "Polygon", "coordinates": [SQUARE, [[1, 1], [1, 2], [2, 2], [1, 1]]]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE]], "crs": {"properties": {"name": "EPSG:0"}}},
        point(),
        point(author="x"),
        point(subType="Circle", radius=0.5),
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
            "properties": {"subType": "Rectangle"},
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": None},
    ],
)
def test_geometries(value: Any) -> None:
    assert list(geometry.faults(value)) == []


@pytest.mark.parametrize(
    ("value", "code", "fault"),
    [
        (3, "C207", "GeoJSON"),
        ({"type": "Ellipse", "coordinates": [1, 2]}, "C232", "type 'Ellipse'"),
        ({"type": "FeatureCollection", "features": []}, "C232", "FeatureCollection"),
        ({"type": "GeometryCollection", "geometries": []}, "C232", "GeometryCollection"),
        ({"type": ["Point"], "coordinates": [1, 2]}, "C207", "type"),
        ({"type": "Feature"}, "C207", "without a geometry"),
        ({"type": "Point", "coordinates": [1]}, "C207", "Point"),
        ({"type": "Point", "coordinates": [1, "2"]}, "C207", "Point"),
        ({"type": "Point", "coordinates": [1, 10**400]}, "C207", "Point"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "C207", "two positions"),
        ({"type": "Polygon", "coordinates": SQUARE}, "C207", "Polygon"),
        ({"type": "Polygon", "coordinates": [SQUARE[:-1]]}, "C207", "not closed"),
        ({"type": "Polygon", "coordinates": []}, "C207", "Polygon"),
        ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "C207", "MultiPolygon"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}, "C231", "Self-intersection"),
        (point(subType="Ellipse"), "C233", "Ellipse"),
        (point(subType="Circle"), "C234", "radius"),
        (point(subType="Circle", radius=0), "C234", "radius"),
        (point(subType="Rectangle"), "C231", "Rectangle"),
        ({**point(), "properties": 3}, "C207", "properties"),
        (
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [3]},
                "properties": {"subType": "Rectangle"},
            },
            "C207",
            "Polygon",
        ),
    ],
)
def test_what_is_no_geometry(value: Any, code: str, fault: str) -> None:
    found = list(geometry.faults(value))
    assert found
    assert found[0][0] == code
    assert fault in found[0][1]


def test_without_shapely_a_word_says_what_was_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "can_judge", lambda: False)
    path = tmp_path / "x"
    path.mkdir()
    bow_tie = json.dumps({"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]})
    for name, text in (("array.yml", "size: 2\n"), ("0", bow_tie), ("1", bow_tie)):
        (path / name).write_text(text)
    reader = Reader()
    assert reader.decode(types.Array(types.Geometry()), path, AT) is not None
    assert [(problem.code, problem.severity) for problem in reader.problems] == [("C208", "warning")]


def array(folder: Path, entries: dict[str, str]) -> Path:
    path = folder / "x"
    path.mkdir()
    for name, text in entries.items():
        (path / name).write_text(text)
    return path


@pytest.mark.parametrize(
    ("entries", "codes"),
    [
        ({"array.yml": "size: 2", "0": "1", "1": "2"}, []),
        ({"array.yml": "size: 0\n"}, []),
        ({"array.yml": "size: 1", "0": "1", "0.geojson": "{}"}, ["C204"]),
        ({"0": "1"}, ["C205"]),
        ({"array.yml": "size: [", "0": "1"}, ["C205"]),
        ({"array.yml": "3", "0": "1"}, ["C205"]),
        ({"array.yml": "size: -1"}, ["C205"]),
        ({"array.yml": "size: true", "0": "1"}, ["C205"]),
        ({"array.yml": "size: 1000000000000"}, ["C206"]),
        ({"array.yml": "size: 2", "0": "1"}, ["C206"]),
        ({"array.yml": "size: 1", "0": "1", "1": "2"}, ["C206"]),
        ({"array.yml": "size: 2", "0": "1", "2": "2"}, ["C206"]),
        ({"array.yml": "size: 2", "1": "1", "2": "2"}, ["C206"]),
        ({"array.yml": "size: 2", "0": "1", "01": "2"}, ["C206", "C204"]),
        ({"array.yml": "size: 2", "0": "one", "1": "two"}, ["C202", "C202"]),
    ],
)
def test_array_directories(entries: dict[str, str], codes: list[str], tmp_path: Path) -> None:
    value, found = read(types.Array(types.Integer()), array(tmp_path, entries))
    assert found == codes
    good = not set(codes) - {"C204"}
    assert value == ([int(text) for name, text in sorted(entries.items()) if name.isdigit()] if good else None)


def test_sizes_of_arrays(tmp_path: Path) -> None:
    path = array(tmp_path, {"array.yml": "size: 2", "0": "1", "1": "2"})
    assert read(types.Array(types.Integer(), min_size=3), path) == (None, ["C206"])
    assert read(types.Array(types.Integer(), max_size=1), path) == (None, ["C206"])
    assert read(types.Array(types.Integer(), 2, 2), path) == ([1, 2], [])


def test_problems_name_the_item(tmp_path: Path) -> None:
    encode(types.Array(types.Array(types.Integer())), [[1], [2, 300]], tmp_path / "x", no_files)
    reader = Reader()
    assert reader.decode(types.Array(types.Array(types.Integer(below=9))), tmp_path / "x", AT) is None
    [problem] = reader.problems
    assert problem.message.startswith("output `x`[1][1] 300 ")
    assert problem.path == AT


def test_links_pipes_and_sockets_are_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("1")
    link, pipe, folder = tmp_path / "link", tmp_path / "pipe", tmp_path / "folder"
    link.symlink_to(secret)
    os.mkfifo(pipe)
    folder.mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    for path in (link, pipe, folder, tmp_path / "socket"):
        assert read(types.Integer(), path) == (None, ["C201"])
        assert read(types.Array(types.Integer()), path)[1] == (["C205"] if path is folder else ["C201"])
    assert read(types.File(), link) == (None, ["C201"])
    server.close()
    items = array(tmp_path, {"array.yml": "size: 1"})
    (items / "0").symlink_to(secret)
    assert read(types.Array(types.Integer()), items) == (None, ["C201"])
    (items / "array.yml").unlink()
    (items / "array.yml").symlink_to(secret)
    assert read(types.Array(types.Integer()), items) == (None, ["C205"])


def test_files_keep_their_kind_in_the_published_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"%PDF-1.7\n")
    value, codes = read(types.File(), tmp_path / "x")
    assert codes == []
    assert value == FileRef(str(tmp_path / "x"), 9, name="x.pdf")


@pytest.mark.parametrize(
    ("kind", "content", "codes"),
    [
        (types.File(("text",)), "grün".encode(), []),
        (types.File(("text",)), b"\xfcber", ["C209"]),
        (types.File(("text",)), b"abc\xc3", ["C209"]),
        (types.File(("binary", "text")), b"\xfc", []),
        (types.File(max_size=3), b"123", []),
        (types.File(max_size=3), b"1234", ["C213"]),
    ],
)
def test_constraints_of_files(kind: types.File, content: bytes, codes: list[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read(kind, tmp_path / "x")[1] == codes
