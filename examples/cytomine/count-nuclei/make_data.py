"""Write real images for the task: make_data.py DIRECTORY

They come with the scikit-image package; nothing is downloaded. `colon.png` is a section of colon whose nuclei are
stained with haematoxylin (and one antigen brown with DAB); `quarter.geojson` is a region, its upper left quarter.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import skimage.data

SIDE = 512


def make(folder: Path) -> None:
    """Fill a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(skimage.data.__file__).parent / "ihc.png", folder / "colon.png")
    half = SIDE // 2
    corners = [[0, half], [half, half], [half, SIDE], [0, SIDE], [0, half]]  # y counts from the bottom edge
    quarter = {"type": "Polygon", "coordinates": [corners]}
    (folder / "quarter.geojson").write_text(json.dumps(quarter))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
