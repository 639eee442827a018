"""From a target to its tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trivet.runs.choosing import one_task, tasks
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage

TEMPLATE = {"description": "d", "inputs": [], "outputs": [], "env": []}


@pytest.fixture
def container(tmp_path: Path) -> str:
    templates = [{"identifier": name, **TEMPLATE} for name in ("one", "two")]
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"name": "c", "description": "d", "templates": templates}))
    return str(path)


def test_all_tasks_or_the_one_that_is_named(container: str) -> None:
    assert [task.name for task in tasks(container)[0]] == ["one", "two"]
    assert one_task(f"{container}#two")[0].name == "two"


def test_several_tasks_are_no_answer_to_which_one(container: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        one_task(container)
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("T017", "2 tasks are here")
    assert problem.hint == f"name one: `{container}#one`, `{container}#two`"


def test_an_unknown_task_is_told_with_the_known_ones(container: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        one_task(f"{container}#three")
    (problem,) = caught.value.problems
    assert (problem.code, problem.hint) == ("T016", "known: `one`, `two`")


def test_the_image_may_be_another(container: str) -> None:
    task, _ = one_task(f"{container}#one", image="c:7")
    assert isinstance(task.program, ContainerImage)
    assert task.program.reference == "c:7"


def test_a_document_with_errors_gives_no_task_but_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"trivet": 1, "name": "n", "command": ["{nothing}"]}')
    with pytest.raises(ProblemsError) as caught:
        tasks(str(path))
    assert [problem.code for problem in caught.value.problems] == ["R008"]


def test_good_documents_of_a_directory_are_given_beside_the_problems_of_the_bad(tmp_path: Path, container: str) -> None:
    (tmp_path / "x.json").write_text('{"trivet": 1, "name": "n", "command": ["{nothing}"]}')
    found, problems = tasks(str(tmp_path))
    assert [task.name for task in found] == ["one", "two"]
    assert [problem.code for problem in problems] == ["R008"]


def test_a_broken_document_beside_it_does_not_concern_the_task_that_is_named(container: str) -> None:
    directory = Path(container).parent
    (directory / "broken.json").write_text(json.dumps({"name": "b", "templates": [{"identifier": 3}]}))
    task, problems = one_task(f"{directory}#one")
    assert (task.name, problems) == ("one", [])
    assert any(problem.severity == "error" for problem in tasks(str(directory))[1])
