"""A new container project is built, tested and run by the real command line, and broken in every way that counts."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import CommandLine

NAME = f"trivet-made-{os.getpid()}"
IMAGE = f"{NAME}:trivet-test"

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def image(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of a new project, built by its own test, which it passes."""
    place = tmp_path_factory.mktemp("made")
    trivet = CommandLine(place / "home", place)
    trivet("new", "kaapana", NAME)
    done = trivet("kaapana", "test", NAME, "--runtime", "docker", "--build-arg", f"BASE={base}", code=None)
    assert (done.returncode, done.stdout) == (0, f"ok measure ({NAME}/tasks/measure.json)\n"), done.stderr
    assert f"{IMAGE}: 1 run, 0 failed, 0 not tried out" in done.stderr
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


@pytest.fixture
def project(trivet: CommandLine) -> Path:
    """A new project, to be broken."""
    trivet("new", "kaapana", NAME)
    return trivet.cwd / NAME


def _tested(trivet: CommandLine, image: str, *words: str) -> subprocess.CompletedProcess[str]:
    return trivet("kaapana", "test", NAME, "--image", image, "--runtime", "docker", *words, code=1)


def test_an_output_that_differs_or_is_missing_is_told(trivet: CommandLine, image: str, project: Path) -> None:
    expected = project / "tasks/measure.expected/measurements"
    (expected / "disc/disc.csv").write_text("image,pixels,bright,mean\ndisc.pgm,256,1,1\n")
    (expected / "third").mkdir()
    (expected / "third/third.csv").touch()
    done = _tested(trivet, image, "--output", "kept")
    assert "K082 measurements/disc/disc.csv is not what was expected" in done.stdout
    assert "K082 measurements/third/third.csv was not made" in done.stdout
    assert "failed measure" in done.stdout
    kept = (trivet.cwd / "kept/measure/measurements/disc/disc.csv").read_text()
    assert kept == "image,pixels,bright,mean\ndisc.pgm,256,88,88.75\n"


def test_tasks_of_one_name_are_each_tried_out(trivet: CommandLine, image: str, project: Path) -> None:
    (project / "more").mkdir()
    shutil.copy(project / "tasks/measure.json", project / "more")
    done = trivet("kaapana", "test", NAME, "--image", image, "--runtime", "docker", "--output", "kept")
    assert done.stdout == f"ok measure ({NAME}/more/measure.json)\nok measure ({NAME}/tasks/measure.json)\n"
    assert {path.name for path in (trivet.cwd / "kept").iterdir()} == {"measure", "measure-2"}


def test_a_failing_item_fails_the_test_and_names_the_log(trivet: CommandLine, image: str, project: Path) -> None:
    (project / "test-data/images/broken").mkdir()
    (project / "test-data/images/broken/x.pgm").write_text("no image")
    done = _tested(trivet, image)
    assert "K081 exit_code" in done.stdout
    run = done.stdout.rstrip().rpartition("trivet logs ")[2]
    log = trivet("logs", run)
    assert "item failed: broken" in log.stdout + log.stderr


def test_a_template_without_a_task_is_told(trivet: CommandLine, image: str, project: Path) -> None:
    path = project / "processing-container.json"
    data = json.loads(path.read_text())
    data["templates"].append({**data["templates"][0], "identifier": "second"})
    path.write_text(json.dumps(data))
    done = _tested(trivet, image)
    assert "ok measure" in done.stdout
    assert "K083 template `second` is not tried out" in done.stdout


def test_an_image_that_can_not_be_built_is_told(trivet: CommandLine, project: Path, base: str) -> None:
    (project / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
    done = trivet("kaapana", "test", NAME, "--runtime", "docker", code=1)
    assert "the image could not be built (exit code 1)" in done.stderr


def test_a_step_of_the_build_that_fails_leaves_no_container(trivet: CommandLine, project: Path, base: str) -> None:
    (project / "Dockerfile").write_text(f'FROM {base}\nLABEL made="{NAME}"\nRUN ["/no-such-program"]\n')
    done = trivet("kaapana", "test", NAME, "--runtime", "docker", code=1)
    assert "the image could not be built" in done.stderr
    words = ["docker", "ps", "--all", "--quiet", "--filter", f"label=made={NAME}"]
    assert not subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_the_user_of_a_workflow_counts_over_the_task(trivet: CommandLine, image: str, project: Path) -> None:
    form = {"conf": {"task_form": {"measure": {"env": [{"name": "THRESHOLD", "value": 200}]}}}}
    (trivet.cwd / "request.json").write_text(json.dumps(form))
    words = ("run", f"{NAME}/tasks/measure.json", "--image", image, "--runtime", "docker", "--output", "out")
    trivet(*words, "--conf", "request.json", "--task-id", "measure", "STATISTIC=maximum")
    [row] = csv.DictReader((trivet.cwd / "out/measurements/disc/disc.csv").open())
    assert row == {"image": "disc.pgm", "pixels": "256", "bright": "88", "maximum": "220"}
    rows = list(csv.DictReader((trivet.cwd / "out/measurements/ramps/ramps.csv").open()))
    assert [row["bright"] for row in rows] == ["48", "24"]  # 16 grey values a row: 208, 224, 240 are bright
    record = trivet.record()
    assert record["values"]["THRESHOLD"] == 200
