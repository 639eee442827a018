"""`trivet fractal collect`, `trivet tasks` and the life of packages, as they are typed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trivet.packages.installer import located

from .conftest import ECHO, MANIFEST, make_project, make_wheel

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def collected(index: Path, run_trivet: Run) -> Run:
    """Two versions of one package, and one of another."""
    make_wheel(index)
    make_wheel(index, version="2.0", manifest={**MANIFEST, "task_list": [ECHO, {**ECHO, "name": "Second Task"}]})
    segment = {
        "name": "Find Nuclei",
        "executable_non_parallel": "s.py",
        "category": "Segmentation",
        "docs_info": "Bright",
    }
    make_wheel(index, "other", manifest={**MANIFEST, "task_list": [segment]}, files={"other/s.py": ""})
    for package in ("tiny-tasks==1.0", "tiny-tasks", "other"):
        run_trivet("fractal", "collect", package)
    return run_trivet


def test_a_task_is_run_by_the_name_of_its_package(collected: Run, tmp_path: Path) -> None:
    done = collected("run", "tiny-tasks#Echo", 'zarr_url=["/data/a"]')
    assert "FINISHED" in done.stderr
    log = collected("logs", "last").stdout
    assert "threads 3" in log
    shown = json.loads(collected("show", "run:last", "--json").stdout)
    assert "tiny-tasks/2.0/venv" in json.dumps(shown)
    collected("run", "Tiny_Tasks==1.0#Echo", 'zarr_url=["/data/a"]')
    [second, first] = json.loads(collected("fractal", "packages", "--json").stdout)[1:]
    assert (second["version"], first["version"]) == ("2.0", "1.0")
    assert second["last_used"] is not None
    assert first["last_used"] is not None
    collected("fractal", "remove", "tiny-tasks==2.0")
    assert "threads 3" in collected("logs", "last").stdout


def test_tasks_are_listed_and_chosen(collected: Run) -> None:
    lines = collected("tasks").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["PACKAGE", "VERSION", "TASK", "TYPE", "CATEGORY", "MODALITY", "TAGS", "ACTIVE"],
        ["other", "1.0", "Find", "Nuclei", "non_parallel", "Segmentation", "yes"],
        ["tiny-tasks", "2.0", "Echo", "parallel", "Measurement", "HCS", "tiny", "yes"],
        ["tiny-tasks", "2.0", "Second", "Task", "parallel", "Measurement", "HCS", "tiny", "yes"],
        ["tiny-tasks", "1.0", "Echo", "parallel", "Measurement", "HCS", "tiny", "yes"],
    ]

    def chosen(*words: str) -> list[str]:
        rows = json.loads(collected("tasks", "--json", *words).stdout)
        return [f"{row['package']} {row['version']} {row['task']}" for row in rows]

    assert chosen("--package", "Tiny.Tasks", "--name", "echo") == ["tiny-tasks 2.0 Echo", "tiny-tasks 1.0 Echo"]
    assert chosen("--type", "non_parallel") == chosen("--category", "segmentation") == ["other 1.0 Find Nuclei"]
    assert chosen("--search", "bright") == chosen("--search", "NUCLEI") == ["other 1.0 Find Nuclei"]
    assert len(chosen("--search", "tiny")) == 3
    assert chosen("--search", "nothing like it") == []


def test_a_package_is_deactivated_reactivated_and_removed(collected: Run) -> None:
    done = collected("fractal", "deactivate", "tiny-tasks", code=1)
    assert "name one: tiny-tasks==2.0, tiny-tasks==1.0" in done.stderr
    collected("fractal", "deactivate", "tiny-tasks==2.0")
    assert json.loads(collected("show", "tiny-tasks", "--json").stdout)[0]["version"] == "1.0"
    refused = collected("run", "tiny-tasks==2.0#Echo", 'zarr_url=["/a"]', code=1)
    assert "trivet fractal reactivate tiny-tasks==2.0" in refused.stderr
    assert "was there already" in collected("fractal", "collect", "tiny-tasks==2.0").stdout
    collected("fractal", "reactivate", "tiny-tasks==2.0")
    assert json.loads(collected("show", "tiny-tasks", "--json").stdout)[0]["version"] == "2.0"
    for version in ("1.0", "2.0"):
        collected("fractal", "remove", f"tiny-tasks=={version}")
    assert "no package `tiny-tasks`" in collected("fractal", "remove", "tiny-tasks", code=1).stderr


def test_what_uv_says_is_shown_and_marked(index: Path, run_trivet: Run) -> None:
    done = run_trivet("fractal", "collect", "nowhere-to-be", code=1)
    assert done.stdout == ""
    assert "  uv | error: No solution found" in done.stderr
    assert "error P002 nowhere-to-be can't be resolved" in done.stderr


def test_json_says_all_of_a_package(index: Path, run_trivet: Run, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    found = json.loads(run_trivet("fractal", "collect", project, "--json").stdout)
    assert found["new"] is True
    assert (found["name"], found["version"], found["origin"], found["tasks"]) == (
        "tiny-tasks",
        "1.0",
        "directory",
        ["Echo"],
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("a", "--command", "env"),
        ("a", "--name", "x"),
        ("a", "--label", "x"),
        ("a", "--pin", "x"),
        ("a", "--pin", "x="),
        ("--command", "env"),
        ("--command", "env", "--name", "x", "--extra", "y"),
        ("--command", "env", "--name", "x", "--python", "3"),
        ("--command", "env", "--name", "x", "--source", "y"),
        ("--command", "env", "--name", "x", "--meta", "{"),
        ("--command", "env", "--name", "x", "--meta", "[]"),
        ("--command", "env", "--name", "x", "--meta", "@nowhere.json"),
        ("--command", "env", "--name", "x", "--input-type", "Any"),
        ("--command", "env", "--name", "x", "--meta-non-parallel", "{}"),
        ("--command", "env", "--name", "x", "--v1", "--type", "parallel"),
        ("--command", "env", "--name", "x", "--v1", "--input-type", "a", "--input-type", "b"),
        ("--custom", "m.json"),
        ("--custom", "m.json", "--python", "/x", "--label", "l"),
        ("--custom", "m.json", "--python", "/x", "--label", "l", "--package-root", "a", "--package-name", "b"),
    ],
)
def test_wrong_words_are_told(words: tuple[str, ...], home: Path, run_trivet: Run) -> None:
    done = run_trivet("fractal", "collect", *words, code=2)
    assert "Error: " in done.stderr
    assert not (home / "packages").exists()


def test_nothing_collected_is_no_error(home: Path, run_trivet: Run) -> None:
    assert run_trivet("fractal", "packages").stdout == ""
    assert "trivet fractal collect" in run_trivet("tasks").stderr
    assert run_trivet("tasks", "--json").stdout == "[]\n"


@pytest.mark.parametrize("words", [("project",), ("--command", "env", "--name", "x")])
def test_a_home_that_can_t_be_written_is_told(
    words: tuple[str, ...], index: Path, run_trivet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path / "project")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRIVET_HOME", str(tmp_path / "file/home"))
    done = run_trivet("fractal", "collect", *words, code=1, cwd=tmp_path)
    assert done.stderr.endswith(f"trivet: {tmp_path}/file/home/packages: Not a directory\n")


def test_the_doctor_tells_of_uv_and_of_interpreters(index: Path, run_trivet: Run) -> None:
    found = json.loads(run_trivet("doctor", "--json").stdout)["packages"]
    assert found["uv"]["path"] == located()
    assert subprocess.check_output([found["uv"]["path"], "--version"], text=True).split()[1] == found["uv"]["version"]
    for python in found["pythons"]:
        version = subprocess.run([python["path"], "--version"], capture_output=True, text=True, check=True)
        assert (version.stdout or version.stderr).split()[1] == python["version"]


@pytest.mark.full
def test_the_public_package_from_the_users_own_index(home: Path, run_trivet: Run) -> None:
    if located() is None:
        pytest.skip("uv is not installed: pip install 'trivet[packages]'")
    assert run_trivet("fractal", "collect", "fractal-tasks-core==2.1.0").stdout.endswith("collected: 9 tasks\n")
    begun = time.monotonic()
    assert "was there already" in run_trivet("fractal", "collect", "fractal-tasks-core==2.1.0").stdout
    assert time.monotonic() - begun < 3
    tasks = json.loads(run_trivet("show", "fractal-tasks-core#Measure Features", "--json").stdout)
    assert [task["version"] for task in tasks] == ["2.1.0"]
