"""Statistics of a DICOM series within a window: window_statistics.py ITEM_DIRECTORY RESULT_DIRECTORY

The environment says which window: WINDOW_CENTRE, WINDOW_WIDTH, INVERT, COLOUR_MAP.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import series
from PIL import Image

COLUMNS = ("slice", "minimum", "maximum", "mean", "deviation", "below", "inside", "above")
SMALLEST = 256
"""Slices are enlarged by a whole factor to at least so many pixels, since some are tiny."""

COLOUR_MAPS = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "hot": ((0, 0, 0), (200, 0, 0), (255, 200, 0), (255, 255, 255)),
    "ice": ((0, 0, 0), (0, 60, 160), (90, 200, 255), (255, 255, 255)),
}


def describe(item: Path, result: Path, environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Write ``<item>.csv`` and ``<item>.png`` into the result directory.

    Raises series.SeriesError, and ValueError for a variable that makes no sense.
    """
    centre, width = int(environment["WINDOW_CENTRE"]), int(environment["WINDOW_WIDTH"])
    if width < 1:
        raise ValueError(f"WINDOW_WIDTH is {width}; a window is at least 1 wide")
    invert = environment["INVERT"].lower() in ("true", "1", "yes")
    colours = COLOUR_MAPS[environment["COLOUR_MAP"]]
    values = series.read(item).values.astype(np.float64)
    low, high = centre - width / 2, centre + width / 2
    table, picture = result / f"{item.name}.csv", result / f"{item.name}.png"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for index, plane in enumerate(values):
            writer.writerow([index, *statistics(plane, low, high)])
    shown = np.clip((values - low) / width, 0, 1)
    pixels = coloured(1 - shown if invert else shown, colours)
    Image.fromarray(side_by_side(pixels)).save(picture)
    return table, picture


def statistics(plane: np.ndarray, low: float, high: float) -> list[float]:
    """Minimum, maximum, mean, standard deviation; the parts (0 to 1) of pixels below, inside and above the window."""
    below, above = float(np.mean(plane < low)), float(np.mean(plane > high))
    moments = [float(plane.min()), float(plane.max()), round(float(plane.mean()), 4), round(float(plane.std()), 4)]
    return [*moments, round(below, 6), round(1 - below - above, 6), round(above, 6)]


def coloured(shown: np.ndarray, colours: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Values from 0 to 1 as RGB, with the colours evenly spaced between."""
    places = np.linspace(0, 1, len(colours))
    channels = [np.interp(shown, places, [colour[channel] for colour in colours]) for channel in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def side_by_side(planes: np.ndarray) -> np.ndarray:
    """All slices in one picture, left to right."""
    factor = max(1, -(-SMALLEST // max(planes.shape[1:3])))
    large = planes.repeat(factor, axis=1).repeat(factor, axis=2)
    return np.concatenate(list(large), axis=1)


if __name__ == "__main__":
    try:
        for path in describe(Path(sys.argv[1]), Path(sys.argv[2]), os.environ):
            print(path)
    except (ValueError, KeyError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
