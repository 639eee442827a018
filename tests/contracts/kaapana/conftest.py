"""Small documents to build on, and the way from data to problems."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import kaapana
from trivet.contracts.source import Source
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/kaapana"


@pytest.fixture
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of public documents (../shared/corpus/kaapana) is not here")
    return CORPUS


@pytest.fixture
def template() -> Callable[..., dict[str, Any]]:
    """A good template with one input, one output, no variables; keywords replace fields."""

    def make(**fields: Any) -> dict[str, Any]:
        plain = {
            "identifier": "convert",
            "description": "Converts",
            "inputs": [{"name": "dicom", "mounted_path": "/data/in"}],
            "outputs": [{"name": "nrrd", "mounted_path": "/data/out"}],
            "env": [],
        }
        return plain | fields

    return make


@pytest.fixture
def container(template: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A good container of one template; keywords replace the template's fields."""

    def make(**fields: Any) -> dict[str, Any]:
        return {"name": "tools", "description": "Tools", "templates": [template(**fields)]}

    return make


@pytest.fixture
def task() -> Callable[..., dict[str, Any]]:
    """A good task.json for that container; keywords replace fields."""

    def make(**fields: Any) -> dict[str, Any]:
        plain = {
            "name": "my-task",
            "image": "tools:1",
            "taskTemplate": "convert",
            "inputs": [{"name": "dicom", "volume_source": {"host_path": "scans"}}],
            "outputs": [{"name": "nrrd", "volume_source": {"host_path": "/results/nrrd"}}],
        }
        return plain | fields

    return make


@pytest.fixture
def read() -> Callable[..., Document]:
    """The document of some data, with the data of a container file attached."""

    def make(data: Any, attached: Any = None, custom: Any = None, image: str | None = None) -> Document:
        text = data if isinstance(data, str) else json.dumps(data, indent=1)
        attachments = {} if attached is None else {kaapana.CONTAINER_FILE: json.dumps(attached)}
        if custom is not None:
            attachments["templating.json"] = json.dumps({"custom": custom})
        return kaapana.read(Source("document.json", text, Path("/base"), attachments, image))

    return make


@pytest.fixture
def problems(read: Callable[..., Document]) -> Callable[..., list[Problem]]:
    """All problems of some data."""

    def check(data: Any, attached: Any = None, custom: Any = None) -> list[Problem]:
        return list(kaapana.check(read(data, attached, custom)))

    return check


@pytest.fixture
def found(problems: Callable[..., list[Problem]]) -> Callable[..., dict[str, tuple[Any, ...]]]:
    """Codes of all problems with their paths; a code found twice fails."""

    def check(data: Any, attached: Any = None) -> dict[str, tuple[Any, ...]]:
        result: dict[str, tuple[Any, ...]] = {}
        for problem in problems(data, attached):
            assert problem.code not in result, problem
            result[problem.code] = problem.path
        return result

    return check
