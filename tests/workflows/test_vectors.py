"""The public contract's whole runs, as real jobs: a dataset's directory, processes of this machine, files of units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.naming import task_range
from trivet.datasets.images import read_image, to_json
from trivet.tasks.states import RunState
from trivet.workflows import history, start
from trivet.workflows.workflow import Step

from . import players

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/fractal/task_runs.json"
STATES = {"done": RunState.FINISHED, "failed": RunState.FAILED}


def vectors() -> list[Any]:
    if not CORPUS.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {CORPUS}"))]
    return [pytest.param(vector, id=vector["id"]) for vector in json.loads(CORPUS.read_text())["vectors"]]


def made(folder: Path, number: int, described: Any) -> Step:
    """A step of a vector's workflow."""
    task = players.task(
        folder / str(number), described["type"], described["input_types"], described["output_types"], name=f"T{number}"
    )
    names = {port.name for port in task.inputs}
    values = {name: described[name] for name in ("reply", "replies", "default", "warn") if name in described}
    return players.step(task, described["type_filters"], **{name: values[name] for name in values if name in names})


@pytest.mark.parametrize("vector", vectors())
def test_job(vector: Any, tmp_path: Path) -> None:
    images = [read_image(image, []) or pytest.fail(str(image)) for image in vector["images"]]
    data = players.dataset(tmp_path, images, vector["zarr_dir"])
    steps = [made(tmp_path, number, described) for number, described in enumerate(vector["workflow"])]
    job = vector["job"]
    first, last = task_range(len(steps), job.get("first_task_index"), job.get("last_task_index"))
    filters = {name: job.get(name, {}) for name in ("type_filters", "attribute_filters")}
    asked = players.request(data, steps, first=first, last=last, **filters)
    directory = start.create(asked, tmp_path)
    result = start.drive(directory)
    expected = vector["expected"]
    assert result.state is STATES[expected["job_status"]]
    assert [to_json(image) for image in data.read().images.values()] == expected["images"]
    told = history.read(directory)
    for order, (task, found) in enumerate(zip(expected["tasks"], told.steps, strict=True)):
        folder = directory.path / f"{order}_t{order}"
        assert len(list(folder.glob("*-args.json"))) == task["calls"]
        if task["run_status"] is None:
            assert found.state == "unset"
        else:
            assert found.state == task["run_status"]
            assert found.warned == task["units_with_warnings"]
            all_or_nothing = "compound" in vector["workflow"][order]["type"] and found.failed
            counts = (0, found.units) if all_or_nothing else (found.done, found.failed)
            assert counts == (task["units"]["done"], task["units"]["failed"])
        statuses = history.statuses(data.path, "w", order, f"T{order}")
        listed = {image["zarr_url"]: statuses.get(image["zarr_url"], "unset") for image in expected["images"]}
        assert listed == task["image_status"]
