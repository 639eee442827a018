"""The example's programs give the right numbers, and its documents run them."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from trivet.contracts import kaapana
from trivet.contracts.source import load
from trivet.tasks.call import bind
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Outcome

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/kaapana/dicom-tools"
ITEMS = ["ct-series", "ct-small", "mr-abdomen", "mr-small"]
WINDOW = {"WINDOW_CENTRE": "40", "WINDOW_WIDTH": "400", "INVERT": "false", "COLOUR_MAP": "grey"}


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    directory = tmp_path_factory.mktemp("kaapana") / "dicom"
    _module(EXAMPLE / "make_data.py").make(directory)
    return directory


@pytest.fixture
def programs(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE / "files"))
    names = ("series", "dicom_to_nrrd", "window_statistics")
    yield {name: _module(EXAMPLE / "files" / f"{name}.py") for name in names}
    for name in names:
        del sys.modules[name]


def _raw(path):
    """Rescaled values straight from the file's bytes."""
    dataset = pydicom.dcmread(path)
    kind = "<i2" if dataset.PixelRepresentation else "<u2"
    pixels = np.frombuffer(dataset.PixelData, kind, dataset.Rows * dataset.Columns).astype(float)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return (pixels * slope + intercept).reshape(dataset.Rows, dataset.Columns)


def _nrrd(path):
    header, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode("ascii").splitlines()[1:])
    sizes = [int(size) for size in fields["sizes"].split()]
    values = np.frombuffer(gzip.decompress(data), {"int16": "<i2", "int32": "<i4", "float": "<f4"}[fields["type"]])
    return fields, values.reshape(sizes[::-1])


def _vectors(text):
    return [[float(number) for number in vector.strip("()").split(",")] for vector in text.split()]


def _copied(channel, tmp_path, names):
    item = tmp_path / "item"
    item.mkdir(exist_ok=True)
    for name in names:
        (item / Path(name).name).write_bytes((channel / name).read_bytes())
    return item


def test_a_slice_becomes_a_volume(programs, channel, tmp_path):
    path = programs["dicom_to_nrrd"].convert(channel / "ct-small", tmp_path)
    fields, values = _nrrd(path)
    assert path.name == "ct-small.nrrd"
    assert np.array_equal(values[0], _raw(channel / "ct-small" / "CT_small.dcm"))
    assert int(values.sum()) == -1950906  # also what SimpleITK and pynrrd find
    assert fields["space"] == "left-posterior-superior"
    assert fields["sizes"] == "128 128 1"
    assert _vectors(fields["space directions"]) == [[0.661468, 0, 0], [0, 0.661468, 0], [0, 0, 5]]
    assert _vectors(fields["space origin"]) == [[-158.135803, -179.035797, -75.699997]]


