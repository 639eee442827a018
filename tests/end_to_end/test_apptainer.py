"""The examples' images by Apptainer: the same results as by Docker, bit for bit, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, CommandLine, eventually

pytestmark = [pytest.mark.apptainer, pytest.mark.docker, pytest.mark.usefixtures("apptainer", "docker")]

KAAPANA, CYTOMINE = ROOT / "examples/kaapana/dicom-tools", ROOT / "examples/cytomine/count-nuclei"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sifs: Path) -> Path:
    """One home for all, so that a SIF is made once."""
    home = tmp_path_factory.mktemp("home")
    (home / "sif").symlink_to(sifs)
    return home


@pytest.fixture
def line(trivet: CommandLine, home: Path) -> CommandLine:
    return CommandLine(home, trivet.cwd)


def need(image: str) -> None:
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no image {image}: make images")


def both(line: CommandLine, *words: str) -> None:
    """Run with both runtimes, and compare every file and every value."""
    results = {}
    for runtime in ("apptainer", "docker"):
        done = line("run", *words, "--runtime", runtime, "--output", runtime, "--json", patience=250.0)
        answer = json.loads(done.stdout)
        assert answer["state"] == "FINISHED"
        text = json.dumps(answer["outputs"], sort_keys=True).replace(str(line.cwd / runtime), "")
        files = {
            str(path.relative_to(line.cwd / runtime)): path.read_bytes()
            for path in sorted((line.cwd / runtime).rglob("*"))
            if path.is_file() and path.name != "outputs.json"
        }
        record = json.loads((Path(answer["directory"]) / "run.json").read_text())
        results[runtime] = (text, files, record["usage"]["image_digests"])
    assert results["apptainer"] == results["docker"]
    assert results["docker"][1]


def test_kaapanas_example(line: CommandLine) -> None:
    need("dicom-tools:latest")
    subprocess.run([sys.executable, KAAPANA / "make_data.py", line.cwd / "scans"], check=True, capture_output=True)
    document = f"{KAAPANA}/processing-container.json#window-statistics"
    both(line, document, "--image", "dicom-tools:latest", "--input", "dicom=scans", "COLOUR_MAP=hot")


def test_cytomines_example(line: CommandLine) -> None:
    need("org/trivet/examples/count_nuclei:1.0.0")
    subprocess.run([sys.executable, CYTOMINE / "make_data.py", line.cwd / "tissue"], check=True, capture_output=True)
    both(line, str(CYTOMINE), "--input", "image=tissue/colon.png", "min_area=40")


def test_a_run_goes_on_after_its_driver_was_killed(line: CommandLine) -> None:
    need("dicom-tools:latest")
    gate = line.cwd / "gate"
    gate.mkdir()
    task = line.task(
        image="dicom-tools:latest",
        command=["sh", "-c", "echo begin; while [ ! -e {gate}/open ]; do sleep 0.05; done; echo end > {out}"],
        inputs={"gate": "directory"},
        outputs={"out": "string"},
    )
    runs = set(line.runs())
    driver = line.start("run", task, "--input", f"gate={gate}", "--runtime", "apptainer", "--json")
    [run] = eventually(lambda: set(line.runs()) - runs or None, "the run is there")
    eventually(lambda: any(b"begin" in path.read_bytes() for path in run.glob("logs/*.log")), "the container runs")
    os.killpg(driver.pid, 9)
    driver.communicate()
    (gate / "open").touch()

    def record() -> dict[str, Any] | None:
        line("runs")  # whoever looks takes it over
        found = json.loads((run / "run.json").read_text())
        return found if "result" in found else None

    found = eventually(record, "the run is over")
    assert found["result"]["outputs"] == {"out": "end\n"}
    assert found["usage"]["image_digests"]
