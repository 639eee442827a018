"""What tests of the Cytomine contract share: the corpus, a good descriptor, ways from data to problems and calls."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from trivet.contracts import cytomine
from trivet.contracts.source import Source
from trivet.tasks.call import Call, bind
from trivet.tasks.problem import Problem
from trivet.tasks.task import Task

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/cytomine"

GOOD: dict[str, Any] = {
    "$schema": "https://cytomine.com/schema-store/tasks/task.v0.json",
    "name": "Test task",
    "name_short": "test",
    "namespace": "com.example.test",
    "version": "1.0.0",
    "authors": [
        {"first_name": "Ada", "last_name": "Lovelace", "organization": "Analytical Engines", "email": "ada@example.com"}
    ],
    "configuration": {
        "input_folder": "/inputs",
        "output_folder": "/outputs",
        "resources": {"ram": "1Gi", "cpus": 2, "gpus": 0, "internet": False},
    },
    "inputs": {},
    "outputs": {},
}


def examples(few: int) -> int:
    """How many examples a fuzzing test tries: so many, or at full size (make test-full) ten thousand."""
    return 10_000 if os.environ.get("TRIVET_TEST_FULL") else few


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of public descriptors is not on this machine")
    return CORPUS


@pytest.fixture(scope="session")
def schema(corpus: Path) -> jsonschema_rs.Draft7Validator:
    """The public schema, without the comments and references it has by mistake where properties are declared."""

    def cleaned(node: Any) -> Any:
        if isinstance(node, list):
            return [cleaned(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = {key: cleaned(value) for key, value in node.items()}
        if isinstance(node.get("properties"), dict):
            node["properties"] = {key: value for key, value in node["properties"].items() if isinstance(value, dict)}
        return node

    text = (corpus / "schema/task.v0.json").read_text()
    return jsonschema_rs.Draft7Validator(cleaned(json.loads(text)), validate_formats=False)


@pytest.fixture
def good() -> dict[str, Any]:
    """A descriptor without a fault, to be spoilt."""
    return copy.deepcopy(GOOD)


@pytest.fixture(scope="session")
def problems_of() -> Callable[[Any], list[Problem]]:
    """Every problem of a descriptor given as data."""

    def problems(data: Any) -> list[Problem]:
        source = Source("descriptor.json", json.dumps(data), Path("/nowhere"))
        return list(cytomine.check(cytomine.read(source)))

    return problems


@pytest.fixture(scope="session")
def codes_of(problems_of: Callable[[Any], list[Problem]]) -> Callable[..., set[str]]:
    """The codes of the errors (or of another severity) of a descriptor given as data."""
    return lambda data, severity="error": {p.code for p in problems_of(data) if p.severity == severity}


@pytest.fixture(scope="session")
def task_with() -> Callable[..., Task]:
    """A good task with these parameters, and more fields of the descriptor; a type alone stands for a parameter."""

    def parameter(name: str, spec: Any) -> dict[str, Any]:
        whole = isinstance(spec, dict) and "type" in spec
        return {"description": name, **(spec if whole else {"type": spec})}

    def make(inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None, **more: Any) -> Task:
        data = copy.deepcopy(GOOD) | more
        for side, parameters in (("inputs", inputs or {}), ("outputs", outputs or {})):
            data[side] = {name: parameter(name, spec) for name, spec in parameters.items()}
        document = cytomine.read(Source("descriptor.json", json.dumps(data), Path("/nowhere")))
        assert [problem for problem in cytomine.check(document) if problem.severity == "error"] == []
        return cytomine.tasks(document)[0]

    return make


@pytest.fixture(scope="session")
def call_with(task_with: Callable[..., Task]) -> Callable[..., Call]:
    """A call of such a task."""

    def make(
        values: dict[str, Any], inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None, **more: Any
    ) -> Call:
        return bind(task_with(inputs, outputs, **more), values)

    return make
