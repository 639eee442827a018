"""OME-Zarr 0.4 (Zarr format 2) as these tasks need it: plates, images with axes c z y x, labels with axes z y x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

VERSION = "0.4"
LEVELS = 2
COLOURS = ("0000FF", "FF7F00", "00FF00", "FF00FF")


def write_image(path: Path, pixels: np.ndarray, pixel_size: Mapping[str, float], channels: Sequence[str]) -> None:
    """Write an image with axes c z y x; ``pixel_size`` in micrometres by axis (z, y, x)."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    axes = [{"name": "c", "type": "channel"}, *_space()]
    highest = np.iinfo(pixels.dtype).max
    omero = {
        "channels": [
            {
                "label": label,
                "wavelength_id": f"C{number:02d}",
                "color": COLOURS[(number - 1) % len(COLOURS)],
                "active": True,
                "window": {"min": 0, "max": int(highest), "start": 0, "end": int(highest)},
            }
            for number, label in enumerate(channels, 1)
        ]
    }
    scale = [1.0, pixel_size["z"], pixel_size["y"], pixel_size["x"]]
    group.attrs.update(_multiscales(path.name, axes, scale) | {"omero": omero})
    for level in range(LEVELS):
        _write_array(group, str(level), pixels)
        pixels = _halved(pixels)


def write_label(image: Path, name: str, labels: np.ndarray) -> None:
    """Write a label image with axes z y x below an image, over an older one of that name."""
    group = zarr.open_group(image, mode="r+", zarr_format=2)
    listed = group.require_group("labels")
    names = list(listed.attrs.get("labels", []))
    listed.attrs["labels"] = [*names, *([] if name in names else [name])]
    label = listed.create_group(name, overwrite=True)
    scale = _scale(group)[1:]
    label.attrs.update(
        _multiscales(name, _space(), scale) | {"image-label": {"version": VERSION, "source": {"image": "../../"}}}
    )
    for level in range(LEVELS):
        _write_array(label, str(level), labels)
        labels = labels[..., ::2, ::2]


def read_image(path: Path) -> tuple[np.ndarray, dict[str, float], list[str]]:
    """Full-resolution pixels (c z y x), pixel size in micrometres by axis, names of the channels."""
    group = zarr.open_group(path, mode="r", zarr_format=2)
    size = dict(zip("zyx", _scale(group)[1:], strict=True))
    channels = [str(channel["label"]) for channel in _attributes(group)["omero"]["channels"]]
    return np.asarray(group["0"]), size, channels


def read_label(image: Path, name: str) -> np.ndarray:
    """Full-resolution labels (z y x). Raises KeyError when the image has none of that name."""
    group = zarr.open_group(image, mode="r", zarr_format=2)
    return np.asarray(group[f"labels/{name}/0"])


def write_plate(path: Path, wells: Mapping[tuple[str, str], int]) -> None:
    """Write a plate's metadata; ``wells`` gives the number of images for row and column."""
    rows = sorted({row for row, _ in wells})
    columns = sorted({column for _, column in wells})
    plate = {
        "version": VERSION,
        "name": path.name.removesuffix(".zarr"),
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for row, column in sorted(wells)
        ],
        "field_count": max(wells.values()),
        "acquisitions": [{"id": 0, "maximumfieldcount": max(wells.values())}],
    }
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["plate"] = plate
    for (row, column), count in wells.items():
        well = group.require_group(row).require_group(column)
        images = [{"path": str(field), "acquisition": 0} for field in range(count)]
        well.attrs["well"] = {"version": VERSION, "images": images}


def _space() -> list[dict[str, str]]:
    return [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]


def _multiscales(name: str, axes: Sequence[Mapping[str, str]], scale: Sequence[float]) -> dict[str, Any]:
    datasets = []
    for level in range(LEVELS):
        factors = [1.0] * (len(scale) - 2) + [2.0**level] * 2
        transformation = {
            "type": "scale",
            "scale": [size * factor for size, factor in zip(scale, factors, strict=True)],
        }
        datasets.append({"path": str(level), "coordinateTransformations": [transformation]})
    return {"multiscales": [{"version": VERSION, "name": name, "axes": list(axes), "datasets": datasets}]}


def _write_array(group: zarr.Group, name: str, pixels: np.ndarray) -> None:
    array = group.create_array(
        name,
        shape=pixels.shape,
        chunks=(*[1] * (pixels.ndim - 2), *pixels.shape[-2:]),
        dtype=pixels.dtype,
        chunk_key_encoding={"name": "v2", "separator": "/"},
        fill_value=0,
    )
    array[...] = pixels


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Means of two by two pixels; an odd last row or column is left out, as long as another remains."""
    height, width = (max(length // 2 * 2, 1) for length in pixels.shape[-2:])
    even = pixels[..., :height, :width]
    step = 2 if height > 1 else 1, 2 if width > 1 else 1
    parts = [even[..., y :: step[0], x :: step[1]].astype(float) for y in range(step[0]) for x in range(step[1])]
    return np.mean(parts, axis=0).round().astype(pixels.dtype)


def _scale(group: zarr.Group) -> list[float]:
    dataset = _attributes(group)["multiscales"][0]["datasets"][0]
    return [float(value) for value in dataset["coordinateTransformations"][0]["scale"]]


def _attributes(group: zarr.Group) -> Any:
    return group.attrs.asdict()
