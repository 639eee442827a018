"""Make a folder of TIFFs whose nuclei are known: python make_tiffs.py FOLDER

Two wells of a 96-well plate, each with two channels (DAPI: nuclei, GFP: cytoplasm) and four focal planes. The nuclei
are drawn, so their number and sizes are known; what is seen within them and around them is cut from a real image, the
immunohistochemical staining of colon tissue that comes with scikit-image. Nothing is downloaded.

FOLDER gets

    tiffs/       one file for each plane, with tiles.csv and acquisition_details.toml
    truth.csv    well, y, x (µm) and area (µm²) of every nucleus
"""

import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import rgb2hed

WELLS = {"B03": 24, "C05": 17}
"""How many nuclei each well has."""
CHANNELS = {"DAPI": "A01_C01", "GFP": "A02_C02"}
FOCUS = ((3.0, 0.5), (0.0, 1.0), (1.5, 0.7), (4.0, 0.4))
"""How blurred each focal plane is, in pixels, and how much of the light is left."""
SIZE = 256
PIXEL = 0.65
"""Width of a pixel in µm."""
PLANE = 5.0
"""Distance of focal planes in µm."""

GRID = 5
ALONG = (9.0, 13.0)
ACROSS = (6.0, 9.0)
BACKGROUND, NUCLEUS = 200, 3000


@dataclass(frozen=True)
class Nucleus:
    """An ellipse; everything in pixels, the angle in radians."""

    y: float
    x: float
    along: float
    across: float
    angle: float

    def mask(self) -> np.ndarray:
        rows, columns = np.mgrid[:SIZE, :SIZE]
        y, x = rows - self.y, columns - self.x
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        inside: np.ndarray = ((x * cosine + y * sine) / self.along) ** 2 + (
            (y * cosine - x * sine) / self.across
        ) ** 2 <= 1
        return inside

    @property
    def area(self) -> float:
        """In µm²."""
        return math.pi * self.along * self.across * PIXEL**2


def nuclei(count: int, random: np.random.Generator) -> list[Nucleus]:
    """That many nuclei, none of which touches another or the border."""
    cell = SIZE / GRID
    room = cell / 2 - ALONG[1] - 4
    found = []
    for place in sorted(random.choice(GRID * GRID, count, replace=False)):
        row, column = divmod(int(place), GRID)
        found.append(
            Nucleus(
                (row + 0.5) * cell + random.uniform(-room, room),
                (column + 0.5) * cell + random.uniform(-room, room),
                random.uniform(*ALONG),
                random.uniform(*ACROSS),
                random.uniform(0, math.pi),
            )
        )
    return found


def pixels(placed: list[Nucleus], number: int, random: np.random.Generator) -> np.ndarray:
    """The image of a well: channels, planes, rows, columns."""
    stains = rgb2hed(data.immunohistochemistry())
    part = np.s_[number * SIZE : (number + 1) * SIZE, :SIZE]
    haematoxylin, brown = (_as_fraction(stains[..., stain][part]) for stain in (0, 2))
    inside = np.any([nucleus.mask() for nucleus in placed], axis=0)
    sharp = (
        BACKGROUND * (1 + 0.3 * haematoxylin) + inside * NUCLEUS * (0.7 + 0.3 * haematoxylin),
        BACKGROUND + 1500 * brown * ~inside,
    )
    planes = [[light * gaussian_filter(channel, blur) for blur, light in FOCUS] for channel in sharp]
    return random.poisson(np.array(planes)).astype(np.uint16)


def _as_fraction(stain: np.ndarray) -> np.ndarray:
    low, high = np.percentile(stain, (0.5, 99.5))
    fraction: np.ndarray = np.clip((stain - low) / (high - low), 0, 1)
    return fraction


def write_tiffs(folder: Path, images: dict[str, np.ndarray]) -> None:
    """Write one file for each plane, and what the converter for custom TIFFs wants to know of them."""
    folder.mkdir(parents=True)
    rows = []
    for name, image in images.items():
        for channel, planes in enumerate(image):
            for z, plane in enumerate(planes):
                file = f"{name}_C{channel + 1:02d}_Z{z + 1:02d}.tif"
                tifffile.imwrite(folder / file, plane)
                rows.append([file, name[0], int(name[1:]), "F001", channel, z, 1, 1])
    _write_table(
        folder / "tiles.csv",
        ["file_path", "row", "column", "fov_name", "start_c", "start_z", "length_c", "length_z"],
        rows,
    )
    (folder / "acquisition_details.toml").write_text(
        f'pixelsize = {PIXEL}\nz_spacing = {PLANE}\nstart_z_coo = "pixel"\naxes = ["c", "z", "y", "x"]\n'
        f"channel_names = {list(CHANNELS)}\nwavelengths = {list(CHANNELS.values())}\n"
    )


def _write_table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def wells() -> tuple[dict[str, list[Nucleus]], dict[str, np.ndarray]]:
    """The nuclei and the image of each well; always the same."""
    random = np.random.default_rng(1)
    placed = {name: nuclei(count, random) for name, count in WELLS.items()}
    return placed, {name: pixels(found, number, random) for number, (name, found) in enumerate(placed.items())}


def write_truth(path: Path, placed: dict[str, list[Nucleus]]) -> None:
    """Write what a perfect measurement would find."""
    rows: list[list[object]] = [
        [name, round(one.y * PIXEL, 2), round(one.x * PIXEL, 2), round(one.area, 1)]
        for name, found in placed.items()
        for one in found
    ]
    _write_table(path, ["well", "y", "x", "area"], rows)


def main(folder: Path) -> None:
    """Write everything. Raises FileExistsError when the TIFFs are there already."""
    placed, images = wells()
    write_tiffs(folder / "tiffs", images)
    write_truth(folder / "truth.csv", placed)
    files, nuclei_drawn = len(list((folder / "tiffs").glob("*.tif"))), sum(map(len, placed.values()))
    print(f"{files} images of {len(images)} wells, {nuclei_drawn} nuclei in {folder / 'tiffs'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_tiffs.py FOLDER")
    main(Path(sys.argv[1]))
