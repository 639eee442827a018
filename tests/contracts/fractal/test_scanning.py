"""Image lists of OME-Zarr data that are already there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.scanning import scan
from trivet.datasets.images import Image


def write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))


class Writer:
    """Writes metadata of NGFF 0.4 or 0.5, by hand and without a library."""

    def __init__(self, version: str) -> None:
        self.version = version

    def group(self, path: Path, attributes: Any) -> None:
        if self.version == "0.5":
            own = {"ome": {"version": "0.5", **attributes}}
            write(path / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": own})
        else:
            write(path / ".zgroup", {"zarr_format": 2})
            write(path / ".zattrs", attributes)

    def image(self, path: Path, shape: list[int], axes: str) -> None:
        named = [{"name": axis, "type": "space"} for axis in axes]
        self.group(path, {"multiscales": [{"axes": named, "datasets": [{"path": "0"}, {"path": "1"}]}]})
        if self.version == "0.5":
            write(path / "0/zarr.json", {"zarr_format": 3, "node_type": "array", "shape": shape, "attributes": {}})
            write(path / "0/c/0/0", "pixels")
        else:
            write(path / "0/.zarray", json.dumps({"zarr_format": 2, "shape": shape})[:-1] + ', "fill_value": NaN}')
            write(path / "0/0/0", "pixels")
        self.group(path / "labels", {"labels": ["nuclei"]})
        self.group(path / "labels/nuclei", {"multiscales": [{"datasets": [{"path": "0"}]}]})

    def plate(self, path: Path, wells: dict[str, list[list[int]]], acquisitions: int = 1) -> None:
        listed = [{"path": name} for name in wells]
        self.group(path, {"plate": {"wells": listed, "acquisitions": [{"id": n} for n in range(acquisitions)]}})
        for name, shapes in wells.items():
            images = [{"path": str(n), "acquisition": n} for n in range(len(shapes))]
            self.group(path / name, {"well": {"images": images}})
            for number, shape in enumerate(shapes):
                self.image(path / name / str(number), shape, "czyx")


@pytest.fixture(params=["0.4", "0.5"])
def writer(request: pytest.FixtureRequest) -> Writer:
    return Writer(request.param)


def test_a_plate_gives_its_images_with_plate_and_well(tmp_path: Path, writer: Writer) -> None:
    writer.plate(tmp_path / "p.zarr", {"B/03": [[1, 5, 8, 8]], "B/04": [[1, 1, 8, 8], [1, 2, 8, 8]]})
    found = scan(tmp_path / "p.zarr")
    assert found.problems == []
    assert found.zarr_dir == str(tmp_path)
    assert found.images == [
        Image(f"{tmp_path}/p.zarr/B/03/0", None, {"plate": "p.zarr", "well": "B03"}, {"is_3D": True}),
        Image(f"{tmp_path}/p.zarr/B/04/0", None, {"plate": "p.zarr", "well": "B04"}, {"is_3D": False}),
        Image(f"{tmp_path}/p.zarr/B/04/1", None, {"plate": "p.zarr", "well": "B04"}, {"is_3D": True}),
    ]


def test_images_of_several_acquisitions_say_which(tmp_path: Path, writer: Writer) -> None:
    writer.plate(tmp_path / "p.zarr", {"A/1": [[1, 1, 8, 8]] * 2}, acquisitions=2)
    assert [image.attributes["acquisition"] for image in scan(tmp_path / "p.zarr").images] == [0, 1]


def test_a_folder_gives_everything_below_it(tmp_path: Path, writer: Writer) -> None:
    writer.image(tmp_path / "deep/er/x.zarr", [8, 8], "yx")
    writer.plate(tmp_path / "p.zarr", {"A/01": [[1, 1, 8, 8]]})
    writer.group(tmp_path / "collection.zarr", {})
    writer.image(tmp_path / "collection.zarr/0", [2, 8, 8], "zyx")
    write(tmp_path / "notes/readme.txt", "no image")
    found = scan(tmp_path)
    assert found.problems == []
    assert found.zarr_dir == str(tmp_path)
    relative = [os.path.relpath(image.zarr_url, tmp_path) for image in found.images]
    assert relative == ["collection.zarr/0", "deep/er/x.zarr", "p.zarr/A/01/0"]
    assert [image.types["is_3D"] for image in found.images] == [True, False, False]
    assert found.images[1].attributes == {}


@pytest.mark.parametrize("name", ["p.zarr/A/01", "p.zarr/A/01/0"])
def test_a_well_or_an_image_of_a_plate_knows_where_it_is(tmp_path: Path, writer: Writer, name: str) -> None:
    writer.plate(tmp_path / "p.zarr", {"A/01": [[1, 1, 8, 8]]})
    found = scan(tmp_path / name)
    assert found.zarr_dir == str(tmp_path)
    assert [image.attributes for image in found.images] == [{"plate": "p.zarr", "well": "A01"}]


def test_images_before_axes_had_names(tmp_path: Path) -> None:
    writer = Writer("0.1")
    writer.group(tmp_path / "old.zarr", {"multiscales": [{"datasets": [{"path": "0"}]}]})
    write(tmp_path / "old.zarr/0/.zarray", {"shape": [1, 2, 7, 8, 8]})
    writer.group(tmp_path / "texts.zarr", {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]})
    assert [image.types for image in scan(tmp_path).images] == [{"is_3D": True}, {"is_3D": False}]


def test_what_is_broken_is_told_and_the_rest_is_found(tmp_path: Path, writer: Writer) -> None:
    name = "zarr.json" if writer.version == "0.5" else ".zattrs"
    writer.plate(tmp_path / "p.zarr", {"A/01": [[1, 1, 8, 8]], "A/02": [[1, 1, 8, 8]], "A/03": [[1, 1, 8, 8]]})
    (tmp_path / "p.zarr/A/01" / name).write_text("{nonsense")
    writer.group(tmp_path / "p.zarr/A/02/0", {})
    writer.image(tmp_path / "x.zarr", [8, 8], "yx")
    writer.group(tmp_path / "y.zarr", {"plate": {"wells": [{"path": "../../etc"}]}})
    writer.group(tmp_path / "z.zarr", {"multiscales": []})
    found = scan(tmp_path)
    urls = [os.path.relpath(image.zarr_url, tmp_path) for image in found.images]
    assert urls == ["p.zarr/A/03/0", "x.zarr", "z.zarr"]
    assert [(problem.code, problem.severity) for problem in found.problems] == [
        ("D007", "error"),
        ("D008", "warning"),
        ("D007", "error"),
        ("D007", "warning"),
    ]
    assert found.problems[0].file == f"{tmp_path}/p.zarr/A/01/{name}"
    assert found.images[2].types == {}


def test_links_in_a_circle_come_to_an_end(tmp_path: Path, writer: Writer) -> None:
    writer.image(tmp_path / "a/x.zarr", [8, 8], "yx")
    (tmp_path / "a/around").symlink_to(tmp_path)
    (tmp_path / "twice").symlink_to(tmp_path / "a")
    assert len(scan(tmp_path).images) == 1


def test_a_well_that_is_listed_twice_counts_once(tmp_path: Path, writer: Writer) -> None:
    writer.plate(tmp_path / "p.zarr", {"A/01": [[1, 1, 8, 8]]})
    writer.group(tmp_path / "p.zarr", {"plate": {"wells": [{"path": "A/01"}, {"path": "A/01/"}]}})
    assert len(scan(tmp_path / "p.zarr").images) == 1


def test_where_there_is_nothing(tmp_path: Path) -> None:
    found = scan(tmp_path)
    assert [problem.code for problem in found.problems] == ["D009"]
    with pytest.raises(NotADirectoryError):
        scan(tmp_path / "absent")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_data_written_by_the_zarr_library(tmp_path: Path, zarr_format: Any) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=zarr_format)
    group.create_array("0", shape=(2, 4, 8, 8), dtype="uint16")
    scales = {"multiscales": [{"axes": [{"name": axis} for axis in "czyx"], "datasets": [{"path": "0"}]}]}
    group.attrs.update(scales if zarr_format == 2 else {"ome": {"version": "0.5", **scales}})
    found = scan(tmp_path)
    assert found.problems == []
    assert found.images == [Image(f"{tmp_path}/x.zarr", None, {}, {"is_3D": True})]
