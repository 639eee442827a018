"""Cut a real microscopy image into files for the example: python make_data.py FOLDER

The image is the immunohistochemical staining of colon tissue that comes with scikit-image, in grey. Each of two wells
has two fields of three focal planes, of which the outer two are blurred.
"""

import sys
from pathlib import Path

from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2gray
from skimage.util import img_as_ubyte

BLUR = {"01": 2.0, "02": 0.0, "03": 3.0}
SIZE = 64


def make_data(folder):
    """Write `B03_F001_Z01.pgm` … and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    grey = rgb2gray(data.immunohistochemistry())
    paths = []
    for number in range(4):
        well, field = divmod(number, 2)
        tile = grey[well * SIZE : (well + 1) * SIZE, field * SIZE : (field + 1) * SIZE]
        for plane, sigma in BLUR.items():
            path = folder / f"B{well + 3:02d}_F{field + 1:03d}_Z{plane}.pgm"
            pixels = img_as_ubyte(gaussian_filter(tile, sigma) if sigma else tile)
            path.write_bytes(b"P5\n%d %d\n255\n" % (SIZE, SIZE) + pixels.tobytes())
            paths.append(path)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    print(f"{len(make_data(Path(sys.argv[1])))} images in {sys.argv[1]}")
