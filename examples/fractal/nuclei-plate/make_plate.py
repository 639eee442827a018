"""Make the same plate as OME-Zarr: python make_plate.py FOLDER

FOLDER gets plates/nuclei.zarr, and truth.csv with well, y, x (µm) and area (µm²) of every nucleus. Needs ngio, which
fractal-tasks-core brings.
"""

import sys
from pathlib import Path

import numpy as np
from make_tiffs import CHANNELS, PIXEL, PLANE, wells, write_truth
from ngio import ImageInWellPath, create_empty_plate, create_ome_zarr_from_array


def write_plate(path: Path, images: dict[str, np.ndarray]) -> None:
    """Write the wells as an OME-Zarr plate with one image each."""
    places = [ImageInWellPath(row=name[0], column=name[1:], path="0") for name in images]
    create_empty_plate(path, path.stem, images=places)
    for name, image in images.items():
        create_ome_zarr_from_array(
            path / name[0] / name[1:] / "0",
            image,
            pixelsize=PIXEL,
            z_spacing=PLANE,
            levels=3,
            axes_names=["c", "z", "y", "x"],
            channels_meta=list(CHANNELS),
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_plate.py FOLDER")
    folder = Path(sys.argv[1])
    placed, images = wells()
    write_plate(folder / "plates" / "nuclei.zarr", images)
    write_truth(folder / "truth.csv", placed)
    print(f"{len(images)} wells, {sum(map(len, placed.values()))} nuclei in {folder / 'plates' / 'nuclei.zarr'}")
