"""Whatever is in a descriptor or an output folder: no traceback, and nothing is written outside the run's directory."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trivet.contracts import cytomine
from trivet.contracts.cytomine.describing import markdown
from trivet.contracts.source import Source
from trivet.tasks import types
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import Task
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value, file_refs
from trivet.tasks.work import AttemptDirectory, Outcome, Unit

from .conftest import CORPUS, GOOD, examples

NOWHERE = Path("/nowhere")
UNIT = Unit("0")


def parameter(kind: Any, **more: Any) -> dict[str, Any]:
    return {"display_name": "X", "description": "x", "type": kind, **more}


INPUTS = {
    "count": parameter({"id": "integer", "gt": 1, "leq": 9}, default=3),
    "ratio": parameter({"id": "number", "geq": 0.5, "infinity_allowed": True}),
    "text": parameter({"id": "string", "min_length": 1, "max_length": 5}),
    "choice": parameter({"id": "enumeration", "values": ["a", "b"]}, default="a", optional=True),
    "when": parameter({"id": "datetime", "before": "2030-01-01T00:00:00Z"}, optional=True),
    "region": parameter("geometry", optional=True),
    "slides": parameter({"id": "array", "subtype": {"id": "image", "formats": ["png"]}, "min_size": 1}),
}
OUTPUTS = {
    "areas": parameter({"id": "array", "subtype": "number"}, dependencies={"derived_from": "inputs/slides"}),
    "mask": parameter("image", optional=True),
    "outlines": parameter(
        {"id": "array", "subtype": "geometry"}, dependencies={"matching": ["outputs/areas"]}, optional=True
    ),
    "note": parameter({"id": "file", "formats": ["text"], "max_file_size": "1Ki"}, optional=True),
    "yes": parameter("boolean", optional=True),
}
SEED = {**GOOD, "inputs": INPUTS, "outputs": OUTPUTS}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 500)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["", "integer", "array", "image", "1Gi", "/", "../x", "/inputs", "inputs/count", "2024-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "values", "subtype", "../a", "a/b", "description", ".."]), inner
        )
    ),
    max_leaves=6,
)


@cache
def seeds() -> list[Any]:
    """Descriptors to be spoilt: one of ours with everything in it, and those of the corpus where it is there."""
    paths = sorted((CORPUS / "descriptors").rglob("*.yml")) if CORPUS.is_dir() else []
    return [SEED, SEED, *(yaml.safe_load(path.read_text()) for path in paths)]


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A descriptor with up to three values replaced, removed or added."""
    data: Any = copy.deepcopy(draw(st.sampled_from(seeds())))
    for _ in range(draw(st.integers(0, 3))):
        known = places(data)[1:]
        if not known:
            break
        *parents, last = draw(st.sampled_from(known))
        node = data
        for step in parents:
            node = node[step]
        change = draw(st.integers(0, 3))
        if change == 0:
            del node[last]
        elif change == 1 and isinstance(node, dict):
            node[draw(st.sampled_from(["../evil", "a/b", "", "count", "COUNT", "x" * 300]))] = copy.deepcopy(node[last])
        else:
            node[last] = draw(JUNK)
    return data


def fitting(kind: ValueType, photo: Path) -> Value:
    """Some value of a type, as far as a simple one fits its constraints."""
    match kind:
        case types.Boolean():
            return True
        case types.Integer() | types.Number():
            bounds = [b for b in (kind.minimum, kind.maximum, kind.above, kind.below) if b is not None]
            near = [value for bound in bounds for value in (bound, bound + 1, bound - 1)]
            return next((value for value in (*near, 0) if not any(kind.faults(value))), 0)
        case types.String():
            return "x" * max(kind.min_length, 1)
        case types.Enumeration():
            return kind.values[0]
        case types.Datetime():
            return (kind.after or kind.before).isoformat() if kind.after or kind.before else "2024-01-01T00:00:00Z"
        case types.Geometry():
            return {"type": "Point", "coordinates": [1, 2]}
        case types.Array():
            return [fitting(kind.of, photo)] * min(max(kind.min_size, 1), 3)
        case _:
            return FileRef(str(photo))


@pytest.fixture(scope="module")
def fenced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a photo, a secret, and a run's directory; only the last may ever change."""
    place = tmp_path_factory.mktemp("fenced")
    Image.new("RGB", (6, 4)).save(place / "photo.png")
    (place / "secret").write_text("size: 1")
    return place


def unchanged(fenced: Path) -> bool:
    outside = sorted(path.name for path in fenced.iterdir())
    return outside in (["photo.png", "secret"], ["photo.png", "run", "secret"])


