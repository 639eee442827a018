"""Tasks of version 1 as steps of jobs, from a workflow file of an old server, on a real image."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, CommandLine

PACKAGE = ROOT / "examples/fractal-v1"
SCRIPTS = PACKAGE / "src/old_plate_tasks"
SOURCE = "pip_remote:old_plate_tasks:0.1.0::py3.9::"
WELLS = ["plate.zarr/B/03", "plate.zarr/B/04"]


def step(slug: str, **args: Any) -> dict[str, Any]:
    return {"meta": None, "args": args, "task": {"source": SOURCE + slug}}


@pytest.fixture
def lab(trivet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The example's tasks are collected, and images lie in a folder."""
    helper = ROOT / "compat/fractal-tasks-core-v1/src"
    monkeypatch.setenv("PYTHONPATH", f"{helper}:{PACKAGE}/src")
    subprocess.run([sys.executable, PACKAGE / "make_data.py", trivet.cwd / "images"], check=True, capture_output=True)
    scripts = ("--python", sys.executable, "--package-root", str(SCRIPTS))
    known_as = ("--label", "old-plate-tasks", "--version", "0.1.0")
    trivet("fractal", "collect", "--custom", str(SCRIPTS / "__FRACTAL_MANIFEST__.json"), *scripts, *known_as)
    return trivet


def workflow(lab: CommandLine, *steps: Any) -> str:
    path = lab.cwd / "old.json"
    path.write_text(json.dumps({"name": "old", "task_list": steps}))
    return str(path)


def run(lab: CommandLine, *words: str, code: int = 0) -> Any:
    done = lab("job", "run", workflow(lab, *chain(lab)), "--zarr-dir", "plates", *words, "--json", code=code)
    return json.loads(done.stdout)


def chain(lab: CommandLine) -> list[Any]:
    return [
        step("create_ome-zarr_structure", input_paths=[str(lab.cwd / "images")]),
        step("convert_images"),
        step("copy_ome-zarr_structure", suffix="mip"),
        step("project_images"),
        step("measure_wells"),
    ]


def images(lab: CommandLine) -> dict[str, Any]:
    exported = json.loads(lab("dataset", "export", "old").stdout)
    home = exported["zarr_dir"] + "/"
    return {image["zarr_url"].removeprefix(home): image for image in exported["images"]}


def folder(lab: CommandLine) -> Path:
    return sorted((lab.home / "jobs").iterdir())[-1]


def test_an_old_workflow_makes_images_and_replaces_them_by_projections(lab: CommandLine) -> None:
    assert run(lab)["state"] == "FINISHED"
    listed = images(lab)
    old = [f"{well}/{field}" for well in WELLS for field in (0, 1)]
    new = [name.replace("plate.zarr", "plate_mip.zarr") for name in old]
    assert list(listed) == [*old, *new]
    assert [image["types"] for image in listed.values()] == [{"v1_current": False}] * 4 + [{"v1_current": True}] * 4
    assert listed[new[3]]["origin"] == listed[old[3]]["zarr_url"]
    assert listed[new[3]]["attributes"] == {"plate": "plate_mip.zarr", "well": "B04"}
    measured = sorted(path.name for path in (lab.cwd / "plates/intensities").iterdir())
    assert measured == ["plate_mip.zarr_B_03.csv", "plate_mip.zarr_B_04.csv"]

    metadata = json.loads((folder(lab) / "metadata.json").read_text())
    assert metadata["image"] == new
    assert "measured_images" not in metadata
    assert "`measured_images` is ignored" in (folder(lab) / "workflow.log").read_text()
    history = json.loads((folder(lab) / "history.json").read_text())
    assert [entry["status"] for entry in history] == ["done"] * 5
    assert history[4]["parallelization"] == {
        "parallelization_level": "well",
        "component_list": ["plate_mip.zarr/B/03", "plate_mip.zarr/B/04"],
    }


def test_a_second_job_goes_on_with_what_the_first_left(lab: CommandLine) -> None:
    run(lab, "--last", "3")
    run(lab, "--first", "4", "--attribute", "well=B04", "--gather-parallel-output")
    assert [path.name for path in (lab.cwd / "plates/intensities").iterdir()] == ["plate_mip.zarr_B_04.csv"]
    assert json.loads((folder(lab) / "metadata.json").read_text())["measured_images"] == [2]
    run(lab, "--first", "4", "--attribute", "well=B03")
    assert json.loads((folder(lab) / "metadata.json").read_text())["measured_images"] == [2]


def test_a_step_that_fails_leaves_the_dataset_as_it_was(lab: CommandLine) -> None:
    run(lab, "--last", "1")
    before = images(lab)
    result = run(lab, "--first", "0", "--last", "1", code=1)
    assert result["state"] == "FAILED"
    assert images(lab) == before
    history = json.loads((folder(lab) / "history.json").read_text())
    assert [entry["status"] for entry in history] == ["failed"]


def test_only_what_failed_is_done_again(lab: CommandLine) -> None:
    run(lab, "--last", "3")
    broken = lab.cwd / "plates/plate_mip.zarr/B/03/1/0/.zarray"
    kept = broken.read_text()
    broken.write_text("{")
    run(lab, "--first", "4", code=1)
    statuses = json.loads(lab("job", "show", "last", "--images", "4", "--json").stdout)
    assert list(statuses.values()) == ["unset"] * 4 + ["failed", "failed", "done", "done"]
    broken.write_text(kept)
    run(lab, "--first", "4", "--only", "failed")
    [unit] = (folder(lab) / "4_measure_wells").glob("*args.json")
    assert json.loads(unit.read_text())["component"] == "plate_mip.zarr/B/03"


def test_arguments_are_looked_at_before_anything_starts(lab: CommandLine) -> None:
    path = workflow(lab, step("create_ome-zarr_structure", overwrite="maybe"), step("no_such_task"))
    told = lab("job", "run", path, "--zarr-dir", "plates", code=1).stderr
    assert "no_such_task" in told
    path = workflow(lab, step("create_ome-zarr_structure", overwrite="maybe"))
    assert "overwrite" in lab("job", "run", path, "--zarr-dir", "plates", code=1).stderr
    assert not (lab.home / "jobs").exists()
