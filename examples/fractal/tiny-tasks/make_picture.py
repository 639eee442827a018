"""Show what was found: python make_picture.py PLATE.zarr PICTURE.png

Each row is one image of the plate: its first channel, brightest plane by plane, and the same with the outlines of the
nuclei.
"""

import sys
from pathlib import Path

import numpy as np
import zarr
from skimage.io import imsave
from skimage.segmentation import mark_boundaries
from tiny_tasks.ome_zarr import read_image, read_label

ORANGE = (1.0, 0.55, 0.0)


def make_picture(plate: Path, picture: Path, label_name: str = "nuclei") -> None:
    """Write the picture. Raises KeyError when an image has no label of that name."""
    wells = zarr.open_group(plate, mode="r", zarr_format=2).attrs.asdict()["plate"]["wells"]
    rows = []
    for well in wells:
        images = zarr.open_group(plate / well["path"], mode="r", zarr_format=2).attrs.asdict()["well"]["images"]
        for image in images:
            path = plate / well["path"] / image["path"]
            pixels, _, _ = read_image(path)
            grey = pixels[0].max(axis=0)
            colour = np.stack([grey / max(grey.max(), 1)] * 3, axis=-1)
            outlined = mark_boundaries(colour, read_label(path, label_name).max(axis=0), ORANGE, mode="inner")
            rows.append(np.concatenate([colour, outlined], axis=1))
    picture.parent.mkdir(parents=True, exist_ok=True)
    imsave(picture, (np.concatenate(rows) * 255).round().astype(np.uint8), check_contrast=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python make_picture.py PLATE.zarr PICTURE.png")
    make_picture(Path(sys.argv[1]), Path(sys.argv[2]))
