"""Tasks of version 1 as steps on a dataset: a job of a few lines, without engine, driver or records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import fractal
from trivet.contracts.fractal.applying import Applied
from trivet.contracts.fractal.v1.images import CURRENT
from trivet.contracts.source import Source
from trivet.datasets.images import Image
from trivet.tasks.call import bind
from trivet.tasks.states import Reason
from trivet.tasks.task import Task
from trivet.tasks.work import UnitResult

HOME = "/data"
WELLS = [f"p.zarr/B/{column}" for column in ("03", "04")]
LISTS = {"plate": ["p.zarr"], "well": WELLS, "image": [f"{well}/{field}" for well in WELLS for field in (0, 1)]}


def task_of(level: str | None = None) -> Task:
    meta = {"parallelization_level": level} if level else {}
    entry = {"name": "T", "executable": "t.py", "input_type": "zarr", "output_type": "zarr", "meta": meta}
    text = json.dumps({"manifest_version": "1", "task_list": [entry]})
    (task,) = fractal.tasks(fractal.read(Source("__FRACTAL_MANIFEST__.json", text, Path("/nowhere"))))
    return task


class Dataset:
    """An image list and metadata, moved on by steps."""

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}
        self.metadata: Mapping[str, Any] = {}
        self.calls: list[Mapping[str, Any]] = []

    def step(self, task: Task, *said: Any, types: Any = None, attributes: Any = None, **values: Any) -> Applied:
        """Play a step; ``said`` is what its units say in order, False for one that fails."""
        urls = fractal.select(task, self.images, types or {}, attributes or {})
        call = bind(task, {**fractal.given(task, urls, self.images, HOME, self.metadata), **values})
        self.calls.append(call.values)
        results = []
        for number, unit in enumerate(fractal.plan(call, 0, []) or ()):
            answer = said[number] if number < len(said) else None
            reason = Reason.EXIT_CODE if answer is False else None
            results.append(UnitResult(unit.name, reason, outputs={"metadata": answer} if answer else {}))
        applied = fractal.apply(call, results, self.images, HOME)
        self.images = applied.images
        self.metadata = self.metadata if applied.metadata is None else applied.metadata
        return applied


@pytest.fixture
def plate() -> Dataset:
    dataset = Dataset()
    dataset.step(task_of(), LISTS, input_paths=["/raw"])
    return dataset


def test_a_task_that_lists_images_makes_them(plate: Dataset) -> None:
    assert plate.calls[0]["input_paths"] == ["/raw"]
    assert list(plate.images) == [f"{HOME}/{image}" for image in LISTS["image"]]
    assert plate.images[f"{HOME}/p.zarr/B/04/1"].attributes == {"plate": "p.zarr", "well": "B04"}
    assert plate.metadata == LISTS


@pytest.mark.parametrize(
    ("level", "components"), [("image", [LISTS["image"][2]]), ("well", ["p.zarr/B/04"]), ("plate", ["p.zarr"])]
)
def test_components_are_those_of_the_chosen_images(plate: Dataset, level: str, components: list[str]) -> None:
    url = f"{HOME}/{LISTS['image'][2]}"
    plate.images[url] = Image(url, None, {"field": "good"})
    plate.step(task_of(level), attributes={"field": ["good"]})
    assert plate.calls[-1]["component"] == components
    assert plate.calls[-1]["input_paths"] == [HOME]
    assert plate.calls[-1]["output_path"] == HOME


def test_a_level_of_its_own_takes_its_list(plate: Dataset) -> None:
    plate.metadata = {**LISTS, "something": ["one"]}
    task = task_of("something")
    assert not fractal.takes_images(task)
    plate.step(task)
    assert "component" not in plate.calls[-1]


def test_a_copied_plate_is_what_the_next_task_works_on(plate: Dataset) -> None:
    copied = {level: [name.replace("p.zarr", "p_mip.zarr") for name in names] for level, names in LISTS.items()}
    plate.step(task_of(), {**copied, "copy_ome_zarr": {"suffix": "mip", "sources": {"p_mip": f"{HOME}/p.zarr"}}})
    assert len(plate.images) == 8
    assert plate.images[f"{HOME}/p_mip.zarr/B/04/1"].origin == f"{HOME}/p.zarr/B/04/1"
    assert plate.images[f"{HOME}/p.zarr/B/04/1"].types == {CURRENT: False}
    plate.step(task_of("image"))
    assert plate.calls[-1]["component"] == copied["image"]
    assert fractal.select(task_of("well"), plate.images, {}, {"plate": ["p.zarr"]}) == []


def test_a_dataset_of_version_2_is_described_by_its_images() -> None:
    dataset = Dataset()
    dataset.images = {f"{HOME}/{image}": Image(f"{HOME}/{image}") for image in LISTS["image"]}
    dataset.step(task_of("well"))
    assert dataset.calls[0]["metadata"] == LISTS
    assert dataset.metadata == LISTS
    assert not any(image.types for image in dataset.images.values())


def test_nothing_of_a_step_that_failed_counts(plate: Dataset) -> None:
    before = dict(plate.images)
    applied = plate.step(task_of(), False)
    assert not applied.results[0].ok
    applied = plate.step(task_of("image"), {"a": 1}, False, **{"gather-parallel-output": True})
    assert (plate.images, plate.metadata, applied.metadata) == (before, LISTS, None)


def test_what_parallel_units_say_is_gathered_where_that_is_wanted(plate: Dataset) -> None:
    plate.step(task_of("well"), {"cells": 1}, {"cells": 2})
    assert plate.metadata == LISTS
    plate.step(task_of("well"), {"cells": 1}, {"cells": 2}, **{"gather-parallel-output": True})
    assert plate.metadata == {**LISTS, "cells": [1, 2]}


@pytest.mark.parametrize("listed", [["../q.zarr/B/03/0"], "q.zarr", [3]])
def test_a_list_of_images_that_can_be_none_refuses_the_unit(plate: Dataset, listed: Any) -> None:
    before = dict(plate.images)
    applied = plate.step(task_of(), {"image": listed})
    assert list(applied.refused) == ["non_par"]
    assert applied.results[0].reason is Reason.INVALID_OUTPUT
    assert (plate.images, plate.metadata) == (before, LISTS)


def test_applying_twice_is_applying_once(plate: Dataset) -> None:
    call = bind(task_of(), fractal.given(task_of(), [], plate.images, HOME, plate.metadata))
    results = [UnitResult("non_par", outputs={"metadata": {"image": ["q.zarr/B/03/0"]}})]
    once = fractal.apply(call, results, plate.images, HOME)
    assert fractal.apply(call, results, once.images, HOME).images == once.images
