"""The example package of version 1 through the real command line, on a real image."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from skimage.io import imread

from .conftest import ROOT, CommandLine

PACKAGE = ROOT / "examples/fractal-v1"
CREATE, CONVERT, COPY = "Create OME-Zarr structure", "Convert images", "Copy OME-Zarr structure"
PROJECT, MEASURE = "Project images", "Measure wells"


@dataclass(frozen=True)
class OldTasks:
    """The example's tasks by their names, with what their scripts import at hand."""

    trivet: CommandLine

    def __call__(self, name: str, *words: str, inputs: str = "images", code: int = 0) -> Any:
        given = (f"{PACKAGE}#{name}", f"input_paths={self.folder / inputs}", f"output_path={self.folder}/out", *words)
        done = self.trivet("run", *given, "--json", code=code)
        return json.loads(done.stdout) if done.stdout else done.stderr

    @property
    def folder(self) -> Path:
        return self.trivet.cwd


@pytest.fixture
def run(trivet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> OldTasks:
    helper = ROOT / "compat/fractal-tasks-core-v1/src"
    monkeypatch.setenv("PYTHONPATH", f"{helper}:{PACKAGE}/src")
    subprocess.run([sys.executable, PACKAGE / "make_data.py", trivet.cwd / "images"], check=True, capture_output=True)
    return OldTasks(trivet)


CHAIN = ("--input", "metadata=run:last/metadata")


def test_the_manifest_has_no_problems(trivet: CommandLine) -> None:
    assert trivet("check", str(PACKAGE)).stderr == "1 file, 0 errors, 0 warnings\n"


def test_a_chain_of_old_tasks_by_their_metadata(run: OldTasks) -> None:
    out = run.folder / "out"
    made = run(CREATE)["outputs"]["metadata"]
    assert made["well"] == ["plate.zarr/B/03", "plate.zarr/B/04"]
    assert made["image"] == [f"plate.zarr/B/{column}/{field}" for column in ("03", "04") for field in (0, 1)]
    assert run(CONVERT, *CHAIN)["outputs"]["metadata"] == made
    stack = [imread(run.folder / f"images/B04_F002_Z{plane:02d}.pgm") for plane in (1, 2, 3)]
    assert np.array_equal(zarr.open_array(out / "plate.zarr/B/04/1/0", mode="r")[0], np.stack(stack))

    metadata = run(COPY, *CHAIN, inputs="out")["outputs"]["metadata"]
    assert metadata["plate"] == ["plate_mip.zarr"]
    assert metadata["num_levels"] == 1
    run(PROJECT, *CHAIN)
    projected = zarr.open_array(out / "plate_mip.zarr/B/04/1/0", mode="r")[0]
    assert np.array_equal(projected, np.max(stack, axis=0)[np.newaxis])

    measured = run(MEASURE, *CHAIN, "--gather-parallel-output")
    assert measured["outputs"]["metadata"] == {**metadata, "measured_images": [2, 2]}
    table = (out / "intensities/plate_mip.zarr_B_04.csv").read_text()
    assert [int(row["max"]) for row in csv.DictReader(table.splitlines())][1] == np.max(stack)


def test_one_component_by_its_name(run: OldTasks) -> None:
    run(CREATE)
    run(CONVERT, *CHAIN, "component=plate.zarr/B/03/1")
    written = sorted((run.folder / "out/plate.zarr").glob("*/*/*/0"))
    assert [str(path.relative_to(run.folder / "out")) for path in written] == ["plate.zarr/B/03/1/0"]


def test_what_can_be_known_to_be_wrong_is_said_before_a_run_exists(run: OldTasks) -> None:
    assert "F030" in run(MEASURE, code=1)
    assert "parallel tasks of version 1" in run(CREATE, "--gather-parallel-output", code=2)
    assert run.trivet.runs() == []


def test_a_failed_task_says_why_and_ends_with_its_code(run: OldTasks) -> None:
    run(CREATE)
    failed = run(CREATE, code=1)
    assert failed["reason"] == "exit_code"
    assert "FileExistsError" in run.trivet("logs", "last").stdout


@pytest.mark.parametrize("level", [None, "something"])
def test_the_guides_own_task_is_a_command_of_any_kind(run: OldTasks, level: str | None) -> None:
    """ "My Task" of the legacy guide: not necessarily Python, with a level of its own."""
    script = run.folder / "my task.sh"
    script.write_text("""#!/bin/sh
grep -q '"argument_A": "7"' "$2" && echo '{"nothing": "to add"}' > "$4"
""")
    script.chmod(0o755)
    meta = json.dumps({"parallelization_level": level} if level else {})
    run.trivet(
        "fractal",
        "collect",
        "--v1",
        "--name",
        "My Task",
        "--command",
        f"'{script}'",
        "--source",
        "my_custom_task",
        "--input-type",
        "Any",
        "--output-type",
        "Any",
        "--meta",
        meta,
    )
    words = ("input_paths=.", "output_path=.", "argument_A=7", 'metadata={"something": ["one", "two"]}')
    done = run.trivet("run", "My Task", *words, "--json")
    metadata = json.loads(done.stdout)["outputs"]["metadata"]
    assert metadata == {"something": ["one", "two"], **({} if level else {"nothing": "to add"})}
    assert "the units say of `nothing` is ignored" in done.stderr or level is None
