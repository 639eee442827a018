"""The example package, run by its own interpreter on real images; results are compared with what the files say."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.io import imread

from trivet.contracts import detect, fractal
from trivet.contracts.source import load
from trivet.tasks.call import bind
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Outcome, RunResult, UnitResult

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "examples/fractal/tiny-tasks"
MANIFEST = PACKAGE / "src/tiny_tasks/__FRACTAL_MANIFEST__.json"
PREFIX = Path(os.environ.get("TRIVET_TINY_TASKS", ROOT / ".venv-tiny-tasks"))


def has(module: str) -> bool:
    python = PREFIX / "bin/python"
    found = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return python.is_file() and subprocess.run([python, "-c", found], check=False).returncode == 0


installed = pytest.mark.skipif(not has("tiny_tasks"), reason=f"tiny-tasks is not installed in {PREFIX}: see its README")
needs_ngio = pytest.mark.skipif(not has("ngio"), reason=f"ngio is not installed in {PREFIX}: pip install '.[ngio]'")


def python(program: str, *arguments: str | Path) -> str:
    command = [PREFIX / "bin/python", "-W", "ignore", "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pixels(path: str, scratch: Path) -> Any:
    """An array of a Zarr store, read by the zarr library alone."""
    file = scratch / "pixels.npy"
    python("import sys, zarr, numpy; numpy.save(sys.argv[2], zarr.open_array(sys.argv[1], mode='r')[...])", path, file)
    return np.load(file)


def run(root: Path, name: str, values: Mapping[str, Any]) -> tuple[RunResult, list[UnitResult]]:
    """A task run unit by unit, without any machinery but the contract."""
    document = fractal.read(replace(load(MANIFEST), prefix=PREFIX))
    task = next(task for task in fractal.tasks(document) if task.name == name)
    call = bind(task, values)
    results: list[UnitResult] = []
    phase, before = 0, list[UnitResult]()
    while (units := fractal.plan(call, phase, before)) is not None:
        before = []
        for unit in units:
            where = AttemptDirectory(unit.name, root / unit.name)
            invocation = fractal.stage(call, unit, where)
            done = subprocess.run(
                [*(invocation.command or ()), *invocation.args],
                cwd=invocation.workdir,
                capture_output=True,
                check=False,
            )
            before.append(fractal.collect(call, unit, where, Outcome(done.returncode)))
        results += before
        phase += 1
    return fractal.conclude(call, results), results


class Made:
    """Everything the example makes of the images of one row of wells."""

    def __init__(self, root: Path) -> None:
        self.root, self.images, self.data = root, root / "images", root / "data"
        subprocess.run([PREFIX / "bin/python", PACKAGE / "make_data.py", self.images], check=True, capture_output=True)
        for path in self.images.glob("C*"):
            path.unlink()
        names = {"01": "haematoxylin", "02": "DAB"}
        given = {"zarr_dir": str(self.data), "image_dir": FileRef(str(self.images)), "channel_names": names}
        self.converted = self.run("Convert images", **given)
        self.urls = self.converted.outputs["zarr_urls"]
        self.projected = self.run("Project wells", zarr_urls=self.urls, zarr_dir=str(self.data))
        self.segmented = self.run("Segment nuclei", zarr_url=self.urls, min_size=30)
        self.measured = self.run("Measure nuclei", zarr_urls=self.urls, zarr_dir=str(self.data))

    def run(self, name: str, **values: Any) -> RunResult:
        return run(self.root / name, name, values)[0]

    def field(self, well: str, field: int, channel: str = "01") -> Any:
        """The planes of a field as the files hold them."""
        return np.stack([imread(path) for path in sorted(self.images.glob(f"{well}_*F{field:03d}Z*C{channel}.png"))])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("tiny"))


def test_the_manifest_is_ours_and_has_no_problems() -> None:
    source = load(MANIFEST)
    assert detect(source) == "fractal"
    document = fractal.read(source)
    assert fractal.check(document) == []
    assert [(task.name, task.namespace, task.version) for task in fractal.tasks(document)] == [
        (name, "tiny-tasks", "0.1.0")
        for name in ("Convert images", "Segment nuclei", "Project wells", "Measure nuclei")
    ]


@installed
def test_the_public_tool_finds_the_manifest_up_to_date() -> None:
    command = [PREFIX / "bin/fractal-manifest", "check", "--package", "tiny-tasks"]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@installed
def test_the_plate_holds_the_pixels_of_the_files(made: Made, tmp_path: Path) -> None:
    assert made.converted.state is RunState.FINISHED, made.converted.message
    assert made.urls == [f"{made.data}/plate.zarr/B/{column}/{field}" for column in ("03", "04") for field in (0, 1)]
    stored = pixels(f"{made.urls[1]}/0", tmp_path)
    expected = np.stack([made.field("B03", 2, "01"), made.field("B03", 2, "02")])
    np.testing.assert_array_equal(stored, expected)
    halved = pixels(f"{made.urls[1]}/1", tmp_path)
    means = expected.reshape(2, 3, 128, 2, 64, 2).mean(axis=(3, 5))
    assert np.abs(halved - means).max() <= 0.5


@installed
def test_labels_are_the_large_objects_above_the_threshold(made: Made, tmp_path: Path) -> None:
    assert made.segmented.state is RunState.FINISHED, made.segmented.message
    updates = made.segmented.outputs["changes"]["image_list_updates"]
    assert [update["zarr_url"] for update in updates] == made.urls
    for number, (well, field) in enumerate([("B03", 1), ("B03", 2), ("B04", 1), ("B04", 2)]):
        image = made.field(well, field)
        parts, count = ndimage.label(image > threshold_otsu(image))
        large = [part for part in range(1, count + 1) if np.count_nonzero(parts == part) >= 30]
        labels = pixels(f"{made.urls[number]}/labels/nuclei/0", tmp_path)
        assert len(large) > 5
        assert updates[number]["attributes"] == {"nuclei": len(large)}
        np.testing.assert_array_equal(labels > 0, np.isin(parts, large))
        assert labels.max() == len(large)


@installed
def test_projections_are_maxima_side_by_side(made: Made, tmp_path: Path) -> None:
    assert made.projected.state is RunState.FINISHED, made.projected.message
    assert made.projected.outputs["zarr_urls"] == [
        f"{made.data}/plate_projected.zarr/B/03/0",
        f"{made.data}/plate_projected.zarr/B/04/0",
    ]
    stored = pixels(f"{made.data}/plate_projected.zarr/B/04/0/0", tmp_path)
    for number, channel in enumerate(("01", "02")):
        fields = [np.max(made.field("B04", field, channel), axis=0) for field in (1, 2)]
        np.testing.assert_array_equal(stored[number, 0], np.concatenate(fields, axis=1))


@installed
def test_the_table_sums_up_to_the_labels(made: Made, tmp_path: Path) -> None:
    assert made.measured.state is RunState.FINISHED, made.measured.message
    with (made.data / "nuclei.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number, (well, field) in enumerate([("B03", 1), ("B03", 2), ("B04", 1), ("B04", 2)]):
        labels = pixels(f"{made.urls[number]}/labels/nuclei/0", tmp_path)
        mine = [row for row in rows if (row["well"], row["image"]) == (well, str(field - 1))]
        assert sum(int(row["pixels"]) for row in mine) == np.count_nonzero(labels)
        assert len(mine) == labels.max()
        first = made.field(well, field, "02")[labels == int(mine[0]["label"])]
        assert float(mine[0]["mean_DAB"]) == pytest.approx(first.mean(), abs=0.001)
        depth = np.mean(np.nonzero(labels == 1)[1]) * 0.5
        assert float(mine[0]["y_um"]) == pytest.approx(depth, abs=0.001)


@installed
def test_what_the_task_refuses_fails_its_unit_only(made: Made, tmp_path: Path) -> None:
    plate = shutil.copytree(made.data / "plate.zarr", tmp_path / "copy.zarr")
    urls = [f"{plate}/B/03/0", f"{plate}/B/99/0"]
    result, units = run(tmp_path / "run", "Segment nuclei", {"zarr_url": urls})
    assert [unit.ok for unit in units] == [True, False]
    assert (result.state, result.reason, result.exit_code) == (RunState.FAILED, Reason.EXIT_CODE, 1)
    assert result.outputs["zarr_urls"] == urls[:1]


@installed
def test_an_older_plate_is_not_overwritten_unasked(made: Made, tmp_path: Path) -> None:
    given = {"zarr_dir": str(made.data), "image_dir": FileRef(str(made.images))}
    result, _ = run(tmp_path, "Convert images", given)
    assert (result.state, result.outputs["zarr_urls"]) == (RunState.FAILED, [])
    assert Path(made.urls[0], "labels").is_dir()


@installed
@needs_ngio
def test_the_plates_are_readable_by_ngio(made: Made) -> None:
    program = """
import json, sys, ngio
answers = {}
for name in ("plate", "plate_projected"):
    plate = ngio.open_ome_zarr_plate(f"{sys.argv[1]}/{name}.zarr")
    for path, image in plate.get_images().items():
        found = image.get_image()
        size = found.pixel_size
        answers[f"{name}/{path}"] = [list(found.shape), [size.z, size.y, size.x], image.list_labels()]
        if image.list_labels():
            answers[f"{name}/{path}"].append(int(image.get_label("nuclei").get_as_numpy().max()))
print(json.dumps(answers))
"""
    answers = json.loads(python(program, str(made.data)))
    counts = [update["attributes"]["nuclei"] for update in made.segmented.outputs["changes"]["image_list_updates"]]
    assert [answers.pop(f"plate/B/{column}/{field}") for column in ("03", "04") for field in (0, 1)] == [
        [[2, 3, 256, 128], [1.0, 0.5, 0.5], ["nuclei"], count] for count in counts
    ]
    assert answers == {
        f"plate_projected/B/{column}/0": [[2, 1, 256, 256], [1.0, 0.5, 0.5], []] for column in ("03", "04")
    }
