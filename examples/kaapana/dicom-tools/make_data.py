"""Lay out real DICOM images as an input channel: make_data.py DIRECTORY

They are the test files inside the pydicom package; nothing is downloaded. Each item is one series.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pydicom.data import get_testdata_file

ITEMS = {
    "ct-small": ["CT_small.dcm"],
    "mr-small": ["MR_small.dcm"],
    "mr-abdomen": ["examples_overlay.dcm"],
    "ct-series": [f"dicomdirtests/98892001/CT5N/{number}" for number in (2062, 2392, 2693, 3023, 3353)],
}


def make(channel: Path) -> None:
    """Fill a channel with one directory for each item."""
    root = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent
    for identifier, names in ITEMS.items():
        item = channel / identifier
        item.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(root / name, item / f"{Path(name).stem}.dcm")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
