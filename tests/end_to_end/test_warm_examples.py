"""Every task of the example package of Fractal tasks, with units that are forked and units that are not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trivet

from .conftest import ROOT

PACKAGE = ROOT / "examples/fractal/tiny-tasks"
ENVIRONMENT = ROOT / ".venv-tiny-tasks"
CHANGING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}|\d{8}-\d{6}-\w+")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm units need Linux")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ENVIRONMENT / "bin/python").exists():
        pytest.skip("needs the environment of the example: scripts/prepare.sh demo")
    folder = tmp_path_factory.mktemp("images")
    subprocess.run([ENVIRONMENT / "bin/python", PACKAGE / "make_data.py", folder], check=True, capture_output=True)
    return folder


def test_all_tasks_of_the_example_both_ways(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trivet.engines.messages.WORTH", 1)  # also where a task has one unit only
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    plates = tmp_path / "plates"
    left = []
    for cold in (True, False):
        shutil.rmtree(plates, ignore_errors=True)
        told = chain(images, plates, tmp_path / f"home-{cold}", cold)
        files = {path.relative_to(plates): path.read_bytes() for path in plates.rglob("*") if path.is_file()}
        left.append((told, files))
    (cold_told, cold_files), (warm_told, warm_files) = left
    assert warm_told == cold_told
    assert warm_files.keys() == cold_files.keys()
    assert [name for name in warm_files if warm_files[name] != cold_files[name]] == []
    assert len(warm_files) > 50


def chain(images: Path, plates: Path, home: Path, cold: bool) -> list[Any]:
    """Convert, segment, project, measure; what each unit said, and what it gave."""
    told = []

    def run(task: str, **values: Any) -> Any:
        [loaded] = trivet.load(f"{PACKAGE}#{task}", python=str(ENVIRONMENT))
        done = trivet.run(trivet.call(loaded, values), home=home, cold=cold)
        assert done.result is not None
        assert done.result.state == "FINISHED", done.result
        logs = {unit: CHANGING.sub("…", log.decode()) for unit, log in done.logs().items()}
        assert logs
        told.append((task, logs, done.result.outputs, [(name, one and one.exit_code) for name, one in done.units()]))
        record = (done.directory.path / "worker/record.jsonl").read_text()
        assert '["cold"' not in record
        return done.result.outputs

    names = {"01": "haematoxylin", "02": "DAB"}
    made = run("Convert images", zarr_dir=str(plates), image_dir=str(images), channel_names=names)["zarr_urls"]
    run("Segment nuclei", zarr_url=made, background_sigma=15, min_size=30)
    run("Project wells", zarr_urls=made, zarr_dir=str(plates))
    run("Measure nuclei", zarr_urls=made, zarr_dir=str(plates))
    return told
