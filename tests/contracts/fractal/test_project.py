"""A new package: faultless, its tests pass, its manifest is what the public tool makes of it, and it runs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from trivet.cli import main
from trivet.contracts.fractal.project import files

ROOT = Path(__file__).resolve().parents[3]
TASKS = ROOT / ".venv-tiny-tasks/bin"
"""An environment with what the tasks of such a package need, and with the public tool."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert main(["new", "fractal", "my-tasks", "--output", str(tmp_path / "project")]) == 0
    return tmp_path / "project"


def run(project: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    if not (TASKS / program).exists():
        pytest.skip(f"{TASKS} is not there: scripts/prepare.sh test makes it")
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    return subprocess.run(
        [TASKS / program, *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_new_package_passes_its_own_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--strict", str(project)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().err


def test_the_tests_of_a_new_package_pass(project: Path) -> None:
    done = run(project, "python", "-m", "unittest", "discover", "tests")
    assert done.returncode == 0, done.stderr
    assert "Ran 3 tests" in done.stderr


def test_the_public_tool_finds_its_manifest_current(project: Path) -> None:
    done = run(project, "fractal-manifest", "check", "--package", "my_tasks")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "On-disk manifest is up to date" in done.stderr


def test_nothing_of_the_template_is_left(project: Path) -> None:
    for path in project.rglob("*"):
        assert "@" not in path.name
        if path.is_file():
            assert "@NAME@" not in path.read_text()
            assert "@MODULE@" not in path.read_text()
    manifest = json.loads((project / "src/my_tasks/__FRACTAL_MANIFEST__.json").read_text())
    assert manifest["authors"] == "The authors of my-tasks"


@pytest.mark.parametrize("name", ["My-Tasks", "1st", "a--b", "-a", "a-", "a b", "", "class", "a.b", "ä", "a" * 64])
def test_what_cannot_be_a_name_is_refused_with_one_that_can(name: str) -> None:
    with pytest.raises(ValueError, match=r"can't be the name of a package") as refused:
        files(name)
    proposed = str(refused.value).rpartition(" ")[2]
    assert files(proposed)


@pytest.mark.parametrize("name", ["a", "my-tasks", "my_tasks", "t3"])
def test_what_can_be_a_name_is_taken(name: str) -> None:
    assert f"src/{name.replace('-', '_')}/__init__.py" in files(name)
