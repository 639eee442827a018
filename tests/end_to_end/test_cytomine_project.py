"""A new Cytomine task is built, tested, packed and run by the real command line, and broken where it counts."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import CommandLine

NAME = f"made-{os.getpid()}"
IMAGE = f"org/example/{NAME}:0.1.0"

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def image(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of a new task, built by its own test, which it passes."""
    place = tmp_path_factory.mktemp("made")
    trivet = CommandLine(place / "home", place)
    trivet("new", "cytomine", NAME)
    done = trivet("cytomine", "test", NAME, "--runtime", "docker", "--build-arg", f"BASE={base}", code=None)
    if "No matching distribution" in done.stderr:
        pytest.skip("the packages that the image needs can't be had")
    said = "ok what is no image\nok nothing is bright\nok two squares\n"
    assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert "3 cases, 0 failed" in done.stderr
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


@pytest.fixture
def project(trivet: CommandLine) -> Path:
    """A new task, to be broken."""
    trivet("new", "cytomine", NAME)
    return trivet.cwd / NAME


def _tried(trivet: CommandLine, image: str, *words: str) -> list[dict[str, Any]]:
    done = trivet("cytomine", "test", NAME, "--image", image, "--runtime", "docker", "--json", *words, code=1)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_what_differs_is_told_with_its_line(trivet: CommandLine, image: str, project: Path) -> None:
    case = project / "tests/squares.yml"
    case.write_text(case.read_text().replace("area: 25", "area: 26").replace("width: 16", "width: 17"))
    [one] = _tried(trivet, image, "--case", "squares", "--output", "kept")
    assert [(problem["code"], problem["line"]) for problem in one["problems"]] == [("C303", 7), ("C303", 15)]
    assert json.loads((trivet.cwd / "kept/squares/outputs.json").read_text())["area"] == 25
    assert (trivet.cwd / "kept/squares/mask.png").exists()


def test_another_end_than_expected_is_told(trivet: CommandLine, image: str, project: Path) -> None:
    (project / "tests/nothing.yml").write_text("inputs: {image: data/squares.png}\nexit_code: 3\n")
    (project / "tests/bad.yml").write_text("inputs: {image: data/broken.png}\n")
    (project / "tests/squares.yml").write_text("inputs: {image: data/none.png}\n")
    bad, nothing, squares = _tried(trivet, image)
    assert [problem["code"] for problem in nothing["problems"]] == ["C304"]
    assert [problem["code"] for problem in bad["problems"]] == ["C304"]
    assert [problem["code"] for problem in squares["problems"]] == ["B003"]
    assert (bool(bad["run"]), bool(squares["run"])) == (True, False)


def test_packed_unpacked_and_run(trivet: CommandLine, image: str, project: Path) -> None:
    done = trivet("cytomine", "pack", NAME, "--image", image, "--runtime", "docker")
    assert done.stdout == f"org.example.{NAME}-0.1.0.zip\n"
    bundle = trivet.cwd / done.stdout.strip()
    assert trivet("check", str(bundle), "--strict").returncode == 0
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == ["descriptor.yml", f"org.example.{NAME}-0.1.0.tar"]
    assert trivet("cytomine", "test", NAME, "--bundle", str(bundle), "--runtime", "docker").returncode == 0
    # Values from a file, then from the directory that the first run laid out, then from words.
    (trivet.cwd / "values.yml").write_text(f"image: {NAME}/tests/data/squares.png\nthreshold: 160\n")
    first = trivet("run", str(bundle), "--values", "values.yml", "--runtime", "docker", "--json")
    outputs = json.loads(first.stdout)["outputs"]
    assert outputs["area"] == 16
    laid_out = trivet.cwd / "in"
    laid_out.mkdir()
    (laid_out / "image").symlink_to(project / "tests/data/squares.png")
    (laid_out / "threshold").write_text("160\n")
    second = trivet("run", str(bundle), "--inputs-from", "in", "--runtime", "docker", "--json")
    assert json.loads(second.stdout)["outputs"]["box"] == outputs["box"]
    third = trivet("run", str(bundle), "--inputs-from", "in", "threshold=100", "--runtime", "docker", "--json")
    assert json.loads(third.stdout)["outputs"]["area"] == 25


def test_what_is_too_large_is_refused_before_it_starts(trivet: CommandLine, image: str, project: Path) -> None:
    word = f"image={project / 'tests/data/squares.png'}"
    done = trivet("run", NAME, word, "--image", image, "--memory", "900Ti", "--gpus", "99", code=1)
    assert done.stderr.count("error B016") == 2
    (project / "tests/data/text.png").write_text("no picture")
    done = trivet("run", NAME, f"image={project / 'tests/data/text.png'}", "--image", image, code=1)
    assert "C210 input `image` has an unknown format" in done.stderr
    assert trivet.runs() == []
