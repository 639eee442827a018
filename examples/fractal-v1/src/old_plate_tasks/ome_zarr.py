"""OME-Zarr 0.4 as these tasks need it, by the standard library alone: 8-bit images with axes c z y x, one channel."""

import json
from pathlib import Path

VERSION = "0.4"


def write_plate(path, wells):
    """Write a plate's metadata; ``wells`` gives the names of the images by row and column."""
    rows = sorted({row for row, _ in wells})
    columns = sorted({column for _, column in wells})
    plate = {
        "version": VERSION,
        "name": Path(path).stem,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for row, column in sorted(wells)
        ],
    }
    _write_group(Path(path), {"plate": plate})
    for (row, column), images in wells.items():
        _write_group(Path(path, row), {})
        listed = [{"path": image} for image in images]
        _write_group(Path(path, row, column), {"well": {"version": VERSION, "images": listed}})


def read_wells(path):
    """Names of the images of a plate by row and column."""
    wells = [tuple(well["path"].split("/")) for well in _attributes(path)["plate"]["wells"]]
    return {well: [image["path"] for image in _attributes(Path(path, *well))["well"]["images"]] for well in wells}


def write_image(path, planes, width, pixel_size):
    """Write planes along z, each the bytes of its rows; ``pixel_size`` in micrometres."""
    path = Path(path)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = {"type": "scale", "scale": [1.0, 1.0, pixel_size, pixel_size]}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    _write_group(path, {"multiscales": [{"version": VERSION, "name": path.name, "axes": axes, "datasets": datasets}]})
    height = len(planes[0]) // width
    array = {
        "zarr_format": 2,
        "shape": [1, len(planes), height, width],
        "chunks": [1, 1, height, width],
        "dtype": "|u1",
        "compressor": None,
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "dimension_separator": "/",
    }
    for number, plane in enumerate(planes):
        chunk = path / f"0/0/{number}/0/0"
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(plane)
    (path / "0/.zarray").write_text(json.dumps(array))


def read_image(path):
    """The planes of an image, the width of their rows, and the pixel size in micrometres."""
    path = Path(path)
    _, depth, _, width = json.loads((path / "0/.zarray").read_text())["shape"]
    planes = [(path / f"0/0/{number}/0/0").read_bytes() for number in range(depth)]
    dataset = _attributes(path)["multiscales"][0]["datasets"][0]
    return planes, width, dataset["coordinateTransformations"][0]["scale"][-1]


def _write_group(path, attributes):
    path.mkdir(parents=True, exist_ok=True)
    (path / ".zgroup").write_text(json.dumps({"zarr_format": 2}))
    (path / ".zattrs").write_text(json.dumps(attributes))


def _attributes(path):
    return json.loads(Path(path, ".zattrs").read_text())
