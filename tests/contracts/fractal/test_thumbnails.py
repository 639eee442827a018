"""Small pictures of OME-Zarr images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.thumbnails import OUTLINE, SIDE, contact_sheet, thumbnail

np = pytest.importorskip("numpy")
zarr = pytest.importorskip("zarr")
pytest.importorskip("PIL")


def image(path: Path, levels: list[Any], axes: str, zarr_format: int = 2, **more: Any) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    for number, pixels in enumerate(levels):
        group.create_array(str(number), shape=pixels.shape, dtype=pixels.dtype)[...] = pixels
    datasets = [{"path": str(number)} for number in range(len(levels))]
    own = {"multiscales": [{"axes": [{"name": axis} for axis in axes], "datasets": datasets}], **more}
    group.attrs.update(own if zarr_format == 2 else {"ome": own})


def corners(picture: Any) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters: upper left, upper right, lower left, lower right."""
    w, h = picture.size
    return [picture.getpixel((x, y)) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_lowest_level_that_is_large_enough_is_drawn_in_the_colours_of_its_channels(
    tmp_path: Path, zarr_format: int
) -> None:
    shape = (2, 3, SIDE // 2, SIDE)
    high, low, lowest = (np.zeros((*shape[:2], shape[2] * 2 // n, shape[3] * 2 // n), "uint16") for n in (1, 2, 4))
    low[0, 1, : SIDE // 4, : SIDE // 2] = 1000
    low[1, 2, SIDE // 4 :, SIDE // 2 :] = 50
    channels = [{"color": "FF0000"}, {"color": "00FF00"}]
    image(tmp_path / "x.zarr", [high, low, lowest], "czyx", zarr_format, omero={"channels": channels})
    picture = thumbnail(tmp_path / "x.zarr")
    assert picture.size == (SIDE, SIDE // 2)
    assert corners(picture) == [(255, 0, 0), (0, 0, 0), (0, 0, 0), (0, 255, 0)]


def test_the_highest_level_is_drawn_where_all_are_small(tmp_path: Path) -> None:
    high, low = np.zeros((8, 8), "uint8"), np.zeros((4, 4), "uint8")
    high[:4, :4] = 9
    image(tmp_path / "x.zarr", [high, low], "yx")
    assert corners(thumbnail(tmp_path / "x.zarr")) == [(255, 255, 255), (0, 0, 0), (0, 0, 0), (0, 0, 0)]


@pytest.mark.parametrize(
    ("axes", "shape"), [("yx", (8, 8)), ("zyx", (2, 8, 8)), ("tcyx", (3, 1, 8, 8)), ("xy", (8, 8))]
)
def test_one_channel_is_grey_whatever_the_axes(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    pixels = np.zeros(shape, "uint8")
    where = {"y": slice(0, 4), "t": 0, "c": 0, "z": -1}
    pixels[tuple(where.get(axis, slice(None)) for axis in axes)] = 9
    image(tmp_path / "x.zarr", [pixels], axes)
    assert corners(thumbnail(tmp_path / "x.zarr")) == [(255, 255, 255)] * 2 + [(0, 0, 0)] * 2


def test_labels_are_outlined(tmp_path: Path) -> None:
    image(tmp_path / "x.zarr", [np.zeros((2, 8, 8), "uint8")], "zyx")
    zarr.open_group(tmp_path / "x.zarr/labels", mode="w", zarr_format=2).attrs["labels"] = ["nuclei"]
    objects = np.zeros((2, 8, 8), "uint32")
    objects[:, :, 4:] = 7
    image(tmp_path / "x.zarr/labels/nuclei", [objects], "zyx")
    picture = thumbnail(tmp_path / "x.zarr")
    line = [x for x in range(SIDE) if picture.getpixel((x, 10)) == OUTLINE]
    assert line == [SIDE // 2]


@pytest.mark.parametrize(
    "multiscales", [[], [{"datasets": []}], [{"datasets": [{"path": "../0"}]}], [{"axes": 3}], "x"]
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, multiscales: Any) -> None:
    zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=2).attrs["multiscales"] = multiscales
    with pytest.raises(ValueError, match="multiscales"):
        thumbnail(tmp_path / "x.zarr")
    with pytest.raises(ValueError, match="no OME-Zarr image"):
        thumbnail(tmp_path / "absent")


def test_a_sheet_has_a_place_for_every_image(tmp_path: Path) -> None:
    image(tmp_path / "x.zarr", [np.full((8, 8), 3, "uint8")], "yx")
    picture = thumbnail(tmp_path / "x.zarr")
    picture.paste((9, 99, 199), (0, 0, SIDE, SIDE))
    sheet = contact_sheet([("a", picture), ("no picture", None), ("ü" * 99, picture), ("d", picture), ("e", picture)])
    width, height = sheet.width // 2, sheet.height // 3
    middles = [sheet.getpixel((x * width + width // 2, y * height + 40)) for y in range(3) for x in range(2)]
    assert [middle == (9, 99, 199) for middle in middles] == [True, False, True, True, True, False]
