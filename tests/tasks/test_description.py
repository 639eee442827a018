"""The shape of a task that `trivet show --json` promises: every key, spelled out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from trivet.tasks.description import port_data, task_data, type_data
from trivet.tasks.document import Document
from trivet.tasks.task import ContainerImage, Environment, Port, Resources, Task
from trivet.tasks.types import Array, Datetime, Enumeration, File, Integer, Json, Number
from trivet.tasks.values import FileRef


def test_a_task_with_everything() -> None:
    task = Task(
        contract="cytomine",
        name="count",
        inputs=(Port("n", Integer(minimum=1), description="d", title="t", default=5, location="/inputs/n"),),
        outputs=(Port("x", File(("PNG",)), access="out", optional=True),),
        program=ContainerImage("count:1", "/b.zip", "sha256:0", "count.tar"),
        document=Document("cytomine", "descriptor", {}, "/", "b.zip/descriptor.yml"),
        resources=Resources(1.5, 2**30, 1),
        title="Count",
        description="Counts.",
        namespace="org.count",
        version="1.0",
        command=("run", "me"),
        network=True,
        repeats="n",
        open_inputs=True,
    )
    assert task_data(task) == {
        "contract": "cytomine",
        "kind": "descriptor",
        "file": "b.zip/descriptor.yml",
        "name": "count",
        "namespace": "org.count",
        "version": "1.0",
        "title": "Count",
        "description": "Counts.",
        "program": {
            "kind": "image",
            "reference": "count:1",
            "archive": "/b.zip",
            "member": "count.tar",
            "digest": "sha256:0",
        },
        "command": ["run", "me"],
        "resources": {"cpus": 1.5, "memory": 1073741824, "gpus": 1},
        "network": True,
        "repeats": "n",
        "open_inputs": True,
        "inputs": [
            {
                "name": "n",
                "type": {"name": "integer", "minimum": 1},
                "access": "in",
                "title": "t",
                "description": "d",
                "required": False,
                "optional": False,
                "adjustable": True,
                "location": "/inputs/n",
                "default": 5,
            }
        ],
        "outputs": [
            {
                "name": "x",
                "type": {"name": "file", "formats": ["PNG"]},
                "access": "out",
                "title": "",
                "description": "",
                "required": False,
                "optional": True,
                "adjustable": True,
                "location": "",
            }
        ],
    }
    json.dumps(task_data(task), allow_nan=False)


def test_a_program_of_this_machine() -> None:
    task = Task("fractal", "t", (), (), Environment("/env", {"p": "1"}), Document("fractal", "manifest", {}, "/", "x"))
    assert task_data(task)["program"] == {"kind": "environment", "prefix": "/env", "versions": {"p": "1"}}


def test_no_default_and_a_default_of_null_differ() -> None:
    assert "default" not in port_data(Port("n", Integer()))
    assert port_data(Port("n", Integer(), default=None))["default"] is None
    assert port_data(Port("n", File(), default=FileRef("/x")))["default"] == {"$file": "/x"}


def test_types_with_their_constraints() -> None:
    noon = datetime(2024, 2, 23, 12, tzinfo=UTC)
    assert type_data(Array(Enumeration(("a", 1)), 2)) == {
        "name": "array",
        "of": {"name": "enumeration", "values": ["a", 1]},
        "min_size": 2,
    }
    assert type_data(Datetime(after=noon)) == {"name": "datetime", "after": "2024-02-23T12:00:00+00:00"}
    assert type_data(Json({"type": "object"})) == {"name": "json", "schema": {"type": "object"}}
    assert type_data(Number(maximum=float("inf"))) == {"name": "number", "maximum": {"$number": "inf"}}


def test_every_key_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/reference/task.md").read_text()
    port = Port("n", Integer(), default=1)
    task = Task("fractal", "t", (port,), (), Environment(), Document("fractal", "manifest", {}, "/", "x"))
    for key in (*task_data(task), *port_data(port)):
        assert f"`{key}`" in page
