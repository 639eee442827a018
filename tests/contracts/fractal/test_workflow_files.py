"""Workflow files: the forms that are read, the one that is written, and what is wrong with the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import contract, detect, examine
from trivet.contracts.fractal.workflows import WorkflowFile, parse, to_json
from trivet.contracts.source import Source
from trivet.tasks.problem import Problem

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/fractal"
TASK = {"pkg_name": "fractal-tasks-core", "version": "2.1.0", "name": "Threshold Segmentation"}
EXPORTED = {
    "name": "W",
    "description": None,
    "task_list": [
        {
            "meta_non_parallel": None,
            "meta_parallel": {"cpus_per_task": 1, "mem": 4000},
            "args_non_parallel": None,
            "args_parallel": {"level": 1},
            "type_filters": {"is_3D": True},
            "description": None,
            "alias": None,
            "task": TASK,
        }
    ],
}
"""As the public server writes it."""


def read(data: Any) -> tuple[WorkflowFile | None, list[Problem]]:
    return parse(Source("w.json", data if isinstance(data, str) else json.dumps(data, indent=1), Path("/nowhere")))


def written(data: Any) -> Any:
    workflow, problems = read(data)
    assert workflow is not None, problems
    return to_json(workflow)


def refused(data: Any) -> list[tuple[str, tuple[str | int, ...]]]:
    workflow, problems = read(data)
    assert workflow is None
    return [(problem.code, problem.path) for problem in problems if problem.severity == "error"]


def entry(**more: Any) -> dict[str, Any]:
    return {"name": "W", "task_list": [{"task": TASK, **more}]}


def test_what_the_server_exports_is_written_to_the_letter() -> None:
    text = json.dumps(EXPORTED)
    assert json.dumps(written(text)) == text


def test_what_is_absent_becomes_what_the_server_writes_for_it() -> None:
    assert written(entry()) == {
        "name": "W",
        "description": None,
        "task_list": [
            {
                "meta_non_parallel": None,
                "meta_parallel": None,
                "args_non_parallel": None,
                "args_parallel": None,
                "type_filters": {},
                "description": None,
                "alias": None,
                "task": TASK,
            }
        ],
    }


def test_templates_wrap_a_workflow_and_stay_templates() -> None:
    template = {"name": "T", "version": 3, "description": "For nuclei", "data": EXPORTED}
    assert json.dumps(written(template)) == json.dumps(template)


def test_problems_of_a_template_lead_into_it() -> None:
    inner = entry(args_parallel={"zarr_url": "/x"})
    assert refused({"name": "T", "version": 1, "data": inner}) == [
        ("W008", ("data", "task_list", 0, "args_parallel", "zarr_url"))
    ]


def test_empty_arguments_are_none_and_names_lose_their_blanks() -> None:
    [task] = written(entry(args_parallel={}, args_non_parallel={" a ": None}))["task_list"]
    assert (task["args_parallel"], task["args_non_parallel"]) == (None, {"a": None})


def test_the_older_form_of_filters_becomes_that_of_today() -> None:
    [task] = written(entry(input_filters={"attributes": {}, "types": {"is_3D": False}}))["task_list"]
    assert task["type_filters"] == {"is_3D": False}
    assert "input_filters" not in task


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"input_filters": {"attributes": {"plate": "p"}, "types": {}}}, "W009", ("input_filters", "attributes")),
        ({"input_filters": {"attributes": {}, "types": {}}, "type_filters": {}}, "W009", ("input_filters",)),
        ({"input_filters": {"attributes": {}, "kinds": {}}}, "W003", ("input_filters", "kinds")),
        ({"input_filters": {"types": {"is_3D": "perhaps"}}}, "F107", ("input_filters", "types", "is_3D")),
        ({"type_filters": {"is_3D": None}}, "F107", ("type_filters", "is_3D")),
        ({"args_parallel": {"init_args": {}}}, "W008", ("args_parallel", "init_args")),
        ({"args_parallel": {" zarr_urls": []}}, "W008", ("args_parallel", " zarr_urls")),
        ({"args_non_parallel": {"a": 1, " a": 2}}, "W007", ("args_non_parallel", " a")),
        ({"args_non_parallel": {" ": 1}}, "W007", ("args_non_parallel", " ")),
        ({"args_parallel": [1]}, "W002", ("args_parallel",)),
        ({"meta": {"mem": 1}}, "W003", ("meta",)),
        ({"alias": 5}, "W002", ("alias",)),
        ({"arg_parallel": {}}, "W003", ("arg_parallel",)),
        ({"task": {"source": "pip_remote:x:1.0"}}, "W005", ("task", "source")),
        ({"task": {**TASK, "id": 7}}, "W003", ("task", "id")),
        ({"task": {"version": "1", "name": "N"}}, "W001", ("task",)),
        ({"task": {**TASK, "name": " "}}, "W006", ("task", "name")),
        ({"task": None}, "W002", ("task",)),
    ],
)
def test_faults_of_an_entry_are_named_and_placed(more: dict[str, Any], code: str, path: tuple[str, ...]) -> None:
    assert refused(entry(**more)) == [(code, ("task_list", 0, *path))]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "T005"),
        ("[]", "W002"),
        ("{", "T005"),
        ({}, "W001"),
        ({"name": "W", "task_list": [], "tasks": []}, "W003"),
        ({"name": " ", "task_list": []}, "W006"),
        ({"name": None, "task_list": []}, "W002"),
        ({"name": "W", "task_list": {}}, "W002"),
        ({"manifest_version": "2", "task_list": []}, "W004"),
        ({"name": "d", "zarr_dir": "/z", "images": []}, "W004"),
        ({"name": "T", "version": 0, "data": EXPORTED}, "W006"),
        ({"name": "T", "version": "1", "data": EXPORTED}, "W002"),
        ({"name": "T", "version": 1, "user": 2, "data": EXPORTED}, "W003"),
        ({"name": "T", "version": 1, "data": []}, "W002"),
    ],
)
def test_whatever_a_file_holds_there_is_a_word_about_it(data: Any, code: str) -> None:
    assert code in [found for found, _ in refused(data)]


def test_all_problems_are_told_at_once_with_line_and_column() -> None:
    lines = ('{"name": "",', ' "task_list": [', '  {"args_parallel": {"zarr_url": 1},')
    text = "\n".join([*lines, '   "task": {"pkg_name": "p", "nam": "n"}}]}'])
    _, problems = read(text)
    assert [(problem.code, problem.line, problem.column) for problem in problems] == [
        ("W006", 1, 2),
        ("W008", 3, 22),
        ("W001", 4, 4),
        ("W003", 4, 30),
    ]


def test_a_version_that_is_not_said_is_read_and_left_to_resolving() -> None:
    workflow, problems = read(entry(task={**TASK, "version": None}))
    assert workflow is not None
    assert (workflow.entries[0].version, problems) == (None, [])


def test_it_is_a_document_of_the_contract_that_has_no_task_of_its_own() -> None:
    source = Source("w.json", json.dumps(EXPORTED), Path("/nowhere"))
    document, problems = examine(source)
    assert document is not None
    assert (document.contract, document.kind, problems) == ("fractal", "workflow", [])
    assert not contract("fractal").tasks(document)


@pytest.mark.parametrize(
    "data", [entry(), {"name": "T", "version": 1, "data": EXPORTED}, {"name": "W", "task_list": []}]
)
def test_workflows_are_told_from_manifests(data: Any) -> None:
    source = Source("anything", json.dumps(data), Path("/nowhere"))
    assert detect(source) == "fractal"
    document, _ = examine(source)
    assert document is not None
    assert document.kind == "workflow"


def test_a_manifest_stays_one() -> None:
    for data in (
        {"manifest_version": "2", "task_list": []},
        {"task_list": [{"name": "x", "executable_parallel": "x"}]},
    ):
        document, _ = examine(Source("anything", json.dumps(data), Path("/nowhere")))
        assert document is not None
        assert document.kind == "manifest"


def vectors() -> list[Any]:
    path = CORPUS / "image_models.json"
    if not path.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {path}"))]
    found = json.loads(path.read_text())["vectors"]
    return [pytest.param(one, id=one["id"]) for one in found if one["op"] == "validate_wftask_args"]


@pytest.mark.parametrize("vector", vectors())
@pytest.mark.parametrize("part", ["parallel", "non_parallel"])
def test_arguments_by_the_vectors(vector: dict[str, Any], part: str) -> None:
    data = entry(**{f"args_{part}": vector["input"]})
    if vector["expected"] == {"error": True}:
        assert refused(data)
    else:
        assert written(data)["task_list"][0][f"args_{part}"] == vector["expected"]
