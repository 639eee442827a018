"""What runs here runs on a cluster, unchanged and with the same results: the examples of every contract."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, CommandLine, eventually

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm"), pytest.mark.timeout(600)]

PLATE, TINY = ROOT / "examples/fractal/nuclei-plate", ROOT / "examples/fractal/tiny-tasks"
KAAPANA, CYTOMINE = ROOT / "examples/kaapana/dicom-tools", ROOT / "examples/cytomine/count-nuclei"
TINY_TASKS = ROOT / ".venv-tiny-tasks"
LIMITS = {
    "target_cpus_per_job": 2,
    "max_cpus_per_job": 2,
    "target_mem_per_job": 4000,
    "max_mem_per_job": 4000,
    "target_num_jobs": 6,
    "max_num_jobs": 6,
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.json"
    default = {"partition": "main", "cpus_per_task": 1, "mem": 1000}
    path.write_text(json.dumps({"default_slurm_config": default, "batching_config": LIMITS}))
    return path


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def same(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_a_workflow_of_public_fractal_tasks(
    trivet: CommandLine, site: Path, fractal_core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # a column of a table is in the order of a set
    subprocess.run([fractal_core / "bin/python", PLATE / "make_plate.py", trivet.cwd / "data"], check=True, timeout=120)
    left: dict[str, Any] = {}
    for name, words in (("local", ()), ("cluster", ("--engine", "slurm", "--site", str(site)))):
        plates = trivet.cwd / name
        shutil.copytree(trivet.cwd / "data/plates", plates)
        trivet("dataset", "create", name, "--zarr-dir", str(plates))
        asked = ("job", "run", str(PLATE / "workflow.json"), "--dataset", name, "--python", str(fractal_core))
        answer = json.loads(trivet(*asked, *words, "--json", patience=300).stdout)
        assert answer["state"] == "FINISHED"
        shown = json.loads(trivet("dataset", "show", name, "--json").stdout)["images"]
        images = json.loads(json.dumps(shown).replace(str(plates), "PLATES"))
        left[name] = files(plates), images, [(step["units"], step["done"]) for step in answer["steps"]]
        assert (Path(answer["directory"]) / "slurm").exists() is (name == "cluster")
        for one in json.loads(trivet("job", "show", answer["id"], "--efficiency", "--json").stdout):
            assert one["memory"]["largest"] > 0
            assert name == "local" or one["memory"]["asked"] == 1000 * 2**20
    assert left["local"][1:] == left["cluster"][1:]
    same(left["local"][0], left["cluster"][0])
    plate = left["cluster"][0]
    assert any("labels/nuclei/0/" in path for path in plate)
    assert any(path.endswith("tables/nuclei/table.csv") for path in plate)


def test_the_example_package_of_fractal_tasks(trivet: CommandLine, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (TINY_TASKS / "bin/python").exists():
        pytest.skip("needs the environment of the example: scripts/prepare.sh demo")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    python = ("--python", str(TINY_TASKS))
    subprocess.run([TINY_TASKS / "bin/python", TINY / "make_data.py", trivet.cwd / "images"], check=True)
    names = 'channel_names={"01": "haematoxylin", "02": "DAB"}'
    left = []
    for words in ((), ("--engine", "slurm", "--site", str(site))):
        out = trivet.cwd / "out"
        shutil.rmtree(out, ignore_errors=True)
        for task, *values in (
            ("Convert images", "--input", "image_dir=images", "zarr_dir=out", names),
            ("Project wells", "--input", "zarr_urls=run:last/zarr_urls", "zarr_dir=out"),
            ("Segment nuclei", "--input", "zarr_url=run:last/zarr_urls", "background_sigma=20"),
            ("Measure nuclei", "--input", "zarr_urls=run:last/zarr_urls", "zarr_dir=out"),
        ):
            trivet("run", f"{TINY}#{task}", *python, *values, *words, patience=200)
        left.append(files(out))
    same(*left)
    assert len((trivet.cwd / "out/nuclei.csv").read_text().splitlines()) > 10


def need(image: str) -> None:
    if not shutil.which("docker"):
        pytest.skip("no Docker to compare with")
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no image {image}: make images")


def both(line: CommandLine, site: Path, *words: str) -> None:
    """Run by Docker here and by Apptainer there, and compare every file and every value."""
    results = []
    for where, how in (("here", ("--runtime", "docker")), ("there", ("--engine", "slurm", "--site", str(site)))):
        done = line("run", *words, *how, "--output", where, "--json", patience=400)
        answer = json.loads(done.stdout)
        assert answer["state"] == "FINISHED"
        text = json.dumps(answer["outputs"], sort_keys=True).replace(str(line.cwd / where), "")
        left = files(line.cwd / where)
        left.pop("outputs.json", None)
        record = json.loads((Path(answer["directory"]) / "run.json").read_text())
        results.append((text, left, record["usage"]["image_digests"]))
        assert not (Path(answer["directory"]) / "scratch").exists()
    assert results[0] == results[1]
    assert results[0][1]


@pytest.mark.apptainer
@pytest.mark.docker
@pytest.mark.usefixtures("apptainer")
class TestContainers:
    """Images of the examples, as files that Apptainer runs."""

    @pytest.fixture(autouse=True)
    def files_made_once(self, trivet: CommandLine, sifs: Path) -> None:
        trivet.home.mkdir()
        (trivet.home / "sif").symlink_to(sifs)

    def test_kaapanas_example(self, trivet: CommandLine, site: Path) -> None:
        need("dicom-tools:latest")
        subprocess.run(
            [sys.executable, KAAPANA / "make_data.py", trivet.cwd / "scans"], check=True, capture_output=True
        )
        document = f"{KAAPANA}/processing-container.json#window-statistics"
        both(trivet, site, document, "--image", "dicom-tools:latest", "--input", "dicom=scans", "COLOUR_MAP=hot")

    def test_cytomines_example(self, trivet: CommandLine, site: Path) -> None:
        need("org/trivet/examples/count_nuclei:1.0.0")
        subprocess.run(
            [sys.executable, CYTOMINE / "make_data.py", trivet.cwd / "tissue"], check=True, capture_output=True
        )
        both(trivet, site, str(CYTOMINE), "--input", "image=tissue/colon.png", "min_area=40")


def test_a_job_that_waits_says_why_and_what_comes_first(trivet: CommandLine, site: Path) -> None:
    """Others have the whole cluster; one of them waits, too, and comes first."""
    task = trivet.task(command=["true"], inputs={"n": "integer"})
    others = []
    for _ in range(2):
        asked = [
            "sbatch",
            "--parsable",
            "--nodes=3",
            "--exclusive",
            "--time=5",
            "--output=/dev/null",
            "--wrap=sleep 300",
        ]
        others.append(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    try:
        running = ["squeue", "-h", "--states=RUNNING", f"--jobs={others[0]}"]
        eventually(lambda: subprocess.run(running, capture_output=True, check=True).stdout, "one of them runs")
        driver = trivet.start("run", task, "n=1", "n=2", "--each", "n", "--engine", "slurm", "--site", str(site))
        assert driver.stderr is not None
        words = next(line for line in driver.stderr if "come" in line)
        assert re.search(r"PENDING  SLURM job \d+ waits .+; 1 job of its partition comes first", words)
        shown = json.loads(trivet("runs", "--json").stdout)[0]
        assert shown["state"] == "PENDING"
        assert shown["message"].startswith("2 waiting: SLURM job ")
    finally:
        subprocess.run(["scancel", *others], check=True)
    rest = driver.communicate(timeout=60)[1]
    assert driver.returncode == 0, rest


def test_units_that_need_more_than_the_site_gives_have_it_the_second_time(trivet: CommandLine, site: Path) -> None:
    data = json.loads(site.read_text())
    data["default_slurm_config"]["mem"] = 100
    site.write_text(json.dumps(data))
    task = trivet.task(command=["python3", "-c", "x = bytearray(150 << 20); x[::4096] = b'1' * len(x[::4096])"])
    on_slurm = ("--engine", "slurm", "--site", str(site))
    done = trivet("run", task, *on_slurm, code=137)
    assert "FAILED (oom)" in done.stderr
    assert "(100 MB)" in done.stderr
    trivet("run", task, *on_slurm, "--retries", "1")
    [phase] = json.loads(trivet("show", "run:last", "--json").stdout)["efficiency"]
    assert phase["memory"]["asked"] == 200 * 2**20
    assert phase["memory"]["largest"] > 150 * 2**20
