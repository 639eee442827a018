"""Cut a real microscopy image into the files a plate reader would write: python make_data.py FOLDER

The image is the immunohistochemical staining of colon tissue that comes with scikit-image. Its stains are separated
into two channels (01 haematoxylin: nuclei, 02 DAB), it is cut into four wells of two fields, and each field gets three
focal planes, of which the outer two are blurred.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2hed
from skimage.io import imsave

STAINS = {"01": 0, "02": 2}
BLUR = {"01": 2.0, "02": 0.0, "03": 3.0}
HEIGHT, WIDTH = 256, 128


def make_data(folder: Path) -> list[Path]:
    """Write the images as ``B03_T0001F001Z01C01.png`` …; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stains = rgb2hed(data.immunohistochemistry())
    paths = []
    for channel, stain in STAINS.items():
        grey = _as_uint8(stains[..., stain])
        for number in range(8):
            well, field = divmod(number, 2)
            row, column = divmod(well, 2)
            top, left = row * HEIGHT, column * 2 * WIDTH + field * WIDTH
            tile = grey[top : top + HEIGHT, left : left + WIDTH]
            for plane, sigma in BLUR.items():
                name = f"{'BC'[row]}{column + 3:02d}_T0001F{field + 1:03d}Z{plane}C{channel}.png"
                imsave(folder / name, gaussian_filter(tile, sigma) if sigma else tile, check_contrast=False)
                paths.append(folder / name)
    return paths


def _as_uint8(stain: np.ndarray) -> np.ndarray:
    low, high = np.percentile(stain, (0.5, 99.5))
    return (np.clip((stain - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    print(f"{len(make_data(Path(sys.argv[1])))} images in {sys.argv[1]}")
