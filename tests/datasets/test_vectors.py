"""The public contract's vectors for URLs, images, filters, outputs and their merging."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.datasets import changes, filters, flow, images, urls
from trivet.tasks.problem import Problem, has_errors

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/fractal"
ERROR = {"error": True}


def vectors(name: str) -> list[Any]:
    path = CORPUS / f"{name}.json"
    if not path.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {path}"))]
    document = json.loads(path.read_text())
    found = document["vectors"]
    for vector in found:
        if vector.get("images") == "@images":
            vector["images"] = document["images"]
    # What the first part of a compound task writes is the contract's business, and tested there.
    chosen = [vector for vector in found if vector["op"] in OPERATIONS and vector.get("kind") != "init_output"]
    return [pytest.param(vector, id=vector["id"]) for vector in chosen]


def refused_or(function: Any, *values: Any) -> Any:
    try:
        return function(*values)
    except ValueError:
        return ERROR


def validate_image(vector: Any) -> Any:
    problems: list[Problem] = []
    if vector["kind"] == "update":
        patch = images.read_patch(vector["input"], problems)
        if patch is None:
            return ERROR
        return {"zarr_url": patch.zarr_url, "attributes": patch.attributes, "types": patch.types}
    image = images.read_image(vector["input"], problems)
    assert (image is None) == has_errors(problems)
    return ERROR if image is None else images.to_json(image)


def validate_output(vector: Any) -> Any:
    problems: list[Problem] = []
    found = changes.read_changes(vector["input"], problems)
    assert (found is None) == has_errors(problems)
    if found is None:
        return ERROR
    twice = changes.contradictions(found)
    return {"not_unique": twice} if twice else found.to_json()


def merge_outputs(vector: Any) -> Any:
    merged = changes.merge(changes.read_changes(output, []) or pytest.fail(str(output)) for output in vector["outputs"])
    return {"updates": merged.to_json()["image_list_updates"], "removals_set": sorted(merged.removals)}


def listed(vector: Any) -> list[images.Image]:
    return [images.read_image(image, []) or pytest.fail(str(image)) for image in vector["images"]]


def chosen(vector: Any, query: Any) -> list[images.Image]:
    types = filters.read_type_filters(query.get("type_filters", {}), [])
    attributes = filters.read_attribute_filters(query.get("attribute_filters", {}), [])
    assert types is not None
    assert attributes is not None
    return filters.matching(listed(vector), types, attributes)


def validate_filters(vector: Any) -> bool:
    problems: list[Problem] = []
    found = filters.read_attribute_filters(vector["input"], problems)
    assert (found is None) == has_errors(problems)
    return found is not None


def flow_of(vector: Any) -> Any:
    flows = flow.type_flow(flow.Step(**step) for step in vector["workflow"])
    return [{"current": one.current, "input": one.input, "output": one.output} for one in flows]


OPERATIONS = {
    "filter_images": lambda vector: [image.zarr_url for image in chosen(vector, vector)],
    "validate_attribute_filters": validate_filters,
    "merge_type_filters": lambda vector: refused_or(
        flow.merge_type_filters, vector["task_input_types"], vector["wftask_type_filters"]
    ),
    "type_filters_flow": flow_of,
    "non_unique_types": lambda vector: filters.non_unique_types(chosen(vector, vector["query"])),
    "normalize_url": lambda vector: refused_or(urls.normalize_url, vector["input"]),
    "validate_zarr_url": lambda vector: refused_or(urls.normalize_url, vector["input"]),
    "url_is_relative_to": lambda vector: urls.is_within(vector["url"], vector["base"]),
    "url_join": lambda vector: urls.join_url(vector["base"], *vector["parts"]),
    "validate_image": validate_image,
    "validate_output": validate_output,
    "merge_outputs": merge_outputs,
}


@pytest.mark.parametrize(
    "vector", [vector for name in ("urls", "image_models", "merging", "filters") for vector in vectors(name)]
)
def test_vector(vector: Any) -> None:
    answer = OPERATIONS[vector["op"]](vector)
    if "expected_indices" in vector:
        vector["expected"] = [vector["images"][index]["zarr_url"] for index in vector["expected_indices"]]
    # Text, so that 1, 1.0 and true are told apart.
    assert json.dumps(answer, sort_keys=True) == json.dumps(vector["expected"], sort_keys=True)
