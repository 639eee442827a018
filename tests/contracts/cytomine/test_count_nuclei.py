"""The example task count-nuclei: its descriptor against the public schema, its results against independent ones."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import skimage.data
from PIL import Image
from scipy import ndimage
from skimage import color, filters

from trivet.contracts import cytomine
from trivet.contracts.source import load
from trivet.tasks.call import bind
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Outcome, Unit, UnitResult

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/cytomine/count-nuclei"
UNIT = Unit("0")
Count = Callable[..., UnitResult]


@pytest.fixture(scope="module")
def colon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    runpy.run_path(str(EXAMPLE / "make_data.py"))["make"](folder)
    return folder / "colon.png"


@pytest.fixture
def count(tmp_path: Path) -> Count:
    """The whole way of the contract, with the program started on this machine instead of in its image."""

    def run(image: Path, **values: Any) -> UnitResult:
        document = cytomine.read(load(EXAMPLE / "descriptor.yml"))
        call = bind(cytomine.tasks(document)[0], {"image": FileRef(str(image)), **values})
        where = AttemptDirectory("run/0/1", tmp_path / "attempt")
        shutil.rmtree(where.root, ignore_errors=True)
        mounts = cytomine.stage(call, UNIT, where).mounts
        assert [mount.target for mount in mounts] == ["/inputs", "/outputs"]
        command = [sys.executable, str(EXAMPLE / "count_nuclei.py"), *(mount.source for mount in mounts)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        result = cytomine.collect(call, UNIT, where, Outcome(done.returncode))
        assert result.problems == (), done.stderr
        return result

    return run


def test_descriptor_is_valid_by_the_public_schema(schema: Any) -> None:
    document = cytomine.read(load(EXAMPLE / "descriptor.yml"))
    assert cytomine.check(document) == ()
    assert schema.is_valid(document.data)


def test_its_data_is_what_comes_with_scikit_image(colon: Path) -> None:
    assert np.array_equal(np.asarray(Image.open(colon)), skimage.data.immunohistochemistry())


def discs(path: Path) -> list[tuple[int, int, int]]:
    """A grey image of discs that don't touch, as (row, column, radius)."""
    found = [(30, 30, 6), (30, 90, 10), (80, 60, 14), (130, 20, 3), (120, 150, 9)]
    rows, columns = np.mgrid[:160, :200]
    image = np.full((160, 200), 20, np.uint8)
    for row, column, radius in found:
        image[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 220
    Image.fromarray(image).save(path)
    return found


def test_discs_are_counted_and_measured(count: Count, tmp_path: Path) -> None:
    known = discs(tmp_path / "discs.png")
    outputs = count(tmp_path / "discs.png", min_area=40).outputs
    large = [(row, column, radius) for row, column, radius in known if radius > 3]
    assert outputs["count"] == len(large) == 4
    shapes = [shapely.geometry.shape(outline) for outline in outputs["outlines"]]
    for row, column, radius in large:
        [index] = [i for i, shape in enumerate(shapes) if shape.contains(shapely.Point(column + 0.5, 160 - row - 0.5))]
        assert outputs["areas"][index] == pytest.approx(np.pi * radius**2, rel=0.15)
        assert shapes[index].area == pytest.approx(outputs["areas"][index], rel=0.1)
        assert shapes[index].centroid.distance(shapely.Point(column + 0.5, 160 - row - 0.5)) < 0.5


def test_a_region_is_counted_from_the_bottom(count: Count, tmp_path: Path) -> None:
    discs(tmp_path / "discs.png")
    circle = {
        "type": "Feature",
        "properties": {"subType": "Circle", "radius": 20},
        "geometry": {"type": "Point", "coordinates": [90.5, 129.5]},
    }
    top_left = {"type": "Polygon", "coordinates": [[[0, 100], [120, 100], [120, 160], [0, 160], [0, 100]]]}
    assert count(tmp_path / "discs.png", region=circle).outputs["count"] == 1
    assert count(tmp_path / "discs.png", region=top_left).outputs["count"] == 2


def test_an_empty_image_has_no_nuclei(count: Count, tmp_path: Path) -> None:
    Image.new("L", (50, 40), 7).save(tmp_path / "empty.png")
    result = count(tmp_path / "empty.png")
    assert (result.outputs["count"], result.outputs["areas"], result.outputs["outlines"]) == (0, [], [])


@pytest.mark.parametrize("method", ["otsu", "li", "triangle"])
def test_nuclei_of_a_real_section(method: str, count: Count, colon: Path) -> None:
    """Cutting touching nuclei apart must neither lose nor invent a pixel, so the areas are those of the foreground."""
    outputs = count(colon, min_area=1, method=method).outputs
    stain = ndimage.gaussian_filter(color.rgb2hed(np.asarray(Image.open(colon)))[..., 0], 1.0, mode="nearest")
    thresholds = {"otsu": filters.threshold_otsu, "li": filters.threshold_li, "triangle": filters.threshold_triangle}
    disc = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2
    foreground = ndimage.binary_opening(stain > thresholds[method](stain), disc)
    holes, number = ndimage.label(~foreground)
    sizes = np.bincount(holes.ravel())
    small = [hole for hole in range(1, number + 1) if sizes[hole] <= 40]
    pixels = foreground | np.isin(holes, small)
    assert sum(outputs["areas"]) == pixels.sum()
    assert outputs["count"] == len(outputs["areas"]) == len(outputs["outlines"])
    assert outputs["count"] >= ndimage.label(pixels)[1] > 50


def test_outlines_lie_where_the_nuclei_are(count: Count, colon: Path) -> None:
    outputs = count(colon).outputs
    assert min(outputs["areas"]) >= 30
    union = 0.0
    for area, outline in zip(outputs["areas"], outputs["outlines"], strict=True):
        shape = shapely.geometry.shape(outline)
        assert shape.is_valid
        assert area * 0.8 <= shape.area <= area + 200
        union += shape.area
    assert shapely.unary_union([shapely.geometry.shape(o) for o in outputs["outlines"]]).area == pytest.approx(
        union, rel=0.02
    )
    overlay = np.asarray(Image.open(outputs["overlay"].path))
    changed = (overlay != np.asarray(Image.open(colon))).any(axis=2)
    distance = ndimage.distance_transform_edt(~changed)
    corners = np.array([corner for outline in outputs["outlines"] for corner in outline["coordinates"][0]])
    rows, columns = (512 - corners[:, 1]).astype(int).clip(0, 511), corners[:, 0].astype(int).clip(0, 511)
    assert (
        np.mean(distance[rows, columns] <= 1.5) > 0.97
    )  # the drawn line ends at the image's edge, an outline does not
    assert np.mean(distance[511 - rows, columns] <= 1.5) < 0.7


def test_a_region_leaves_the_rest_alone(count: Count, colon: Path) -> None:
    region = json.loads((colon.parent / "quarter.geojson").read_text())
    outputs = count(colon, region=region).outputs
    quarter = shapely.geometry.shape(region)
    assert 20 < outputs["count"] < count(colon).outputs["count"]
    assert all(quarter.buffer(0.01).contains(shapely.geometry.shape(outline)) for outline in outputs["outlines"])
