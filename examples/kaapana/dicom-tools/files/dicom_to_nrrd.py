"""Convert the DICOM series in a directory to one NRRD file: dicom_to_nrrd.py ITEM_DIRECTORY RESULT_DIRECTORY"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import series

TYPES = {"int16": "int16", "int32": "int32", "float32": "float"}


def convert(item: Path, result: Path) -> Path:
    """Write ``<item>.nrrd`` into the result directory. Raises series.SeriesError."""
    volume = series.read(item)
    path = result / f"{item.name}.nrrd"
    write_nrrd(path, volume)
    return path


def write_nrrd(path: Path, volume: series.Volume) -> None:
    """Write a volume as NRRD (http://teem.sourceforge.net/nrrd/format.html), gzip-compressed, columns fastest."""
    header = [
        "NRRD0004",
        f"type: {TYPES[volume.values.dtype.name]}",
        "dimension: 3",
    ]
    if volume.directions is not None:
        header.append("space: left-posterior-superior")
    header.append("sizes: " + " ".join(str(size) for size in reversed(volume.values.shape)))
    if volume.directions is not None:
        header.append("space directions: " + " ".join(_vector(step) for step in volume.directions))
    header += ["kinds: domain domain domain", "endian: little", "encoding: gzip"]
    if volume.origin is not None:
        header.append("space origin: " + _vector(volume.origin))
    data = volume.values.astype(volume.values.dtype.newbyteorder("<")).tobytes()
    path.write_bytes("\n".join([*header, "", ""]).encode("ascii") + gzip.compress(data, mtime=0))


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


if __name__ == "__main__":
    try:
        print(convert(Path(sys.argv[1]), Path(sys.argv[2])))
    except series.SeriesError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
