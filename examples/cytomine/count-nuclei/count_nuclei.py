"""Count nuclei: count_nuclei.py [INPUT_FOLDER OUTPUT_FOLDER]

Every input is a file named as its parameter, every output is written as one; arrays are directories with array.yml.
Geometries count y from the bottom edge of the image, as Cytomine does: the pixel in row r (from the top) and column c
covers x from c to c + 1 and y from HEIGHT - r - 1 to HEIGHT - r.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import color, draw, feature, filters, measure, morphology, segmentation

METHODS = {"otsu": filters.threshold_otsu, "li": filters.threshold_li, "triangle": filters.threshold_triangle}
SMOOTHING = 1.0
RADIUS = 5
"""Smallest distance of two nuclei's centres, in pixels."""
HOLE = 40
"""Largest hole in a nucleus, in pixels."""
GREY = ("1", "L", "I", "F", "I;16", "I;16B")
OUTLINE_COLOUR = (255, 220, 0)


def main(inputs: Path, outputs: Path) -> None:
    with Image.open(inputs / "image") as image:
        pixels = np.asarray(image if image.mode in GREY else image.convert("L" if image.mode == "LA" else "RGB"))
    height, width = pixels.shape[:2]
    min_area = int((inputs / "min_area").read_text())
    method = (inputs / "method").read_text().strip()
    allowed = np.ones((height, width), bool)
    if (inputs / "region").exists():
        allowed = inside(json.loads((inputs / "region").read_text()), height, width)

    foreground = nuclei(pixels, METHODS[method]) & allowed
    labels = large_objects(separate(foreground), min_area)
    regions = measure.regionprops(labels)
    print(f"{len(regions)} nuclei of at least {min_area} pixels in {width} x {height} pixels, threshold by {method}")

    (outputs / "count").write_text(str(len(regions)))
    write_array(outputs / "areas", [str(float(region.area)) for region in regions])
    write_array(outputs / "outlines", [json.dumps(outline(region, height)) for region in regions])
    overlay(pixels, labels).save(outputs / "overlay", format="PNG")


def nuclei(pixels: np.ndarray, threshold: Any) -> np.ndarray:
    """Where nuclei are: more haematoxylin, or brighter, than the threshold; without threads and small holes."""
    stain = color.rgb2hed(pixels)[..., 0] if pixels.ndim == 3 else pixels.astype(float)
    smooth = filters.gaussian(stain, SMOOTHING)
    rough = ndimage.binary_opening(smooth > threshold(smooth), morphology.disk(2))
    return morphology.remove_small_holes(rough, max_size=HOLE)


def separate(foreground: np.ndarray) -> np.ndarray:
    """Labels of objects; where nuclei touch, they are cut at their waists."""
    distance = filters.gaussian(ndimage.distance_transform_edt(foreground), SMOOTHING)
    pieces, _ = ndimage.label(foreground)
    peaks = feature.peak_local_max(distance, min_distance=RADIUS, labels=pieces, exclude_border=False)
    markers = np.zeros(foreground.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return segmentation.watershed(-distance, markers, mask=foreground)


def large_objects(labels: np.ndarray, min_area: int) -> np.ndarray:
    """The objects of at least ``min_area`` pixels, numbered 1, 2, … in their order."""
    areas = np.bincount(labels.ravel())
    keep = areas >= min_area
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0)
    return numbers[labels]


def outline(region: Any, height: int) -> dict[str, Any]:
    """The border of an object as a closed GeoJSON polygon."""
    mask = np.pad(region.image_filled, 1)
    [contour, *_] = sorted(measure.find_contours(mask.astype(float), 0.5), key=len, reverse=True)
    top, left = region.bbox[:2]
    ring = [[float(column + left - 0.5), float(height - (row + top - 0.5))] for row, column in contour]
    return {"type": "Polygon", "coordinates": [ring]}


def inside(geometry: dict[str, Any], height: int, width: int) -> np.ndarray:
    """The pixels whose centre is inside a polygon, several polygons, a rectangle or a circle."""
    properties: dict[str, Any] = {}
    if geometry["type"] == "Feature":
        properties, geometry = geometry.get("properties") or {}, geometry["geometry"]
    mask = np.zeros((height, width), bool)
    if properties.get("subType") == "Circle":
        x, y = geometry["coordinates"][:2]
        rows, columns = np.ogrid[:height, :width]
        return (columns + 0.5 - x) ** 2 + (height - rows - 0.5 - y) ** 2 <= properties["radius"] ** 2
    for rings in polygons(geometry):
        part = np.zeros_like(mask)
        for ring in rings:  # the first is the border, the others are holes
            corners = [(height - y - 0.5, x - 0.5) for x, y, *_ in ring]
            part ^= draw.polygon2mask((height, width), corners)
        mask |= part
    return mask


def polygons(geometry: dict[str, Any]) -> Iterator[Sequence[Any]]:
    if geometry["type"] == "Polygon":
        yield geometry["coordinates"]
    elif geometry["type"] == "MultiPolygon":
        yield from geometry["coordinates"]
    else:
        sys.exit(f"the region is a {geometry['type']}; draw a polygon, a rectangle or a circle")


def overlay(pixels: np.ndarray, labels: np.ndarray) -> Image.Image:
    """The image in 8-bit colour with the borders of the objects drawn."""
    if pixels.ndim == 2:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = np.stack([(pixels - low) / max(high - low, 1e-9) * 255] * 3, axis=-1)
    drawn = pixels.astype(np.uint8)
    drawn[segmentation.find_boundaries(labels, mode="outer")] = OUTLINE_COLOUR
    return Image.fromarray(drawn)


def write_array(folder: Path, items: Sequence[str]) -> None:
    folder.mkdir()
    (folder / "array.yml").write_text(f"size: {len(items)}")
    for index, item in enumerate(items):
        (folder / str(index)).write_text(item)


if __name__ == "__main__":
    main(*(Path(folder) for folder in sys.argv[1:3] or ("/inputs", "/outputs")))