@given(data=spoilt())
@settings(max_examples=examples(500), deadline=None)
def test_a_spoilt_descriptor(schema: jsonschema_rs.Draft7Validator, fenced: Path, data: Any) -> None:
    source = Source("descriptor.json", json.dumps(data), NOWHERE)
    document = cytomine.read(source)
    problems = source.place(cytomine.check(document))
    assert all(problem.message and problem.file for problem in problems)
    if any(problem.severity == "error" for problem in problems):
        return
    if not any(problem.code == "C034" for problem in problems):  # `wsi`, which the last form of the schema lacks
        assert schema.is_valid(source.data)
    markdown(document.model)
    [task] = cytomine.tasks(document)
    started(task, fenced)


def started(task: Task, fenced: Path) -> None:
    """The task on values that fit, as far as it goes without its program."""
    values = {port.name: fitting(port.type, fenced / "photo.png") for port in task.inputs}
    where = AttemptDirectory("r/0/1", fenced / "run/work/0/1")
    try:
        call = bind(task, values)
        if cytomine.refusals(call):
            return
        invocation = cytomine.stage(call, UNIT, where)
        assert {mount.writable for mount in invocation.mounts[:2]} == {False, True}
        assert not cytomine.collect(call, UNIT, where, Outcome(1)).ok
        cytomine.collect(call, UNIT, where, Outcome(0))
        assert unchanged(fenced)
    except ProblemsError:
        return
    finally:
        shutil.rmtree(fenced / "run", ignore_errors=True)


@given(changes=st.lists(st.tuples(st.integers(0, 3000), st.text(max_size=4), st.integers(0, 40)), max_size=5))
@settings(max_examples=examples(500), deadline=None)
def test_a_spoilt_text(changes: list[tuple[int, str, int]]) -> None:
    text = yaml.safe_dump(SEED, sort_keys=False)
    for place, inserted, removed in changes:
        at = place % (len(text) + 1)
        text = text[:at] + inserted + text[at + removed :]
    source = Source("descriptor.yml", text, NOWHERE)
    cytomine.detect(source)
    assert isinstance(source.place(cytomine.check(cytomine.read(source))), list)


# Output folders

NAMES = ("a", "b", "c", "d", "e", "f")
KINDS = {
    "a": {"id": "array", "subtype": "integer"},
    "b": "string",
    "c": {"id": "image", "max_width": 9},
    "d": "geometry",
    "e": {"id": "array", "subtype": {"id": "array", "subtype": "image"}},
    "f": {"id": "file", "formats": ["text"], "max_file_size": "10B"},
}
DEEPER = ("a/array.yml", "a/0", "a/1", "a/x", "a/0/array.yml", "c/x.dcm", "e/array.yml", "e/0/array.yml", "e/0/0")
ENTRIES = st.sampled_from([*NAMES, *DEEPER, "e/0/0.geojson", "zzz", "a.txt", ".hidden", "f.txt"])
CONTENTS = st.sampled_from(
    [b"", b"1", b"size: 1", b"size: 2", b"{}", b"\x89PNG\r\n\x1a\n", b"\xff", b"[" * 99, b"PK\x03\x04"]
) | st.binary(max_size=50)
SPECIAL = st.sampled_from(["directory", "link", "link to a directory", "link to nothing", "pipe", "unreadable"])


@given(files=st.dictionaries(ENTRIES, CONTENTS | SPECIAL, max_size=10))
@settings(max_examples=examples(500), deadline=None)
def test_whatever_is_in_the_output_folder(
    files: dict[str, bytes | str], call_with: Callable[..., Any], fenced: Path
) -> None:
    place = AttemptDirectory("r/0/1", fenced / "run/work/0/1")
    call = call_with({}, None, KINDS)
    for name, content in files.items():
        path = place.make("outputs") / name
        if any(step.is_symlink() for step in (path, *path.parents)):
            continue  # the test itself must not write through a link
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path, content, fenced)
        except (FileExistsError, IsADirectoryError, NotADirectoryError, FileNotFoundError):
            continue
    try:
        result = cytomine.collect(call, UNIT, place, Outcome(0))
        errors = [problem for problem in result.problems if problem.severity == "error"]
        assert result.ok == (not errors) == (set(result.outputs) == set(NAMES))
        for reference in file_refs(dict(result.outputs)):
            path = Path(reference.path)
            assert path == path.resolve()
            assert path.is_relative_to(fenced / "run")
        assert unchanged(fenced)
    finally:
        for path in walk(place.root):
            path.chmod(0o700)
        shutil.rmtree(fenced / "run", ignore_errors=True)


def make(path: Path, content: bytes | str, fenced: Path) -> None:
    match content:
        case bytes():
            path.write_bytes(content)
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to(fenced / "secret")
        case "link to a directory":
            path.symlink_to(fenced)
        case "link to nothing":
            path.symlink_to(fenced / "nothing")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_bytes(b"1")
            path.chmod(0)


def walk(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            yield path
