"""From names in a workflow file to tasks, and the answer where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import contract
from trivet.contracts.fractal.staging import arguments_of
from trivet.records.packages import PackageDirectory
from trivet.tasks.call import bind
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.work import Unit
from trivet.workflows.resolving import Found, resolve

from .registered import BLUR, CONVERT, ENTRIES, register, task, workflow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def deactivate(package: PackageDirectory) -> None:
    package.write({**package.read(), "active": False})


def one(home: Path, entry: dict[str, Any]) -> Found:
    found, problems = resolve(workflow(entry), home)
    assert problems == []
    return found[0]


def missing(home: Path, entry: dict[str, Any]) -> Problem:
    found, problems = resolve(workflow(entry), home)
    assert found == []
    assert len(problems) == 1
    return problems[0]


def arguments(found: Found, **supplied: Any) -> dict[str, Any]:
    """What the first unit of a step's task is given."""
    call = bind(found.step.task, {**found.step.values, **supplied})
    [unit, *_] = contract("fractal").plan(call, 0, ()) or ()
    return arguments_of(call, unit)


def test_the_name_of_a_package_is_compared_in_normal_form(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    for name in ("small-tasks", "Small_Tasks", "small...TASKS"):
        assert one(home, task("Blur", package=name)).step.task.name == "Blur"


def test_a_unit_is_given_exactly_the_arguments_of_the_file(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    given = {"size": 3, "mode": None, "undeclared": {"deep": [1, 2.5, "x", True, None]}}
    found = one(home, task("Blur", args_parallel=given))
    assert arguments(found, zarr_url=["/z/a"]) == {"zarr_url": "/z/a", **given}
    assert list(arguments(one(home, task("Blur")), zarr_url=["/z/a"])) == ["zarr_url"]


def test_a_task_without_schemas_takes_arguments_of_any_type(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    found = one(home, task("Convert", args_non_parallel={"level": 2, "names": ["a"]}))
    assert arguments(found, zarr_dir="/z") == {"zarr_dir": "/z", "level": 2, "names": ["a"]}


def test_both_parts_of_a_task_get_their_own_arguments(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    entry = task("Project", args_non_parallel={"size": 1, "name": "n"}, args_parallel={"size": 2, "axis": "z"})
    found = one(home, entry)
    call = bind(found.step.task, {**found.step.values, "zarr_urls": ["/z/a"], "zarr_dir": "/z"})
    [init] = contract("fractal").plan(call, 0, ()) or ()
    assert arguments_of(call, init) == {"zarr_urls": ["/z/a"], "zarr_dir": "/z", "size": 1, "name": "n"}
    compute = Unit("par-000000-0000000", 1, {"zarr_url": "/z/b", "init_args": {"k": 1}})
    assert arguments_of(call, compute) == {"zarr_url": "/z/b", "init_args": {"k": 1}, "size": 2, "axis": "z"}


def test_meta_data_of_the_workflow_are_put_upon_those_of_the_package(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    found = one(home, task("Blur", meta_parallel={"mem": 500, "needs_gpu": True}))
    assert found.parts[0].meta == {"cpus_per_task": 1, "mem": 500, "needs_gpu": True}
    needs = found.step.task.resources
    assert (needs.cpus, needs.memory, needs.gpus) == (1, 500 * 2**20, 1)


def test_the_snapshot_of_a_step_is_its_own_task_and_nothing_else(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    found = one(home, task("Blur", args_parallel={"size": 1}))
    document = found.step.task.document
    again = json.loads(document.texts[document.origin])
    assert [entry["name"] for entry in again["task_list"]] == ["Blur"]
    assert "docs_info" not in again["task_list"][0]
    assert (found.step.task.namespace, found.step.task.version) == ("small-tasks", "1.0")


def test_a_missing_version_is_answered_with_those_there_are_newest_first(home: Path, tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "1.2rc1"):
        register(home, tmp_path, version)
    register(home, tmp_path, "3.0", entries=[CONVERT])
    deactivate(register(home, tmp_path, "2.0"))
    problem = missing(home, task("Blur", "9.9"))
    assert (problem.code, problem.path) == ("W021", ("task_list", 0, "task", "version"))
    assert problem.message.endswith("`Blur` is in: 2.0 (inactive), 1.10, 1.9, 1.2rc1")
    assert "trivet fractal collect small-tasks==9.9" in problem.hint


def test_a_version_that_is_not_said_is_never_chosen_by_us(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path, "1.9")
    register(home, tmp_path, "1.10")
    problem = missing(home, task("Blur", None))
    assert problem.code == "W021"
    assert problem.message.endswith("1.10, 1.9")
    assert problem.hint == 'choose one: "version": "1.10"'


def test_a_version_without_the_task_is_told_from_a_task_nobody_has(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path, "1.0", entries=[BLUR])
    register(home, tmp_path, "2.0", entries=[CONVERT])
    problem = missing(home, task("Blur", "2.0"))
    assert (problem.code, problem.path) == ("W022", ("task_list", 0, "task", "name"))
    assert problem.message.endswith("it is in: 1.0")
    problem = missing(home, task("Blurr", "1.0"))
    assert (problem.code, problem.hint) == ("W022", "did you mean `Blur`?")


def test_an_unknown_package_is_told_with_the_command_that_brings_it(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    problem = missing(home, task("Blur", package="smal-tasks"))
    assert (problem.code, problem.path) == ("W020", ("task_list", 0, "task", "pkg_name"))
    assert "did you mean `small-tasks`?" in problem.hint
    assert "trivet fractal collect smal-tasks==1.0" in problem.hint


def test_all_missing_tasks_are_told_at_once_and_the_others_found(home: Path, tmp_path: Path) -> None:
    register(home, tmp_path)
    file = workflow(task("Blur", "7"), task("Blur"), task("x", package="nothing-here"))
    found, problems = resolve(file, home)
    assert [one.path for one in found] == [("task_list", 1)]
    assert [problem.path[1] for problem in problems] == [0, 2]


def test_a_task_of_an_inactive_package_is_found_and_marked(home: Path, tmp_path: Path) -> None:
    deactivate(register(home, tmp_path))
    assert one(home, task("Blur")).active is False


def test_a_package_that_is_merely_installed_is_found_in_the_environment_that_is_named(
    home: Path, tmp_path: Path
) -> None:
    prefix = tmp_path / "venv"
    site = prefix / "lib/python3.11/site-packages"
    package = site / "installed_tasks"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "blur.py").touch()
    manifest = {"manifest_version": "2", "task_list": [BLUR]}
    (package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(manifest))
    info = site / "installed_tasks-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Installed_Tasks\nVersion: 0.3\n\nA long README.\n")
    (info / "RECORD").write_text("installed_tasks/__FRACTAL_MANIFEST__.json,,\n")
    entry = task("Blur", "0.3", "installed-tasks")
    [found], problems = resolve(workflow(entry), home, str(prefix))
    assert problems == []
    assert found.step.task.program.prefix == str(prefix)  # type: ignore[union-attr]
    assert not any("README" in text for text in found.step.task.document.texts.values())
    assert missing(home, entry).code == "W020"


def test_a_python_that_is_no_environment_is_refused_once(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="no Python environment"):
        resolve(workflow(task("Blur")), home, str(tmp_path))


def test_a_damaged_package_is_told_and_hides_nothing_else(home: Path, tmp_path: Path) -> None:
    damaged = register(home, tmp_path, "1.0")
    register(home, tmp_path, "2.0")
    (damaged.path / "package.json").write_text("{")
    found, problems = resolve(workflow(task("Blur", "1.0"), task("Blur", "2.0")), home)
    assert [one.step.task.version for one in found] == ["2.0"]
    assert [problem.code for problem in problems] == ["W023"]


def test_a_package_is_read_once_however_many_steps_name_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trivet.workflows import resolving

    register(home, tmp_path)
    asked: list[Any] = []
    examine = resolving.examine
    monkeypatch.setattr(resolving, "examine", lambda source: asked.append(source) or examine(source))
    found, _ = resolve(workflow(*(task(entry["name"]) for entry in ENTRIES * 10)), home)
    assert (len(found), len(asked)) == (30, 1)
