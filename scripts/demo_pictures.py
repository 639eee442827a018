"""Pictures of the demonstration: what went into a task beside what came out.

``python scripts/demo_pictures.py`` makes the pictures of the documentation from those of the last ``make demo``.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pydicom
import zarr
from PIL import Image, ImageDraw, ImageFont
from skimage.io import imread
from skimage.segmentation import find_boundaries

MARGIN, CAPTION, GAP = 12, 34, 16
PAPER, INK = (255, 255, 255), (40, 40, 40)


def side_by_side(target: Path, panels: list[tuple[str, np.ndarray]], height: int = 400) -> Path:
    """Write a PNG of images of one height, each under its caption; returns where."""
    font = ImageFont.load_default(size=16)
    images = []
    for caption, pixels in panels:
        image = Image.fromarray(pixels if pixels.ndim == 3 else np.stack([pixels] * 3, -1))
        # Few large pixels stay what they are; many are made smaller smoothly.
        method = Image.Resampling.NEAREST if image.height < height else Image.Resampling.LANCZOS
        images.append((caption, image.resize((round(image.width * height / image.height), height), method)))
    width = sum(image.width for _, image in images) + GAP * (len(images) - 1) + 2 * MARGIN
    sheet = Image.new("RGB", (width, height + CAPTION + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    left = MARGIN
    for caption, image in images:
        draw.text((left, 8), caption, fill=INK, font=font)
        sheet.paste(image, (left, CAPTION))
        left += image.width + GAP
    sheet.save(target, optimize=True)
    return target


def plate(images: Path, segmented: Path, projected: Path, target: Path) -> Path:
    """One plane of every field as on the plate, the nuclei found in it, and the projected wells."""
    wells = [("B", "03"), ("B", "04"), ("C", "03"), ("C", "04")]
    raw, coloured, projections = [], [], []
    for row, column in wells:
        fields = [imread(images / f"{row}{column}_T0001F{field:03d}Z02C01.png") for field in (1, 2)]
        labels = [zarr.open(segmented / row / column / str(field) / "labels/nuclei/0")[:][-2] for field in (0, 1)]
        raw.append(np.concatenate(fields, axis=1))
        coloured.append(np.concatenate([overlay(*pair) for pair in zip(fields, labels, strict=True)], axis=1))
        projections.append(zarr.open(projected / row / column / "0/0")[0, 0])
    return side_by_side(
        target,
        [
            ("PNG files: 4 wells of 2 fields", mosaic(raw)),
            ("Segment nuclei", mosaic(coloured)),
            ("Project wells", mosaic(projections)),
        ],
    )


def mosaic(wells: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.concatenate(wells[:2], axis=1), np.concatenate(wells[2:], axis=1)])


def overlay(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A grey image with its objects in colours that neighbours do not share."""
    hues = (labels.astype(np.int64) * 97) % 360
    hsv = np.stack([hues * 255 // 360, np.full_like(hues, 170), np.full_like(hues, 255)], -1).astype(np.uint8)
    colours = np.asarray(Image.fromarray(hsv, "HSV").convert("RGB"))
    grey = np.stack([image] * 3, -1)
    mixed = np.where(labels[..., None] > 0, (grey * 0.55 + colours * 0.45).astype(np.uint8), grey)
    return np.where(find_boundaries(labels, mode="inner")[..., None], colours, mixed)


def volume(item: Path, result: Path, target: Path) -> Path:
    """The stored values of a DICOM slice beside the same slice of the NRRD volume."""
    path = next(result.glob("*.nrrd"))
    header, voxels = read_nrrd(path)
    facts = f"NRRD {header['type']}, sizes {header['sizes']}"
    return side_by_side(
        target,
        [
            ("DICOM: one slice of MR", stretched(stored(item))),
            (f"dicom-to-nrrd: {facts}", stretched(voxels[len(voxels) // 2])),
        ],
    )


def window(item: Path, result: Path, target: Path) -> Path:
    """The stored values of a DICOM slice beside the picture a task made of it."""
    picture = np.asarray(Image.open(next(result.glob("*.png"))).convert("RGB"))
    return side_by_side(target, [("DICOM: one slice of CT", stretched(stored(item))), ("window-statistics", picture)])


def overlaid(image: Path, result: Path, target: Path) -> Path:
    """An image beside the one a task drew its outlines into."""
    return side_by_side(target, [("image: stained tissue", imread(image)), ("count-nuclei: outlines", imread(result))])


def stored(item: Path) -> np.ndarray:
    files = sorted(item.glob("*.dcm"))
    return pydicom.dcmread(files[len(files) // 2]).pixel_array


def stretched(values: np.ndarray) -> np.ndarray:
    """Values as 8-bit grey, the darkest and brightest 0.5 % cut."""
    low, high = np.percentile(values, (0.5, 99.5))
    return (np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


def read_nrrd(path: Path) -> tuple[dict[str, str], np.ndarray]:
    """Header fields and voxels (z y x) of an NRRD file with attached data, raw or gzip."""
    head, _, data = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.decode().splitlines()[1:] if ": " in line and not line.startswith("#")]
    header = dict(line.split(": ", 1) for line in lines)
    names = {"short": "i2", "int16": "i2", "ushort": "u2", "float": "f4", "double": "f8", "int": "i4", "int32": "i4"}
    order = "<" if header.get("endian", "little") == "little" else ">"
    raw = gzip.decompress(data) if header["encoding"] in ("gzip", "gz") else data
    sizes = [int(size) for size in header["sizes"].split()]
    return header, np.frombuffer(raw, order + names[header["type"]]).reshape(sizes[::-1])


if __name__ == "__main__":
    repository = Path(__file__).resolve().parents[1]
    for name in ("kaapana-statistics", "cytomine", "fractal"):
        with Image.open(repository / f"demo-results/pictures/{name}.png") as sheet:
            small = sheet.resize((round(sheet.width * 0.6), round(sheet.height * 0.6)), Image.Resampling.LANCZOS)
        small.quantize(128, kmeans=3).save(repository / f"docs/images/{name}.png", optimize=True)
