"""The public contract's vectors for URLs, images, outputs and their merging."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.datasets import changes, images, urls
from trivet.tasks.problem import Problem, has_errors

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/fractal"
ERROR = {"error": True}


def vectors(name: str) -> list[Any]:
    path = CORPUS / f"{name}.json"
    if not path.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {path}"))]
    found = json.loads(path.read_text())["vectors"]
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


OPERATIONS = {
    "normalize_url": lambda vector: refused_or(urls.normalize_url, vector["input"]),
    "validate_zarr_url": lambda vector: refused_or(urls.normalize_url, vector["input"]),
    "url_is_relative_to": lambda vector: urls.is_within(vector["url"], vector["base"]),
    "url_join": lambda vector: urls.join_url(vector["base"], *vector["parts"]),
    "validate_image": validate_image,
    "validate_output": validate_output,
    "merge_outputs": merge_outputs,
}


@pytest.mark.parametrize("vector", [*vectors("urls"), *vectors("image_models"), *vectors("merging")])
def test_vector(vector: Any) -> None:
    answer = OPERATIONS[vector["op"]](vector)
    # Text, so that 1, 1.0 and true are told apart.
    assert json.dumps(answer, sort_keys=True) == json.dumps(vector["expected"], sort_keys=True)
