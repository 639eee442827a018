"""Collecting packages with the real uv, from wheels made here: nothing is downloaded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from trivet.contracts import examine, fractal
from trivet.packages import installer
from trivet.packages.collecting import Collected
from trivet.packages.installer import InstallerError
from trivet.packages.keeping import deactivate, reactivate
from trivet.packages.registered import listing, named, sources
from trivet.records.packages import every, find
from trivet.tasks.problem import ProblemsError

from .conftest import ECHO, MANIFEST, make_project, make_wheel

Get = Callable[..., Collected]


def versions(collected: Collected) -> dict[str, str]:
    """What is installed in the environment of a package, by its own Python."""
    code = "import importlib.metadata as m; print({d.name.lower(): d.version for d in m.distributions()})"
    python = collected.package.venv / "bin/python"
    return dict(eval(subprocess.check_output([python, "-c", code], text=True)))


def left_behind(home: Path) -> list[str]:
    """What is below the home's packages; the hidden directories, too."""
    return sorted(path.name for path in (home / "packages").iterdir())


def test_a_package_of_the_index_in_its_newest_release(index: Path, home: Path, get: Get, said: list[str]) -> None:
    for version in ("1.2.0", "1.10.0", "1.9.0", "2.0rc1"):
        make_wheel(index, version=version)
    done = get("Tiny.Tasks")
    assert (done.new, done.package.name, done.package.version) == (True, "tiny-tasks", "1.10.0")
    record = done.package.read()
    assert (record["origin"], record["requested"], record["freeze"]) == ("pypi", "Tiny.Tasks", "tiny-tasks==1.10.0\n")
    assert record["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions(done) == {"tiny_tasks": "1.10.0"}
    assert list(done.package.path.glob("venv/lib/*/site-packages/tiny_tasks/__pycache__/echo.*.pyc"))
    assert any("installing 1 package" in line for line in said)
    assert left_behind(home) == ["tiny-tasks"]


def test_versions_stand_side_by_side_and_each_is_installed_once(index: Path, home: Path, get: Get) -> None:
    for version in ("1.2.0", "1.10.0", "2.0rc1"):
        make_wheel(index, version=version)
    assert get("tiny-tasks<1.10").package.version == "1.2.0"
    assert get("tiny-tasks==2.0rc1").package.version == "2.0rc1"
    assert get("tiny-tasks>=1").package.version == "1.10.0"
    assert [package.version for package in every(home)] == ["2.0rc1", "1.10.0", "1.2.0"]
    again = get("tiny-tasks")
    assert (again.new, again.package) == (False, find(home, "tiny-tasks"))


def test_what_is_there_needs_neither_index_nor_installer(
    index: Path, get: Get, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    make_wheel(index).rename(index / "tiny_tasks-1.0-py3-none-any.whl")
    get("tiny-tasks")
    said.clear()
    monkeypatch.setattr(installer, "located", lambda: None)
    assert get("tiny_tasks==1.0").new is False
    assert said == []
    with pytest.raises(ProblemsError, match=r"uv is needed.*pip install 'trivet\[packages\]'"):
        get("tiny-tasks")


def test_extras_and_pins_decide_what_is_installed(index: Path, get: Get) -> None:
    for version in ("1.0", "1.5", "2.0", "3.0"):
        make_wheel(index, "helper", version, manifest=None, files={"helper/x.py": ""})
        make_wheel(index, "extra", version, manifest=None, files={"extra/x.py": ""})
    requires = ["helper<3", 'extra; extra == "more"']
    for version in ("1.0", "1.1", "1.2", "1.3"):
        make_wheel(index, version=version, requires=requires)
    assert versions(get("tiny-tasks==1.0")) == {"tiny_tasks": "1.0", "helper": "2.0"}
    assert versions(get("tiny-tasks[more]==1.1")) == {"tiny_tasks": "1.1", "helper": "2.0", "extra": "3.0"}
    pinned = get("tiny-tasks==1.2", before={"helper": "1.5", "extra": "1.0"})
    assert versions(pinned) == {"tiny_tasks": "1.2", "helper": "1.5", "extra": "1.0"}
    assert pinned.package.read()["versions"] == {"tiny-tasks": "1.2", "helper": "1.5"}
    with pytest.raises(InstallerError, match=r"tiny-tasks==1\.3 can't be resolved"):
        get("tiny-tasks==1.3", before={"helper": "3.0"})
    forced = get("tiny-tasks==1.3", after={"helper": "3.0"})
    assert versions(forced) == {"tiny_tasks": "1.3", "helper": "3.0"}
    assert forced.package.read()["pins"] == {"before": {}, "after": {"helper": "3.0"}}


def test_a_package_that_is_there_otherwise_is_not_taken_for_another(index: Path, get: Get) -> None:
    make_wheel(index)
    get("tiny-tasks")
    with pytest.raises(ProblemsError, match=r"P004 .* but without extras .*fractal remove tiny-tasks==1\.0"):
        get("tiny-tasks", extras=("more",))
    with pytest.raises(ProblemsError, match=r"P004 .* but without extras"):
        get("tiny-tasks[more]==1.0")
    with pytest.raises(ProblemsError, match=r"P004 .* with other pinned versions"):
        get("tiny-tasks==1.0", before={"x": "1"})
    with pytest.raises(ProblemsError, match=r"P004 .* with Python 3\."):
        get("tiny-tasks==1.0", python="2.7")


def test_a_wheel_is_kept_with_its_package(index: Path, home: Path, get: Get, tmp_path: Path) -> None:
    make_wheel(index, "helper", manifest=None, files={"helper/x.py": ""})
    wheel = make_wheel(tmp_path, requires=['helper; extra == "more"'])
    done = get(wheel, extras=("more",))
    wheel.unlink()
    assert versions(done) == {"tiny_tasks": "1.0", "helper": "1.0"}
    assert done.package.read()["freeze"] == "helper==1.0\n./tiny_tasks-1.0-py3-none-any.whl\n"
    assert get(make_wheel(tmp_path, requires=['helper; extra == "more"'])).new is False
    with pytest.raises(ProblemsError, match=r"tiny-tasks 1\.0 is there already, and is not the same as this one"):
        get(make_wheel(tmp_path))


def test_a_directory_is_built_and_can_change_only_with_its_version(
    index: Path, home: Path, get: Get, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    done = get(project)
    assert (done.new, done.package.read()["origin"]) == (True, "directory")
    script = next(done.package.path.glob("venv/lib/*/site-packages/tiny_tasks/echo.py"))
    assert get(project).new is False
    (project / "tiny_tasks/echo.py").write_text("print()")
    with pytest.raises(ProblemsError, match="not the same as this one"):
        get(project)
    assert script.read_text() != "print()"
    done.package.remove()
    get(project)
    assert script.read_text() == "print()"


def test_a_directory_under_development_is_read_anew(index: Path, get: Get, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    done = get(project, editable=True)
    [source] = sources(done.package)
    assert source.base == project / "tiny_tasks"
    assert source.prefix == done.package.venv
    changed = {**MANIFEST, "task_list": [ECHO, {**ECHO, "name": "Second"}]}
    (project / "tiny_tasks/__FRACTAL_MANIFEST__.json").write_text(json.dumps(changed))
    [source] = sources(done.package)
    assert [task.name for task in fractal.tasks(fractal.read(source))] == ["Echo", "Second"]
    with pytest.raises(ProblemsError, match="is there already, but editable"):
        get(project)
    with pytest.raises(ProblemsError, match=r"P006 .* under development"):
        deactivate(done.package)


def test_a_task_is_registered_with_what_it_is(index: Path, home: Path, get: Get) -> None:
    make_wheel(index, "helper", "3.1", manifest=None, files={"helper/x.py": ""})
    make_wheel(index, requires=["helper"])
    package = get("tiny-tasks").package
    [source] = named(home, "tiny-tasks==1.0") or []
    document, problems = examine(source)
    assert document is not None
    assert problems == []
    [task] = fractal.tasks(document)
    assert (task.name, task.namespace, task.version) == ("Echo", "tiny-tasks", "1.0")
    assert task.program.versions == {"tiny-tasks": "1.0", "helper": "3.1"}  # type: ignore[union-attr]
    assert task.command[0] == f"{package.venv}/bin/python3"
    assert subprocess.run([*task.command, "--help"], capture_output=True, check=False).returncode == 0
    package.remove_venv()
    assert listing(package) == [
        {
            "package": "tiny-tasks",
            "version": "1.0",
            "task": "Echo",
            "type": "parallel",
            "manifest_version": "2",
            "category": "Measurement",
            "modality": "HCS",
            "tags": ["tiny"],
            "description": None,
            "active": False,
        }
    ]


def test_another_python(index: Path, get: Get) -> None:
    own = ".".join(map(str, sys.version_info[:2]))
    uv = installer.located()
    assert uv is not None
    others = {version.rpartition(".")[0] for version in installer.pythons(uv)} & {"3.10", "3.12", "3.13", "3.14"} - {
        own
    }
    if not others:
        pytest.skip("there is no other Python on this machine")
    other = max(others)
    make_wheel(index)
    done = get("tiny-tasks", python=other)
    assert done.package.read()["python"].startswith(f"{other}.")
    code = "import sys, tiny_tasks; print(*sys.version_info[:2], sep='.')"
    assert subprocess.check_output([done.package.venv / "bin/python", "-c", code], text=True).strip() == other


def test_an_interpreter_that_is_nowhere_is_told_and_nothing_is_left(index: Path, home: Path, get: Get) -> None:
    make_wheel(index)
    for python in ("2.99", "/nowhere/python3"):
        with pytest.raises(InstallerError, match=f"there is no environment with Python {python}: "):
            get("tiny-tasks", python=python)
    assert left_behind(home) == []


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("no such name", "names no package of an index"),
        ("tiny-tasks @ https://example.org/x.whl", "has an address"),
        ("tiny-tasks; python_version > '3'", "has a condition"),
        ("git+https://example.org/x.git", "names no package of an index"),
        ("tiny;rm -rf", "names no package of an index"),
        ("", "names no package of an index"),
        ("--index-url=x", "names no package of an index"),
        ("nowhere.whl", "the file does not exist"),
        ("./nowhere", "there is no such wheel or directory"),
        ("nowhere/x.tar.gz", "there is no such wheel or directory"),
    ],
)
def test_bad_names_are_refused_before_anything_is_done(
    package: str, expected: str, home: Path, index: Path, get: Get, said: list[str]
) -> None:
    with pytest.raises(ProblemsError, match=expected):
        get(package)
    assert said == []
    assert not home.exists()


def test_bad_extras_and_pins_are_all_told(get: Get) -> None:
    with pytest.raises(ProblemsError) as caught:
        get("tiny", extras=("a b",), before={"--x": "1"}, after={"": "2"}, editable=True)
    assert len(caught.value.problems) == 4


def test_bad_wheels_and_directories(index: Path, home: Path, get: Get, tmp_path: Path) -> None:
    (tmp_path / "broken-1.0-py3-none-any.whl").write_text("PK but not really")
    with pytest.raises(ProblemsError, match="the wheel can't be read"):
        get(tmp_path / "broken-1.0-py3-none-any.whl")
    with pytest.raises(ProblemsError, match=r"the wheel has no __FRACTAL_MANIFEST__\.json"):
        get(make_wheel(tmp_path, "bare", manifest=None))
    (tmp_path / "odd.whl").write_text("")
    with pytest.raises(ProblemsError, match="is no file name of a wheel"):
        get(tmp_path / "odd.whl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProblemsError, match="this directory is no Python project"):
        get(tmp_path / "empty")
    torn = make_wheel(tmp_path, "other").rename(tmp_path / "torn-1.0-py3-none-any.whl")
    with pytest.raises(InstallerError):
        get(torn)
    assert not home.exists() or left_behind(home) == []


def test_a_build_that_fails_shows_the_builders_own_words(
    index: Path, home: Path, get: Get, said: list[str], tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    (project / "backend.py").write_text("raise RuntimeError('the moon is not right')\n")
    with pytest.raises(InstallerError, match="project can't be built"):
        get(project)
    assert any(line.startswith("  uv | ") and "the moon is not right" in line for line in said)
    assert left_behind(home) == []


def test_a_package_that_is_not_there_or_not_of_tasks(index: Path, home: Path, get: Get, said: list[str]) -> None:
    make_wheel(index, "bare", manifest=None)
    with pytest.raises(InstallerError, match="nowhere-to-be can't be resolved: No solution found"):
        get("nowhere-to-be")
    assert any("nowhere-to-be was not found" in line for line in said)
    with pytest.raises(ProblemsError, match=r"the package bare 1\.0 has no __FRACTAL_MANIFEST__\.json"):
        get("bare")
    assert left_behind(home) == []


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ("{", "T005"),
        ({**MANIFEST, "task_list": [{**ECHO, "executable_parallel": "gone.py"}]}, "F020"),
        ({**MANIFEST, "task_list": [{**ECHO, "executable_parallel": "../../evil.py"}]}, "F016"),
        ({**MANIFEST, "task_list": [{"name": "X", "command_parallel": "rm x"}]}, "F025"),
        ({**MANIFEST, "task_list": [ECHO, ECHO]}, "F007"),
    ],
)
def test_a_bad_manifest_is_told_with_all_its_problems(
    manifest: object, code: str, index: Path, home: Path, get: Get
) -> None:
    make_wheel(index, manifest=manifest)
    with pytest.raises(ProblemsError) as caught:
        get("tiny-tasks")
    assert code in {problem.code for problem in caught.value.problems}
    assert {problem.file for problem in caught.value.problems} == {"tiny_tasks/__FRACTAL_MANIFEST__.json"}
    assert left_behind(home) == []


def test_an_environment_is_given_up_and_made_again_exactly(index: Path, home: Path, get: Get, said: list[str]) -> None:
    make_wheel(index, "helper", "1.0", manifest=None, files={"helper/x.py": ""})
    make_wheel(index, requires=["helper"])
    done = get("tiny-tasks")
    before = versions(done)
    deactivate(done.package)
    assert not done.package.venv.exists()
    assert not done.package.active
    with pytest.raises(ProblemsError, match="no version of `tiny-tasks` is active"):
        named(home, "tiny-tasks")
    with pytest.raises(ProblemsError, match=r"tiny-tasks 1\.0 is not active"):
        named(home, "tiny-tasks==1.0")
    assert [row["active"] for row in listing(done.package)] == [False]
    make_wheel(index, "helper", "2.0", manifest=None, files={"helper/x.py": ""})
    reactivate(done.package, home, said.append)
    assert versions(done) == before == {"tiny_tasks": "1.0", "helper": "1.0"}
    assert done.package.active
    assert named(home, "tiny-tasks") is not None


@pytest.mark.parametrize("lost", ["venv", "venv/bin/python"])
def test_an_environment_that_was_lost_is_told_and_made_again(
    lost: str, index: Path, home: Path, get: Get, said: list[str]
) -> None:
    make_wheel(index)
    package = get("tiny-tasks").package
    (package.path / lost).rename(home / "lost")
    assert not package.active
    with pytest.raises(ProblemsError, match=r"reactivate tiny-tasks==1\.0"):
        named(home, "tiny-tasks==1.0")
    reactivate(package, home, said.append)
    assert package.active
    assert subprocess.run([package.venv / "bin/python", "-c", ""], check=False).returncode == 0


def test_what_came_from_an_address_is_kept(index: Path, get: Get, tmp_path: Path) -> None:
    helper = make_wheel(tmp_path, "helper", manifest=None, files={"helper/x.py": ""})
    package = get(make_wheel(tmp_path, requires=[f"helper @ {helper.as_uri()}"])).package
    with pytest.raises(ProblemsError, match=r"P006 .* at this address may be something else by then: helper @ file://"):
        deactivate(package)
    assert package.active


def test_a_reactivation_that_fails_changes_nothing(index: Path, home: Path, get: Get, said: list[str]) -> None:
    wheel = make_wheel(index)
    package = get("tiny-tasks").package
    deactivate(package)
    wheel.unlink()
    os.environ["UV_NO_CACHE"] = "1"
    try:
        with pytest.raises(InstallerError, match="can't be installed"):
            reactivate(package, home, said.append)
    finally:
        del os.environ["UV_NO_CACHE"]
    assert not package.active
    assert not package.venv.exists()
    assert left_behind(home) == ["tiny-tasks"]
    make_wheel(index)
    package.venv.mkdir()  # of one who was killed in the middle
    reactivate(package, home, said.append)
    assert package.active


def test_a_wheel_of_ones_own_can_be_reactivated(index: Path, home: Path, get: Get, tmp_path: Path) -> None:
    done = get(make_wheel(tmp_path))
    deactivate(done.package)
    reactivate(done.package, home, print)
    assert versions(done) == {"tiny_tasks": "1.0"}


def begin(project: Path, home: Path, barrier: str) -> subprocess.Popen[str]:
    """`trivet fractal collect` in a session of its own, its build waiting for others."""
    return subprocess.Popen(
        [sys.executable, "-m", "trivet", "fractal", "collect", str(project)],
        env={**os.environ, "TRIVET_HOME": str(home), "TINY_BARRIER": barrier},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_two_at_once_end_with_one_package(index: Path, home: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    place = tmp_path / "place"
    place.mkdir()
    both = [begin(project, home, f"2:{place}") for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert sorted(out for out, _ in answers) == [
        "tiny-tasks 1.0 collected: 1 task\n",
        "tiny-tasks 1.0 was there already: 1 task\n",
    ]
    assert left_behind(home) == ["tiny-tasks"]
    assert versions(Collected(find(home, "tiny-tasks"), True)) == {"tiny_tasks": "1.0"}


@pytest.mark.parametrize("group", [True, False], ids=["all killed", "only trivet killed"])
def test_a_killed_collect_leaves_nothing_that_counts(
    group: bool, index: Path, home: Path, get: Get, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    place = tmp_path / "place"
    place.mkdir()
    process = begin(project, home, f"99:{place}")
    try:
        wait_for(lambda: any(place.iterdir()))
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        assert every(home) == []
        assert get(project).new
    finally:
        for builder in place.iterdir():
            with suppress(ProcessLookupError):
                os.kill(int(builder.name), signal.SIGKILL)
        process.communicate()
    assert [name for name in left_behind(home) if not name.startswith(".")] == ["tiny-tasks"]
    if group:
        assert left_behind(home) == ["tiny-tasks"]


def test_ctrl_c_ends_the_installer_and_leaves_nothing(index: Path, home: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    place = tmp_path / "place"
    place.mkdir()
    process = begin(project, home, f"99:{place}")
    wait_for(lambda: any(place.iterdir()))
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert left_behind(home) == []