def test_slices_are_ordered_in_space_not_by_name(programs, channel, tmp_path):
    fields, values = _nrrd(programs["dicom_to_nrrd"].convert(channel / "ct-series", tmp_path))
    files = sorted((channel / "ct-series").iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    assert [path.stem for path in files] == ["3353", "3023", "2693", "2392", "2062"]
    assert np.array_equal(values, [_raw(path) for path in files])
    assert _vectors(fields["space directions"])[2] == [0, 0, 2.5]
    assert _vectors(fields["space origin"]) == [[-72.199997, -143.0, -1.2375]]


def test_anisotropic_pixels_and_oblique_slices_keep_their_geometry(programs, channel, tmp_path):
    item = _copied(channel, tmp_path, ["ct-small/CT_small.dcm"])
    dataset = pydicom.dcmread(item / "CT_small.dcm")
    dataset.PixelSpacing = [2, 3]  # rows are 2 mm apart, columns 3 mm
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    dataset.SpacingBetweenSlices = 4
    dataset.save_as(item / "CT_small.dcm")
    fields, _ = _nrrd(programs["dicom_to_nrrd"].convert(item, tmp_path))
    assert np.allclose(_vectors(fields["space directions"]), [[0, 3, 0], [0, 0, -2], [-4, 0, 0]])


def test_a_slope_that_is_no_whole_number_gives_floats(programs, channel, tmp_path):
    item = _copied(channel, tmp_path, ["ct-small/CT_small.dcm"])
    dataset = pydicom.dcmread(item / "CT_small.dcm")
    dataset.RescaleSlope = "0.5"
    dataset.save_as(item / "CT_small.dcm")
    fields, values = _nrrd(programs["dicom_to_nrrd"].convert(item, tmp_path))
    assert fields["type"] == "float"
    assert np.allclose(values[0], _raw(item / "CT_small.dcm"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no DICOM"),
        (["ct-small/CT_small.dcm", "mr-small/MR_small.dcm"], "more than one series"),
        (["ct-series/2062.dcm", "ct-series/2392.dcm", "ct-series/3353.dcm"], "evenly spaced"),
    ],
)
def test_what_is_no_series_is_refused(programs, channel, tmp_path, names, words):
    item = _copied(channel, tmp_path, names)
    (item / "notes.txt").write_text("not an image")
    with pytest.raises(programs["series"].SeriesError, match=words):
        programs["dicom_to_nrrd"].convert(item, tmp_path)


def test_statistics_of_the_window(programs, channel, tmp_path):
    table, picture = programs["window_statistics"].describe(channel / "ct-small", tmp_path, WINDOW)
    values = _raw(channel / "ct-small" / "CT_small.dcm")
    [row] = csv.DictReader(table.open())
    assert (float(row["minimum"]), float(row["maximum"])) == (-896.0, 1167.0)
    assert float(row["mean"]) == pytest.approx(-1950906 / 128**2, abs=1e-4)
    assert float(row["deviation"]) == pytest.approx(values.std(), abs=1e-4)
    assert float(row["below"]) == pytest.approx(np.count_nonzero(values < -160) / values.size, abs=1e-6)
    assert float(row["above"]) == pytest.approx(np.count_nonzero(values > 240) / values.size, abs=1e-6)
    assert sum(float(row[name]) for name in ("below", "inside", "above")) == pytest.approx(1, abs=1e-5)
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape == (256, 256, 3)
    expected = np.round(np.clip((values + 160) / 400, 0, 1) * 255)
    assert np.array_equal(pixels[::2, ::2, 0], expected)


def test_variables_change_the_picture(programs, channel, tmp_path):
    def picture(**changes):
        _, path = programs["window_statistics"].describe(channel / "ct-small", tmp_path, WINDOW | changes)
        return np.asarray(Image.open(path)).astype(int)

    plain = picture()
    assert np.abs(picture(INVERT="True") + plain - 255).max() <= 1
    hot = picture(COLOUR_MAP="hot")
    assert (hot[..., 0] > hot[..., 2]).any()
    values = _raw(channel / "ct-small" / "CT_small.dcm")
    white = np.round(np.clip((values + 10) / 100, 0, 1) * 255) == 255
    assert np.array_equal((picture(WINDOW_WIDTH="100") == 255)[::2, ::2, 0], white)
    with pytest.raises(ValueError, match="at least 1"):
        picture(WINDOW_WIDTH="0")
    with pytest.raises(KeyError):
        picture(COLOUR_MAP="rainbow")


def test_every_slice_has_a_row_and_a_place_in_the_picture(programs, channel, tmp_path):
    table, picture = programs["window_statistics"].describe(channel / "ct-series", tmp_path, WINDOW)
    assert len(list(csv.DictReader(table.open()))) == 5
    assert Image.open(picture).size == (5 * 256, 256)


def _wrapper(program, source, target):
    environment = os.environ | WINDOW | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [
        "sh",
        str(EXAMPLE / "files/for-each-item.sh"),
        str(EXAMPLE / "files" / program),
        str(source),
        str(target),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_wrapper_takes_any_identifier_and_names_what_failed(channel, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out dir"
    names = ["- odd *item[1] é", "-n", ".hidden", "$(touch pwned)", "new\nline"]
    for name in names:
        (source / name).mkdir(parents=True)
        (source / name / "a.dcm").write_bytes((channel / "ct-small" / "CT_small.dcm").read_bytes())
    (source / "bad").mkdir()
    (source / "file-at-the-root.txt").touch()
    target.mkdir()
    ended = _wrapper("dicom_to_nrrd.py", source, target)
    assert ended.returncode == 1
    assert "item failed: bad" in ended.stderr
    assert "there is no DICOM image in it" in ended.stderr
    assert "5 items done, 1 failed" in ended.stdout
    assert sorted(path.name for path in target.iterdir()) == sorted(names)
    for name in names:
        assert [path.name for path in (target / name).iterdir()] == [f"{name}.nrrd"]


def test_an_empty_channel_fails(tmp_path):
    ended = _wrapper("dicom_to_nrrd.py", tmp_path, tmp_path)
    assert (ended.returncode, "no items" in ended.stderr) == (1, True)


def test_the_container_file_has_no_faults():
    source = load(EXAMPLE / "processing-container.json")
    document = kaapana.read(source)
    assert {problem.code for problem in kaapana.check(document)} <= {"K027"}
    assert [task.name for task in kaapana.tasks(document)] == ["dicom-to-nrrd", "window-statistics"]


@pytest.mark.parametrize("name", ["dicom-to-nrrd", "window-statistics"])
def test_the_tasks_fit_the_container_file(name):
    source = load(EXAMPLE / "tasks" / f"{name}.json")
    attached = {kaapana.CONTAINER_FILE: (EXAMPLE / "processing-container.json").read_text()}
    document = kaapana.read(type(source)(source.name, source.text, source.base, attached))
    assert {problem.severity for problem in kaapana.check(document)} <= {"info"}
    [task] = kaapana.tasks(document)
    assert task.program.reference == "dicom-tools:latest"
    [channel] = [port for port in task.inputs if port.type.is_file]
    assert Path(channel.default.path).resolve() == EXAMPLE / "data" / "dicom"


@pytest.mark.docker
def test_the_image_runs_as_its_container_file_says(channel, tmp_path):
    look = ["docker", "image", "inspect", "dicom-tools:latest"]
    if not shutil.which("docker") or subprocess.run(look, capture_output=True, check=False).returncode != 0:
        pytest.skip("there is no Docker daemon with an image dicom-tools:latest (docker build -t dicom-tools:latest)")
    document = kaapana.read(load(EXAMPLE / "processing-container.json"))
    [task] = [task for task in kaapana.tasks(document) if task.name == "window-statistics"]
    call = bind(task, {"dicom": FileRef(str(channel)), "INVERT": True})
    where = AttemptDirectory("run/0/1", tmp_path / "attempt")
    [unit] = kaapana.plan(call, 0, ())
    invocation = kaapana.stage(call, unit, where)
    command = ["docker", "run", "--rm", "--network=none", "--read-only", "--entrypoint", invocation.command[0]]
    command += [word for pair in invocation.environment.items() for word in ("-e", "=".join(pair))]
    for mount in invocation.mounts:
        access = "" if mount.writable else ",readonly"
        command += ["--mount", f"type=bind,source={mount.source},target={mount.target}{access}"]
    ended = subprocess.run([*command, "dicom-tools:latest", *invocation.command[1:]], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = kaapana.collect(call, unit, where, Outcome(0))
    assert result.ok
    assert result.problems == ()
    statistics = Path(result.outputs["statistics"].path)
    assert sorted(path.name for path in statistics.iterdir()) == ITEMS
    row = next(csv.DictReader((statistics / "ct-small" / "ct-small.csv").open()))
    assert float(row["mean"]) == pytest.approx(-1950906 / 128**2, abs=1e-4)
