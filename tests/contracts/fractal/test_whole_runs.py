"""The public contract's whole runs, played with the pure functions alone: filters, flow, outputs, judging, applying.

There is no engine here: a job is a loop of a few lines. What remains to a real one is starting programs and keeping
records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.naming import task_range
from trivet.contracts.fractal.outputs import read_parallelization
from trivet.datasets.changes import Changes, read_changes
from trivet.datasets.filters import matching, read_attribute_filters, read_type_filters
from trivet.datasets.flow import Step, type_flow
from trivet.datasets.imagelist import apply, default_update, indexed, judge
from trivet.datasets.images import Image, read_image, to_json
from trivet.datasets.statuses import STATUS, with_statuses, without_statuses

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/fractal/task_runs.json"
BROKEN = {"NAN": float("nan"), "NUL": "a\x00b"}


def vectors() -> list[Any]:
    if not CORPUS.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {CORPUS}"))]
    return [pytest.param(vector, id=vector["id"]) for vector in json.loads(CORPUS.read_text())["vectors"]]


class FailedError(Exception):
    """A process of a vector failed, or what it wrote can't be read."""


def output(reply: Any, url: str | None) -> Any:
    """What a process has written."""
    if reply in ("FAIL", "BADJSON"):
        raise FailedError
    if isinstance(reply, str) and reply in BROKEN:
        return {"image_list_updates": [{"zarr_url": url, "attributes": {"x": BROKEN[reply]}}]}
    return None if reply == "NOFILE" else reply


def play(step: Any, selected: list[str]) -> tuple[int, list[Changes | None]]:
    """The number of processes of one task, and what each unit wanted changed, None where it failed."""
    replies: Mapping[str, Any] = step.get("replies", {})

    def changes(reply: Any, url: str | None) -> Changes | None:
        try:
            return read_changes(output(reply, url), [])
        except FailedError:
            return None

    if step["type"].endswith("non_parallel"):
        return 1, [changes(step["reply"], selected[0] if selected else None)]
    if step["type"] == "parallel":
        return len(selected), [changes(replies.get(url, step.get("default")), url) for url in selected]
    try:
        items = read_parallelization(output(step["reply"], None), [])
    except FailedError:
        items = None
    if items is None:
        return 1, [None]
    found = [
        changes(replies.get(f"{url}#{item['init_args'].get('k')}", replies.get(url, step.get("default"))), url)
        for item in items
        for url in [item["zarr_url"]]
    ]
    return 1 + len(items), found or [Changes()]


def run_task(step: Any, selected: list[str], images: Mapping[str, Image], zarr_dir: str) -> tuple[Any, int, bool]:
    """The images after a task, its number of processes, and whether it went well."""
    calls, units = play(step, selected)
    good = [unit for unit in units if unit is not None]
    merged, refused = judge(images, good, zarr_dir)
    failed = len(good) < len(units) or bool(refused)
    if good and not any(good):
        each = (
            zip(selected, units, strict=True) if step["type"] == "parallel" else ((url, not failed) for url in selected)
        )
        merged = default_update(url for url, fine in each if fine is not None and fine is not False)
    return apply(images, merged, zarr_dir, step["output_types"]), calls, not failed


@pytest.mark.parametrize("vector", vectors())
def test_job(vector: Any) -> None:
    job, zarr_dir = vector["job"], vector["zarr_dir"]
    images: dict[str, Image] = indexed(read_image(image, []) or pytest.fail(str(image)) for image in vector["images"])
    types = read_type_filters(job.get("type_filters", {}), [])
    attributes = read_attribute_filters(job.get("attribute_filters", {}), [])
    assert types is not None
    assert attributes is not None
    first, last = task_range(len(vector["workflow"]), job.get("first_task_index"), job.get("last_task_index"))
    steps = vector["workflow"][first : last + 1]
    flows = type_flow((Step(step["input_types"], step["output_types"], step["type_filters"]) for step in steps), types)
    if STATUS in attributes and not steps[0]["type"].startswith("converter"):
        images = with_statuses(images, {})
    done, calls = True, []
    for step, flow in zip(steps, flows, strict=True):
        converter = step["type"].startswith("converter")
        chosen = [] if converter else [image.zarr_url for image in matching(images.values(), flow.wanted, attributes)]
        if not chosen and not converter:
            calls.append(0)
            done = False
            break
        images, number, done = run_task(step, chosen, images, zarr_dir)
        calls.append(number)
        if not done:
            break
    expected = vector["expected"]
    assert ("done" if done else "failed") == expected["job_status"]
    assert [to_json(image) for image in without_statuses(images).values()] == expected["images"]
    ran = [task["calls"] for task in expected["tasks"] if task["run_status"] is not None]
    assert calls == ran[-len(calls) :]
