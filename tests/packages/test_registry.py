"""The directories of collected packages: which counts, which is found, what is left of those that were killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trivet.records import UnreadableError
from trivet.records.owner import Owner
from trivet.records.packages import PackageDirectory, every, find, is_version, normal, put, workshop


def add(home: Path, name: str, version: str, active: bool = True) -> PackageDirectory:
    with workshop(home) as shop:
        made = shop / "package"
        (made / "venv/bin").mkdir(parents=True)
        (made / "venv/bin/python").touch()
        PackageDirectory(made).write({"format": 1, "active": active, "prefix": "venv"})
        return put(home, made, name, version)


def names(home: Path) -> list[str]:
    return [f"{package.name} {package.version}" for package in every(home)]


def test_packages_are_listed_by_name_and_the_newest_version_first(tmp_path: Path) -> None:
    assert every(tmp_path) == []
    for version in ("1.9.0", "1.10.0", "1.2.0", "nightly", "2.0rc1"):
        add(tmp_path, "B.Tasks", version)
    add(tmp_path, "a", "1")
    assert names(tmp_path) == ["a 1", *(f"b-tasks {v}" for v in ("2.0rc1", "1.10.0", "1.9.0", "1.2.0", "nightly"))]


def test_the_newest_active_version_is_found_and_none_before_a_release(tmp_path: Path) -> None:
    for version, active in (("1.9.0", True), ("1.10.0", True), ("1.11.0", False), ("2.0rc1", True)):
        add(tmp_path, "b_tasks", version, active)
    assert find(tmp_path, "B.tasks").version == "1.10.0"
    assert find(tmp_path, "b-tasks", "1.11.0").version == "1.11.0"
    assert find(tmp_path, "b-tasks", "1.9").version == "1.9.0"
    find(tmp_path, "b-tasks", "1.9").remove()
    find(tmp_path, "b-tasks", "1.10").remove()
    assert find(tmp_path, "b-tasks").version == "2.0rc1"  # there is nothing else
    find(tmp_path, "b-tasks", "2.0rc1").remove()
    with pytest.raises(
        LookupError, match=r"no version of `b-tasks` is active \(1\.11\.0\).*reactivate b-tasks==1\.11\.0"
    ):
        find(tmp_path, "b-tasks")


def test_what_is_there_instead_is_told(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"no package `tiny` was collected$"):
        find(tmp_path, "tiny")
    add(tmp_path, "tiny-tasks", "1.0")
    with pytest.raises(LookupError, match="did you mean `tiny-tasks`"):
        find(tmp_path, "tiny-task")
    with pytest.raises(LookupError, match=r"`tiny_tasks` was not collected in version 2; collected: 1\.0"):
        find(tmp_path, "tiny_tasks", "2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Fractal_Tasks.Core", "fractal-tasks-core"),
        ("a__b--c..d", "a-b-c-d"),
        ("My Task", "my-task"),
        ("../../etc", "etc"),
        ("Già", "già"),
        ("..", ""),
    ],
)
def test_names_are_compared_in_one_form_that_stays_in_its_directory(name: str, expected: str) -> None:
    assert normal(name) == expected


def test_versions_name_directories() -> None:
    assert all(map(is_version, ("1.0", "2!1.0rc1+local.1", "nightly-3")))
    assert not any(map(is_version, ("", ".", "..", "../1", "a/b", ".hidden", "1 0", "1\n")))


def test_the_second_of_two_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    first = add(tmp_path, "tiny", "1.0", active=False)
    with pytest.raises(FileExistsError):
        add(tmp_path, "tiny", "1.0")
    assert first.read()["active"] is False
    assert [path.name for path in (tmp_path / "packages").iterdir()] == ["tiny"]


def test_whatever_is_not_finished_does_not_count_and_goes(tmp_path: Path) -> None:
    with workshop(tmp_path) as shop:
        (shop / "package/venv").mkdir(parents=True)
        assert every(tmp_path) == []
    assert list((tmp_path / "packages").iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.this_process().to_json() | {"pid": dead.pid}
    dead.kill()
    dead.communicate()
    for name, content in ((".new-dead", owner), (".new-alive", Owner.this_process().to_json())):
        (packages / name / "package/venv").mkdir(parents=True)
        (packages / name / "owner.json").write_text(json.dumps(content))
    (packages / ".new-begun").mkdir()  # nobody knows whose; it is fresh
    (packages / ".old-1-1/venv").mkdir(parents=True)
    (packages / "tiny/1.0").mkdir(parents=True)  # no package: it has no record
    assert every(tmp_path) == []
    with workshop(tmp_path):
        left = {path.name for path in packages.iterdir() if path.name.startswith(".")}
    assert {name for name in left if name[:5] in (".old-", ".new-")} >= {".new-alive", ".new-begun"}
    assert not left & {".new-dead", ".old-1-1"}


def test_a_directory_without_record_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "packages/tiny/1.0/venv/bin").mkdir(parents=True)
    assert add(tmp_path, "tiny", "1.0").active


def test_an_environment_and_a_package_vanish_at_once(tmp_path: Path) -> None:
    package = add(tmp_path, "tiny", "1.0")
    add(tmp_path, "tiny", "2.0")
    assert package.active
    package.remove_venv()
    package.remove_venv()
    assert not package.venv.exists()
    assert not package.active
    package.remove()
    assert names(tmp_path) == ["tiny 2.0"]
    find(tmp_path, "tiny").remove()
    assert list((tmp_path / "packages").iterdir()) == []


def test_the_last_use_is_kept(tmp_path: Path) -> None:
    package = add(tmp_path, "tiny", "1.0")
    assert package.last_used is None
    package.touch()
    assert package.last_used is not None
    package.remove()
    package.touch()  # is no error


def test_a_damaged_or_later_record_is_named(tmp_path: Path) -> None:
    package = add(tmp_path, "tiny", "1.0")
    for text in ("{", "[]", '{"format": 99}'):
        (package.path / "package.json").write_text(text)
        with pytest.raises(UnreadableError, match=r"tiny/1\.0/package\.json"):
            package.read()
