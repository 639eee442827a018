"""Tasks registered as they are: scripts with an interpreter of the user, and single commands of both versions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import examine, fractal
from trivet.packages.collecting import Collected
from trivet.packages.custom import Single, collect_command, collect_custom, commands_for
from trivet.packages.keeping import deactivate
from trivet.packages.registered import listing, sources
from trivet.records.packages import every, find
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import Task
from trivet.tasks.work import AttemptDirectory, Invocation

from .conftest import ECHO, MANIFEST, SCRIPT

V1 = {
    "manifest_version": "1",
    "has_args_schemas": False,
    "task_list": [
        {"name": "Old", "executable": "echo.py", "input_type": "Any", "output_type": "Any", "meta": {}},
    ],
}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    root = tmp_path / "my scripts"
    root.mkdir()
    (root / "echo.py").write_text(SCRIPT)
    (root / "manifest.json").write_text(json.dumps(MANIFEST))
    return root


def task_of(collected: Collected) -> Task:
    [source] = sources(collected.package)
    document, problems = examine(source)
    assert document is not None
    assert [problem for problem in problems if problem.severity == "error"] == []
    [task] = fractal.tasks(document)
    return task


def staged(task: Task, root: Path) -> Invocation:
    [unit] = fractal.plan(bind(task, {"zarr_url": ["/data/a.zarr"]}), 0, ()) or ()
    return fractal.stage(bind(task, {"zarr_url": ["/data/a.zarr"]}), unit, AttemptDirectory("r/u/1", root / "attempt"))


def custom(home: Path, manifest: Path, python: str = sys.executable, **more: Any) -> Collected:
    given = {"root": manifest.parent, "package": None, "label": "My Scripts", "version": "0.3", **more}
    return collect_custom(manifest, python, home=home, **given)


def test_scripts_are_run_by_the_interpreter_that_was_named(home: Path, scripts: Path, tmp_path: Path) -> None:
    done = custom(home, scripts / "manifest.json")
    assert (done.new, done.package.name, done.package.version) == (True, "my-scripts", "0.3")
    task = task_of(done)
    assert (task.namespace, task.version) == ("my-scripts", "0.3")
    invocation = staged(task, tmp_path)
    assert invocation.command == (sys.executable, str(scripts / "echo.py"))  # the blank in the path is no problem
    assert invocation.warm
    assert invocation.resources.cpus == 3
    assert custom(home, scripts / "manifest.json").new is False
    with pytest.raises(ProblemsError, match="Trivet did not make its environment"):
        deactivate(done.package)


def test_scripts_of_version_1_become_commands(home: Path, scripts: Path) -> None:
    (scripts / "old.json").write_text(json.dumps(V1))
    done = custom(home, scripts / "old.json")
    [row] = listing(done.package)
    assert (row["task"], row["type"], row["manifest_version"]) == ("Old", "non_parallel", "1")
    assert task_of(done).command == (sys.executable, str(scripts / "echo.py"))


def test_the_interpreter_knows_where_its_package_is(home: Path, scripts: Path) -> None:
    import packaging

    manifest = {**MANIFEST, "task_list": [{**ECHO, "executable_parallel": "version.py"}]}
    (scripts / "manifest.json").write_text(json.dumps(manifest))
    done = custom(home, scripts / "manifest.json", root=None, package="packaging")
    assert task_of(done).command == (sys.executable, str(Path(packaging.__file__).parent / "version.py"))
    with pytest.raises(ProblemsError, match="has no package `no_such_package`"):
        custom(home, scripts / "manifest.json", root=None, package="no_such_package", label="other")


def test_what_is_wrong_with_custom_tasks_is_told(home: Path, scripts: Path) -> None:
    manifest = scripts / "manifest.json"
    with pytest.raises(ProblemsError) as caught:
        custom(home, manifest, "python3", label="..", version="../x")
    assert len(caught.value.problems) == 3
    with pytest.raises(ProblemsError, match="there is no interpreter that could be executed"):
        custom(home, manifest, str(scripts / "echo.py"))
    with pytest.raises(ProblemsError, match="there is no such directory"):
        custom(home, manifest, root=scripts / "nowhere")
    (scripts / "echo.py").unlink()
    with pytest.raises(ProblemsError, match=r"F020 `echo\.py` does not exist in "):
        custom(home, manifest)
    manifest.write_text('{"manifest_version": "2"}')
    with pytest.raises(ProblemsError, match="lacks `task_list`"):
        custom(home, manifest)
    assert every(home) == []


def test_a_workflow_is_no_manifest(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "workflow.json"
    identity = {"pkg_name": "p", "version": "1", "name": "t"}
    path.write_text(json.dumps({"name": "w", "task_list": [{"task": identity}]}))
    with pytest.raises(ProblemsError, match=r"workflow\.json: error P003 this is no manifest"):
        collect_custom(path, sys.executable, tmp_path, None, "label", "1", home)


def test_names_that_no_directory_can_have_are_refused(home: Path, scripts: Path) -> None:
    for name, version in (("ü" * 101, "1"), ("fine", "1" * 201)):
        with pytest.raises(ProblemsError, match="is too long to name a directory"):
            collect_command(Single(name, {"command_parallel": "true"}), None, version, home)
    assert collect_command(Single("n" * 200, {"command_parallel": "true"}), None, "1", home).new


def test_another_manifest_under_the_same_name_is_refused(home: Path, scripts: Path) -> None:
    custom(home, scripts / "manifest.json")
    (scripts / "manifest.json").write_text(json.dumps({**MANIFEST, "task_list": [{**ECHO, "name": "Second"}]}))
    with pytest.raises(ProblemsError, match=r"my-scripts 0\.3 is there already, with other tasks"):
        custom(home, scripts / "manifest.json")
    assert custom(home, scripts / "manifest.json", version="0.4").new


def test_a_single_task_is_a_command(home: Path, scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scripts)
    facts = {"meta_parallel": {"needs_gpu": True}, "input_types": {"is_3D": True}}
    single = Single("My Task", commands_for("parallel", f"{sys.executable} echo.py", None), facts)
    done = collect_command(single, None, "1", home)
    assert (done.package.name, done.package.prefix) == ("my-task", None)
    task = task_of(done)
    assert (task.name, task.repeats) == ("My Task", "zarr_url")
    invocation = staged(task, tmp_path)
    assert invocation.command == (sys.executable, str(scripts / "echo.py"))
    assert invocation.args[0::2] == ("--args-json", "--out-json")
    assert not invocation.warm  # a process that holds a GPU can't be forked
    assert invocation.meta == {"needs_gpu": True}
    assert find(home, "My Task").path == done.package.path


def test_any_program_can_be_a_task(home: Path, tmp_path: Path) -> None:
    single = Single("Segment", commands_for("parallel", "env A=1 'two words' --fast", None))
    invocation = staged(task_of(collect_command(single, "tools", "2.0", home)), tmp_path)
    assert invocation.command is not None
    program, *words = invocation.command
    assert Path(program).name == "env"
    assert Path(program).is_absolute()
    assert words == ["A=1", "two words", "--fast"]
    assert not invocation.warm


def test_a_program_that_has_gone_is_told_when_a_unit_is_staged(home: Path, tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    task = task_of(collect_command(Single("T", commands_for(None, str(program), None)), None, "1", home))
    program.unlink()
    with pytest.raises(ProblemsError, match=r"F020 the program `.*tool` of the command .* is not found"):
        staged(task, tmp_path)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python x.py; rm -rf /", "holds `;`"),
        ("python $(x)", r"holds `\$` `\(` `\)`"),
        ("a && b", "holds `&`"),
        ("python 'x", "can't be split into words"),
        ("no-such-program-here x", "the program `no-such-program-here` .* is not found"),
        ("", "must name a program"),
        ("''", "must name a program"),
    ],
)
def test_bad_commands_are_refused(command: str, expected: str, home: Path) -> None:
    with pytest.raises(ProblemsError, match=expected):
        collect_command(Single("T", {"command_parallel": command}), None, "1", home)
    with pytest.raises(ProblemsError, match=expected):
        collect_command(
            Single("T", {"command": command}, {"input_type": "Any", "output_type": "Any"}, True), None, "1", home
        )
    assert every(home) == []


@pytest.mark.parametrize(
    ("kind", "init", "keys"),
    [
        (None, None, ["command_parallel"]),
        (None, "i", ["command_non_parallel", "command_parallel"]),
        ("non_parallel", None, ["command_non_parallel"]),
        ("converter_compound", "i", ["command_non_parallel", "command_parallel"]),
    ],
)
def test_the_type_says_which_part_a_command_is(kind: str | None, init: str | None, keys: list[str]) -> None:
    found = commands_for(kind, "c", init)
    assert list(found) == keys
    assert found[keys[-1]] == "c"


@pytest.mark.parametrize(("kind", "init"), [("compound", None), ("parallel", "i"), ("converter_non_parallel", "i")])
def test_a_type_with_another_number_of_commands_is_refused(kind: str, init: str | None) -> None:
    with pytest.raises(ProblemsError, match="P007"):
        commands_for(kind, "c", init)


def test_a_bad_schema_or_type_of_a_command_is_told(home: Path) -> None:
    facts = {"args_schema_parallel": {"type": "objekt"}, "output_types": {"is_3D": "perhaps"}}
    with pytest.raises(ProblemsError) as caught:
        collect_command(Single("T", commands_for(None, "env", None), facts), None, "1", home)
    assert len(caught.value.problems) == 2


def test_a_manifest_in_a_package_can_t_have_commands(tmp_path: Path) -> None:
    from trivet.contracts.source import Source

    text = json.dumps({**MANIFEST, "task_list": [{"name": "X", "command_parallel": "env"}]})
    _, problems = examine(Source("__FRACTAL_MANIFEST__.json", text, tmp_path))
    assert "F025" in {problem.code for problem in problems}


@pytest.mark.parametrize("legacy", [False, True])
def test_the_guides_task_of_version_1(legacy: bool, home: Path, scripts: Path, run_trivet: Callable[..., Any]) -> None:
    words = ["--command", f"{sys.executable} {scripts.name}/echo.py".replace("my scripts", "'my scripts'")]
    extra = ["--v1", "--source", "my_custom_task", "--input-type", "Any", "--output-type", "Any"] if legacy else []
    run_trivet("fractal", "collect", *words, "--name", "My Task", *extra, cwd=scripts.parent)
    text = find(home, "my-task").read()["documents"][0]["text"]
    [entry] = json.loads(text)["task_list"]
    command = f"{sys.executable} '{scripts}/echo.py'"
    if legacy:
        wanted = {"command": command, "input_type": "Any", "output_type": "Any", "source": "my_custom_task", "meta": {}}
    else:
        wanted = {"command_parallel": command}
    assert entry == {"name": "My Task", **wanted}
