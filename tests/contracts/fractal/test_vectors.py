"""The public contract's vectors: manifests, names of units, parallelization lists, whole runs of one task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import fractal
from trivet.contracts.fractal.manifest import type_of
from trivet.contracts.fractal.outputs import deduplicated, read_parallelization
from trivet.contracts.fractal.units import unit_names
from trivet.datasets.changes import read_changes
from trivet.datasets.imagelist import apply, indexed
from trivet.datasets.images import read_image, to_json
from trivet.tasks.call import bind
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, has_errors
from trivet.tasks.states import Reason, RunState

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus"
ERROR = {"error": True}


def vectors(name: str, *operations: str, when: Callable[[Any], bool] = lambda vector: True) -> list[Any]:
    path = CORPUS / f"{name}.json"
    if not path.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {path}"))]
    found = json.loads(path.read_text())["vectors"]
    chosen = [vector for vector in found if (not operations or vector["op"] in operations) and when(vector)]
    return [pytest.param(vector, id=vector["id"]) for vector in chosen]


def acceptable(document: Document) -> bool:
    """What the public server answers: it takes version 2 only."""
    return document.kind == "manifest" and not has_errors(fractal.check(document))


@pytest.mark.parametrize("vector", vectors("fractal/manifests", "validate_manifest"))
def test_manifest(vector: Any, read: Callable[[Any], Document]) -> None:
    assert acceptable(read(vector["input"])) is vector["expected"]


@pytest.mark.parametrize("vector", vectors("fractal/manifests", "infer_task_type"))
def test_type_by_executables(vector: Any) -> None:
    assert type_of(vector["task"]) == vector["expected"]


REFUSED_BY_SERVERS = {"explicit_none", "authors_empty_list", "authors_not_a_string"}


@pytest.mark.parametrize(
    "vector", vectors("fractal_manifest/manifest_vectors", when=lambda vector: bool(vector.get("manifest")))
)
def test_manifests_of_the_public_tool(vector: Any, read: Callable[[Any], Document]) -> None:
    document = read(vector["manifest"])
    assert acceptable(document) is (vector["id"] not in REFUSED_BY_SERVERS)
    if acceptable(document):
        names = [entry["name"] for entry in vector["manifest"]["task_list"]]
        assert [task.name for task in fractal.tasks(document)] == names


@pytest.mark.parametrize("vector", vectors("fractal/names_versions", "unit_file_prefixes"))
def test_names_of_units(vector: Any) -> None:
    assert unit_names(vector["tot_tasks"], vector["batch_size"]) == vector["expected"]


@pytest.mark.parametrize("vector", vectors("fractal/merging", "deduplicate_parallelization_list"))
def test_parallelization_list(vector: Any) -> None:
    items = read_parallelization({"parallelization_list": vector["items"]}, [])
    assert items == vector["expected"]
    assert deduplicated(items or []) == vector["expected"]


@pytest.mark.parametrize(
    "vector", vectors("fractal/image_models", "validate_output", when=lambda vector: vector["kind"] == "init_output")
)
def test_output_of_the_first_part(vector: Any) -> None:
    problems: list[Problem] = []
    items = read_parallelization(vector["input"], problems)
    assert (ERROR if items is None else {"parallelization_list": items}) == vector["expected"]
    assert has_errors(problems) is (items is None)


@pytest.mark.parametrize("vector", vectors("fractal/image_models", "validate_wftask_args"))
def test_arguments_of_users(vector: Any, task_of: Any) -> None:
    task = task_of(executable_non_parallel="t.py", type="converter_non_parallel")
    taken = all(name not in ("zarr_url", "zarr_urls", "init_args") for name in vector["input"])
    problems = []
    if taken:
        bind(task, {"zarr_dir": "/zd", **{name: str(value) for name, value in vector["input"].items()}})
    else:
        with pytest.raises(ValueError) as error:
            bind(task, {"zarr_dir": "/zd", **vector["input"]})
        problems = error.value.problems  # type: ignore[attr-defined]
    assert (ERROR if problems else vector["input"]) == vector["expected"]


SCHEMA = {"type": "object", "properties": {}}
PARTS = {
    "non_parallel": ["non_parallel"],
    "parallel": ["parallel"],
    "compound": ["non_parallel", "parallel"],
    "converter_non_parallel": ["non_parallel"],
    "converter_compound": ["non_parallel", "parallel"],
}
REASONS = {
    "task_failed": Reason.EXIT_CODE,
    "invalid_output": Reason.INVALID_OUTPUT,
    "not_unique": Reason.INVALID_OUTPUT,
    "outside_zarr_dir": Reason.INVALID_OUTPUT,
}


def stands_alone(vector: Any) -> bool:
    """True when the run of the first task is all that happens, and no filters choose its images."""
    first = vector["workflow"][0]
    alone = len(vector["workflow"]) == 1 or vector["expected"]["tasks"][0]["run_status"] == "failed"
    return alone and not (first["input_types"] or first["type_filters"] or vector["job"])


@pytest.mark.parametrize("vector", vectors("fractal/task_runs", when=stands_alone))
def test_run_of_a_task(vector: Any, package: Any, stage: Any) -> None:
    """The first task of each job, without the job: its images are given to it, its changes applied to the list."""
    step = vector["workflow"][0]
    expected = vector["expected"]["tasks"][0]
    entry = {"name": "T", "type": step["type"], "output_types": step["output_types"]}
    for part in PARTS[step["type"]]:
        entry |= {f"executable_{part}": f"{part}.py", f"args_schema_{part}": SCHEMA}
    (task,) = fractal.tasks(package(entry))
    images = indexed(read_image(image, []) or pytest.fail(str(image)) for image in vector["images"])
    wanted = {"zarr_dir": vector["zarr_dir"], "zarr_urls": list(images), "zarr_url": list(images)}
    call = bind(task, {port.name: wanted[port.name] for port in task.inputs})

    def reply(unit: Any, arguments: Any) -> Any:
        if "zarr_url" not in arguments:
            return step["reply"]
        key = arguments["zarr_url"]
        init = arguments.get("init_args", {}).get("k")
        replies = step.get("replies", {})
        return replies.get(f"{key}#{init}", replies.get(key, step.get("default")))

    result = stage.play(call, reply)
    assert len(stage.results) == expected["calls"]
    assert result.state is (RunState.FINISHED if expected["run_status"] == "done" else RunState.FAILED)
    if vector["expected"]["error"] is not None:
        assert result.reason is REASONS[vector["expected"]["error"]]
    changes = read_changes(result.outputs["changes"], [])
    assert changes is not None
    after = apply(images, changes, vector["zarr_dir"], step["output_types"])
    assert [to_json(image) for image in after.values()] == vector["expected"]["images"]
