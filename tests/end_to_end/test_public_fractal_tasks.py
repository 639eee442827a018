"""A workflow of public Fractal tasks, from a plate whose nuclei are known to the table that measures them."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, CommandLine

EXAMPLE = ROOT / "examples/fractal/nuclei-plate"
NUCLEI = {"B03": 24, "C05": 17}
TASKS = ("import_ome_zarr", "project_image__hcs_plate_", "threshold_segmentation", "measure_features")
CHANGING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}|\d+\.\d+ ?s\b")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def data(fractal_core: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plate as OME-Zarr, and the truth about it."""
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([fractal_core / "bin/python", EXAMPLE / "make_plate.py", folder], check=True, timeout=120)
    return folder


def run(trivet: CommandLine, *words: str) -> Path:
    """Run the workflow; the job's directory."""
    answer = json.loads(trivet("job", "run", str(EXAMPLE / "workflow.json"), "--json", *words, patience=300).stdout)
    assert answer["state"] == "FINISHED"
    return Path(answer["directory"])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_command_measures_the_nuclei_of_a_plate(trivet: CommandLine, data: Path, fractal_core: Path) -> None:
    zarr = pytest.importorskip("zarr")
    plates = trivet.cwd / "plates"
    shutil.copytree(data / "plates", plates)
    job = run(trivet, "--zarr-dir", str(plates), "--python", str(fractal_core))

    [dataset] = json.loads(trivet("dataset", "list", "--json").stdout)
    images = json.loads(trivet("dataset", "show", dataset["name"], "--json").stdout)["images"]
    told = [(one["zarr_url"], one["attributes"], one["types"], one["origin"]) for one in images]
    assert told == [
        (f"{plates}/nuclei.zarr/B/03/0", {"plate": "nuclei.zarr", "well": "B03"}, {"is_3D": True}, None),
        (f"{plates}/nuclei.zarr/C/05/0", {"plate": "nuclei.zarr", "well": "C05"}, {"is_3D": True}, None),
        *(
            (
                f"{plates}/nuclei_mip.zarr/{well[0]}/{well[1:]}/0",
                {"plate": "nuclei_mip.zarr", "well": well},
                {"is_3D": False},
                f"{plates}/nuclei.zarr/{well[0]}/{well[1:]}/0",
            )
            for well in NUCLEI
        ),
    ]

    truth = rows(data / "truth.csv")
    for well, count in NUCLEI.items():
        image = plates / "nuclei_mip.zarr" / well[0] / well[1:] / "0"
        label = zarr.open_array(image / "labels/nuclei/0", mode="r")[...]
        assert sorted({int(value) for value in label.flat}) == list(range(count + 1))
        measured = rows(image / "tables/nuclei/table.csv")
        assert len(measured) == count
        drawn = sorted(float(row["area"]) for row in truth if row["well"] == well)
        found = sorted(float(row["area"]) for row in measured)
        assert found == pytest.approx(drawn, rel=0.15)
        assert not (plates / "nuclei.zarr" / well[0] / well[1:] / "0/labels").exists()

    for number, task in enumerate(TASKS):
        assert list(job.glob(f"{number}_{task}/*-args.json")), f"no files of {task}"
    log = (job / f"3_{TASKS[3]}/par-000000-0000001-log.txt").read_text()
    assert "END measure_features task" in log


def test_warm_and_cold_units_leave_the_same(
    trivet: CommandLine, data: Path, fractal_core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # a column of the table is in the order of a set
    left = {}
    for name, words in (("warm", ()), ("cold", ("--cold",))):
        plates = trivet.cwd / name
        shutil.copytree(data / "plates", plates)
        trivet("dataset", "create", name, "--zarr-dir", str(plates))
        job = run(trivet, "--dataset", name, "--python", str(fractal_core), *words)
        assert '["cold"' not in (job / "worker/record.jsonl").read_text()  # where a script can't be run warm
        left[name] = files(plates), told(plates, job)
    for warm, cold in zip(left["warm"], left["cold"], strict=True):
        assert warm.keys() == cold.keys()
        assert [name for name in warm if warm[name] != cold[name]] == []


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def told(plates: Path, job: Path) -> dict[str, Any]:
    """What each unit was given, said and logged, without what differs from day to day and place to place."""
    found = {}
    for folder in sorted(job.glob("[0-9]_*")):
        for path in folder.iterdir():
            text = path.read_text().replace(str(plates), "PLATES").replace(str(job), "JOB")
            found[f"{folder.name}/{path.name}"] = CHANGING.sub("…", text)
    assert len(found) >= 3 * 8
    return found
