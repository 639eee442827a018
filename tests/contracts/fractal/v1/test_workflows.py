"""Tasks of version 1 in workflow files: what their sources mean, and what is read of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.v1.workflows import TaskSource, read_source
from trivet.contracts.fractal.workflows import Entry, WorkflowFile, parse, to_json
from trivet.contracts.source import Source

COPY = "pip_remote:fractal_tasks_core:0.10.0:fractal-tasks::convert_yokogawa_to_ome-zarr"  # the legacy guide's


def read(*tasks: Any) -> tuple[WorkflowFile | None, list[tuple[str, Any]]]:
    text = json.dumps({"name": "W", "task_list": list(tasks)})
    workflow, problems = parse(Source("w.json", text, Path("/nowhere")))
    return workflow, [(problem.code, problem.path[2:]) for problem in problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (COPY, ("fractal_tasks_core", "0.10.0", "convert_yokogawa_to_ome-zarr")),
        ("pip_remote:fractal_tasks_core:0.14.3::a", ("fractal_tasks_core", "0.14.3", "a")),
        ("pip_local:my_tasks:1.0:gpu,x:py3.9::a", ("my_tasks", "1.0", "a")),
        ("pip_remote:my_tasks:1.0::py3.9::a", ("my_tasks", "1.0", "a")),
        ("my_custom_task", (None, None, None)),
        ("pip_remote:x:1.0", (None, None, None)),
        ("pip_remote:::a", (None, None, None)),
    ],
)
def test_sources_in_their_parts(text: str, expected: Any) -> None:
    assert read_source(text) == TaskSource(text, *expected)


def test_a_task_is_meant_by_its_short_name_or_by_its_own_source() -> None:
    source = read_source(COPY)
    assert source.is_of("Convert Yokogawa to OME-Zarr", None)
    assert source.is_of("anything", COPY)
    assert not source.is_of("Convert", None)
    assert not read_source("mine").is_of("mine", None)
    assert read_source("mine").is_of("My Task", "mine")


def test_an_entry_of_version_1() -> None:
    task = {"source": COPY, "name": "Convert Yokogawa to OME-Zarr", "input_type": "zarr"}
    workflow, problems = read({"order": 0, "meta": {"mem": 1}, "args": {"input_paths": ["/in"], " a": 2}, "task": task})
    assert problems == [("W003", ("task", "name")), ("W003", ("task", "input_type"))]  # warnings
    assert workflow is not None
    name = "convert_yokogawa_to_ome-zarr"
    args, meta = {"parallel": {"input_paths": ["/in"], "a": 2}}, {"parallel": {"mem": 1}}
    assert workflow.entries == (Entry("fractal_tasks_core", "0.10.0", name, args, meta, source=COPY),)
    written = {"meta": {"mem": 1}, "args": {"input_paths": ["/in"], "a": 2}, "task": {"source": COPY}}
    assert to_json(workflow)["task_list"] == [written]


@pytest.mark.parametrize(
    ("entry", "code", "path"),
    [
        ({"args": {"metadata": {}}, "task": {"source": COPY}}, "W008", ("args", "metadata")),
        ({"args": {"component": "x"}, "task": {"source": COPY}}, "W008", ("args", "component")),
        ({"args": [], "task": {"source": COPY}}, "W002", ("args",)),
        ({"arguments": {}, "task": {"source": COPY}}, "W003", ("arguments",)),
        ({"task": {"source": 1}}, "W002", ("task", "source")),
        ({"task": {"source": "pip_remote:x:1"}}, "W005", ("task", "source")),
    ],
)
def test_faults_are_named_and_placed(entry: Any, code: str, path: Any) -> None:
    assert read(entry) == (None, [(code, path)])
