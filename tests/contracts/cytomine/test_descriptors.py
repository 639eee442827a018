"""Descriptors: every verdict of the public corpus and every conformance vector, judged beside the public schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from trivet.contracts import cytomine, detect
from trivet.contracts.cytomine.matching import groups
from trivet.contracts.cytomine.sizes import parse_size
from trivet.contracts.source import Source, load
from trivet.tasks import types
from trivet.tasks.problem import Problem
from trivet.tasks.task import MISSING, ContainerImage, Task

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/cytomine"
INVALID = ("no_version", "unexpected_path", "wrong_name", "test_default_image_location_task")
DESCRIPTORS = sorted(path.name for path in CORPUS.glob("descriptors/*.yml"))

Codes = Callable[..., set[str]]


@pytest.mark.parametrize("name", DESCRIPTORS or [pytest.param("", marks=pytest.mark.skip(reason="no corpus"))])
def test_corpus_verdicts(name: str, schema: jsonschema_rs.Draft7Validator) -> None:
    source = load(CORPUS / "descriptors" / name, name)
    expected = any(name.startswith(f"ae-test__{stem}") for stem in INVALID)
    assert detect(source) == "cytomine"
    errors = [problem for problem in cytomine.check(cytomine.read(source)) if problem.severity == "error"]
    assert bool(errors) == expected
    assert schema.is_valid(source.data) != expected


def test_every_fault_of_a_document_is_told_with_its_line(corpus: Path) -> None:
    source = load(corpus / "descriptors/ae-test__test_default_image_location_task.yml", "descriptor.yml")
    placed = source.place(cytomine.check(cytomine.read(source)))
    assert [(problem.code, problem.line) for problem in placed] == [("C001", 1), ("C003", 4), ("C001", 7)]


def spoil(data: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    change(data)
    return data


def parameter(kind: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": "d", **more}


def with_input(kind: Any, **more: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data["inputs"].update(p=parameter(kind, **more))


def matching(*references: Any) -> Callable[[dict[str, Any]], Any]:
    array = {"id": "array", "subtype": "integer"}
    return lambda data: (
        data["inputs"].update(a=parameter(array), b=parameter("integer")),
        data["outputs"].update(c=parameter(array, dependencies={"matching": list(references)})),
    )


def derived(reference: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda data: (
        data["inputs"].update(i=parameter("image")),
        data["outputs"].update(x=parameter("image"), y=parameter("image", dependencies={"derived_from": reference})),
    )


def resource(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data["configuration"]["resources"].update(values)


def folder(text: str) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data["configuration"].update(input_folder=text)


BEYOND_THE_SCHEMA = {
    "root as folder": (folder("/"), "C020"),
    "shell in folder": (folder("/in; rm -rf /"), "C020"),
    "dots in folder": (folder("/data/../etc"), "C020"),
    "system folder": (folder("/etc/in"), "C020"),
    "one folder in the other": (folder("/outputs/in"), "C021"),
    "lt and leq": (with_input({"id": "integer", "lt": 3, "leq": 4}), "C035"),
    "gt and geq": (with_input({"id": "number", "gt": 3, "geq": 4}), "C035"),
    "empty whole range": (with_input({"id": "integer", "gt": 3, "lt": 4}), "C036"),
    "empty range": (with_input({"id": "number", "geq": 3, "lt": 3}), "C036"),
    "default outside the choices": (with_input({"id": "enumeration", "values": ["a"]}, default="b"), "C044"),
    "default out of bounds": (with_input({"id": "integer", "lt": 3}, default=3), "C044"),
    "default too long": (with_input({"id": "string", "max_length": 2}, default="abc"), "C044"),
    "the same choice twice": (with_input({"id": "enumeration", "values": ["a", "a"]}), "C039"),
    "array of at least 5 and at most 1": (
        with_input({"id": "array", "subtype": "integer", "min_size": 5, "max_size": 1}),
        "C036",
    ),
    "array of at least -1": (with_input({"id": "array", "subtype": "integer", "min_size": -1}), "C037"),
    "matching on a scalar": (matching("inputs/b"), "C049"),
    "matching an unknown array": (matching("inputs/z"), "C047"),
    "matching something malformed": (matching("foo"), "C047"),
    "matching nothing": (matching(), "C047"),
    "derived from an output": (derived("outputs/x"), "C048"),
    "derived from a number": (derived(3), "C002"),
    "derived from the unknown": (derived("inputs/z"), "C047"),
    "memory with garbage": (resource(ram="1 Gi garbage"), "C022"),
    "memory in bits": (resource(ram="25Kib"), "C022"),
    "gpus -1": (resource(gpus=-1), "C025"),
    "cpus 0": (resource(cpus=0), "C024"),
    "max_width -1": (with_input({"id": "image", "max_width": -1}), "C042"),
    "before x": (with_input({"id": "datetime", "before": "x"}), "C043"),
    "text of at least 5 and at most 2": (with_input({"id": "string", "min_length": 5, "max_length": 2}), "C036"),
    "text of at least -1": (with_input({"id": "string", "min_length": -1}), "C037"),
    "e-mail x": (lambda data: data["authors"][0].update(email="x"), "C016"),
    "namespace .foo": (lambda data: data.update(namespace=".foo"), "C012"),
    "namespace com.Foo": (lambda data: data.update(namespace="com.Foo"), "C012"),
    "ids that differ in case": (
        lambda data: data["inputs"].update(a=parameter("integer"), A=parameter("integer")),
        "C031",
    ),
    "default of a geometry": (with_input("geometry", default="x"), "C045"),
    "image outside the bundle": (lambda data: data["configuration"].update(image={"file": "/../x.tar"}), "C027"),
}


@pytest.mark.parametrize("name", BEYOND_THE_SCHEMA)
def test_what_the_schema_forgot_is_refused(
    name: str, good: dict[str, Any], codes_of: Codes, schema: jsonschema_rs.Draft7Validator
) -> None:
    change, code = BEYOND_THE_SCHEMA[name]
    spoil(good, change)
    assert schema.is_valid(good)
    assert codes_of(good) == {code}


NORMALISED = {
    "no short name": (lambda data: data.pop("name_short"), set()),
    "no folders": (
        lambda data: [data["configuration"].pop(key) for key in ("input_folder", "output_folder")],
        set(),
    ),
    "no display name": (with_input("integer"), set()),
    "no inputs": (lambda data: data.update(inputs={}), set()),
    "build in the version": (lambda data: data.update(version="1.0.0+b1"), set()),
    "memory with B": (resource(ram="1GiB"), {"C023"}),
    "size without B": (with_input({"id": "image", "max_file_size": "100 Mi"}), {"C023"}),
    "vram": (resource(vram="8Gi"), {"C026"}),
    "allow_missing": (with_input({"id": "array", "subtype": "integer", "allow_missing": True}), {"C026"}),
    "unknown field": (lambda data: data.update(licence="MIT"), {"C003"}),
    "default of an output": (lambda data: data["outputs"].update(o=parameter("integer", default=1)), {"C046"}),
}


@pytest.mark.parametrize("name", NORMALISED)
def test_what_is_read_with_a_default_or_a_warning(
    name: str, good: dict[str, Any], codes_of: Codes, schema: jsonschema_rs.Draft7Validator
) -> None:
    change, warnings = NORMALISED[name]
    spoil(good, change)
    assert schema.is_valid(good)
    assert codes_of(good) == set()
    assert codes_of(good, "warning") == warnings


REFUSED_BY_THE_SCHEMA = {
    "unknown type": (with_input("wholenumber"), "C032"),
    "short enumeration": (with_input("enumeration"), "C033"),
    "short array": (with_input("array"), "C033"),
    "array of nothing": (with_input({"id": "array"}), "C001"),
    "text as default of an integer": (with_input("integer", default="3"), "C044"),
    "choices that are booleans": (with_input({"id": "enumeration", "values": [True]}), "C038"),
    "no choices": (with_input({"id": "enumeration", "values": []}), "C038"),
    "a choice of two lines": (with_input({"id": "enumeration", "values": ["a\nb"]}), "C038"),
    "memory 1024": (resource(ram=1024), "C022"),
    'memory "1024"': (resource(ram="1024"), "C022"),
    "memory 25KB": (resource(ram="25KB"), "C022"),
    "half a CPU": (resource(cpus=0.5), "C002"),
    "webp": (with_input({"id": "image", "formats": ["webp"]}), "C040"),
    "csv": (with_input({"id": "file", "formats": ["csv"]}), "C040"),
    "a bound as text": (with_input({"id": "number", "gt": "3"}), "C002"),
    "version 1.0": (lambda data: data.update(version="1.0"), "C013"),
    "version as a number": (lambda data: data.update(version=1.0), "C013"),
    "namespace foo": (lambda data: data.update(namespace="foo"), "C011"),
    "namespace co-m.foo": (lambda data: data.update(namespace="co-m.foo"), "C011"),
    "name of 2": (lambda data: data.update(name="ab"), "C010"),
    "name of 31": (lambda data: data.update(name="a" * 31), "C010"),
    "name with a dot": (lambda data: data.update(name="a.bc"), "C010"),
    "long description": (lambda data: data.update(description="x" * 2049), "C014"),
    "id with -": (lambda data: data["inputs"].update({"a-b": parameter("integer")}), "C030"),
    "no type": (lambda data: data["inputs"].update(p={"description": "d"}), "C001"),
    "no description": (lambda data: data["inputs"].update(p={"type": "integer"}), "C001"),
    "no $schema": (lambda data: data.pop("$schema"), "C001"),
    "no authors": (lambda data: data.update(authors=[]), "C015"),
    "author without email": (lambda data: data["authors"][0].pop("email"), "C001"),
    "optional as text": (with_input("integer", optional="yes"), "C002"),
    "empty display name": (with_input("integer", display_name=""), "C001"),
}


@pytest.mark.parametrize("name", REFUSED_BY_THE_SCHEMA)
def test_what_the_schema_refuses_is_refused(
    name: str, good: dict[str, Any], codes_of: Codes, schema: jsonschema_rs.Draft7Validator
) -> None:
    change, code = REFUSED_BY_THE_SCHEMA[name]
    spoil(good, change)
    assert not schema.is_valid(good)
    assert codes_of(good) == {code}


def test_all_problems_come_at_once_in_the_order_of_the_file(
    good: dict[str, Any], problems_of: Callable[[Any], list[Problem]]
) -> None:
    good["inputs"] = {"b": parameter("nonsense"), "a": parameter({"id": "integer", "lt": "x"})}
    good["configuration"]["resources"]["gpus"] = -1
    good["name"] = "x"
    assert [(problem.code, problem.path[-1]) for problem in problems_of(good)] == [
        ("C010", "name"),
        ("C025", "gpus"),
        ("C032", "type"),
        ("C002", "lt"),
    ]


def test_the_removed_type_wsi_is_an_image(good: dict[str, Any], codes_of: Codes) -> None:
    good["inputs"]["slide"] = parameter("wsi")
    assert codes_of(good) == set()
    assert codes_of(good, "warning") == {"C034"}


def test_both_spellings_of_doi_are_read(good: dict[str, Any]) -> None:
    good["external"] = {"doi": ["https://doi.org/1"], "dois": ["https://doi.org/2"]}
    document = cytomine.read(Source("descriptor.json", json.dumps(good), Path("/nowhere")))
    assert document.model.dois == ("https://doi.org/1", "https://doi.org/2")


def test_matching_is_transitive_and_declared_once(task_with: Callable[..., Task]) -> None:
    array = {"id": "array", "subtype": "integer"}
    link = {"type": array, "dependencies": {"matching": ["inputs/a"]}}
    task = task_with({"a": array, "lone": array}, {"b": link, "c": link})
    [group] = groups(task.document.model.links)
    assert set(group) == {("inputs", "a"), ("outputs", "b"), ("outputs", "c")}


def test_the_task_of_a_descriptor(task_with: Callable[..., Task]) -> None:
    inputs = {
        "z": {"type": {"id": "integer", "gt": 1, "leq": 9}, "default": 3.0, "display_name": "Zed"},
        "a": {"type": {"id": "datetime", "before": "2030-01-01T00:00:00+01:00"}, "optional": True},
        "n": {"id": "array", "subtype": {"id": "array", "subtype": {"id": "image", "formats": ["png"]}, "max_size": 2}},
    }
    task = task_with(
        inputs,
        {"o": {"type": "geometry", "optional": True}},
        namespace="org.example.my-lab.counter",
        version="1.2.0-rc.1+b7",
        configuration={"input_folder": "/data//in/", "resources": {"ram": "1.5Gi", "internet": True}},
    )
    assert (task.name, task.title, task.version) == ("counter", "Test task", "1.2.0-rc.1+b7")
    assert task.program == ContainerImage("org/example/my-lab/counter:1.2.0-rc.1_b7")
    assert (task.resources.memory, task.resources.cpus, task.resources.gpus) == (1_610_612_736, 1.0, 0)
    assert task.network is True
    z, a, n, outlines = task.inputs
    assert z.type == types.Integer(above=1, maximum=9)
    assert (z.default, type(z.default), z.title, z.location) == (3, int, "Zed", "/data/in/z")
    assert isinstance(a.type, types.Datetime)
    assert a.type.before is not None
    assert (a.type.before.hour, a.title, a.optional, a.default) == (23, "a", True, MISSING)
    assert n.type == types.Array(types.Array(types.Image(("png",)), max_size=2))
    assert (outlines.name, outlines.optional, outlines.location) == ("n.geojson", True, "/data/in/n/N.geojson")
    [output] = task.outputs
    assert (output.access, output.optional, output.location) == ("out", True, "/outputs/o")


def test_memory_that_is_not_asked_for_is_what_the_public_engine_gives(task_with: Callable[..., Task]) -> None:
    assert task_with(configuration={}).resources.memory == 4 * 1024**3


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1kB", 1000),
        ("1MiB", 1048576),
        ("1GByte", 10**9),
        ("1kb", 125),
        ("1Mibit", 131072),
        ("1Gbit", 125_000_000),
        ("0B", 0),
        ("1.5MB", 1_500_000),
        ("1.5 MB", 1_500_000),
        ("1.5MiB", 1_572_864),
        ("0.5GiByte", 536_870_912),
        ("1Tbit", 125_000_000_000),
        ("2.25455 Kib", 289),
        ("100 Mi", 104_857_600),
        ("1Q", 10**30),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, bits=True)[0] == size


@pytest.mark.parametrize("text", ["1XYZ", "123", "GByte", "1.5.5GB", "1 K B", "", "-1Mi", "01Mi", "1e3Mi", "800m"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text, bits=True)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("descriptor.yml", "name: [", True),
        ("sub/descriptor.yaml", "name: x\ninputs: {}\n", True),
        ("other.yml", "name: [", False),
        ("tool.cwl.yml", "cwlVersion: v1.2\nclass: CommandLineTool\ninputs: {}\noutputs: {}\n$schema: x", False),
        ("action.yml", "name: x\nversion: 1\nauthors: y\ninputs: {}\noutputs: {}\nruns: {}", False),
        ("task.json", '{"namespace": "a.b", "version": "1.0.0", "configuration": {}, "outputs": {}}', True),
        ("list.yml", "- 1", False),
    ],
)
def test_what_looks_like_a_descriptor(name: str, text: str, expected: bool) -> None:
    assert cytomine.detect(Source(name, text, Path("/nowhere"))) is expected
