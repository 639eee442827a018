"""Small pictures of OME-Zarr images, from the lowest useful level of their pyramids, with the outlines of labels.

Needs zarr, numpy and Pillow, which the extra ``pictures`` brings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.omezarr import MetadataError, read_node

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

SIDE = 160
"""Pixels of a thumbnail's longer side."""

MAX_VALUES = 64 * 1024 * 1024
"""The largest array that is read; a low level is usually a thousandth of it."""

COLOURS = ((0, 96, 255), (0, 255, 96), (255, 64, 0), (255, 0, 255))
"""Of channels that name none of their own."""

OUTLINE = (255, 255, 0)


def thumbnail(image: Path) -> Picture:
    """A picture of an image: the brightest values over z at the first time, each channel in its colour.

    Raises ValueError for what can't be drawn, OSError.
    """
    import numpy as np
    from PIL import Image as pictures

    node = read_node(image)
    if node is None or "multiscales" not in node.attributes:
        raise ValueError("there is no OME-Zarr image")
    pixels = _pixels(image, node.attributes["multiscales"])
    shown = np.zeros((*pixels.shape[1:], 3))
    for channel, colour in zip(pixels, _colours(node.attributes, len(pixels)), strict=False):
        shown += _stretched(channel)[..., None] * np.asarray(colour)
    picture = pictures.fromarray(np.clip(shown, 0, 255).astype(np.uint8))
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, pictures.Resampling.BILINEAR)
    edges = _outlines(image, size)
    if edges is not None:
        drawn = np.array(picture)
        drawn[edges] = OUTLINE
        picture = pictures.fromarray(drawn)
    return picture


def contact_sheet(pictures_of: Sequence[tuple[str, Picture | None]]) -> Picture:
    """Pictures side by side in about a square, each with its words below; None leaves its place empty."""
    from PIL import Image as pictures
    from PIL import ImageDraw

    columns = max(1, round(len(pictures_of) ** 0.5))
    rows = -(-len(pictures_of) // columns)
    width, height = SIDE + 8, SIDE + 22
    sheet = pictures.new("RGB", (columns * width, max(rows, 1) * height), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for position, (words, picture) in enumerate(pictures_of):
        left, top = position % columns * width + 4, position // columns * height + 4
        if picture is not None:
            sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
        draw.text((left, top + SIDE + 2), words.encode("ascii", "replace").decode()[-26:], fill=(224, 224, 224))
    return sheet


def _pixels(image: Path, multiscales: Any) -> np.ndarray[Any, Any]:
    """The lowest level that is as large as a thumbnail, or else the highest, as channels of planes, c y x."""
    import numpy as np
    import zarr

    try:
        scale = multiscales[0]
        paths = [dataset["path"] for dataset in scale["datasets"]]
        axes = [axis["name"] if isinstance(axis, dict) else axis for axis in scale.get("axes", "tczyx")]
        if not paths or any(".." in path.split("/") for path in paths) or not {"y", "x"} <= set(axes):
            raise ValueError("`multiscales` names no array with axes y and x")
    except (TypeError, KeyError, IndexError, AttributeError):
        raise ValueError("`multiscales` can't be understood") from None
    for path in reversed(paths):
        array = zarr.open_array(image / path, mode="r")
        if array.ndim == len(axes) and max(array.shape[axes.index("y")], array.shape[axes.index("x")]) >= SIDE:
            break
    if array.ndim != len(axes) or array.size > MAX_VALUES or not array.size:
        raise ValueError(f"level {path}, of shape {array.shape}, can't be drawn")
    pixels = np.asarray(array[tuple(0 if axis not in "czyx" else slice(None) for axis in axes)])
    left = [axis for axis in axes if axis in "czyx"]
    pixels = pixels.transpose([left.index(axis) for axis in "czyx" if axis in left])
    if "z" in left:
        pixels = pixels.max(axis=1 if "c" in left else 0)
    return pixels if "c" in left else pixels[None]


def _stretched(plane: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Values from 0 to 1, the darkest and the brightest few cut off."""
    import numpy as np

    low, high = np.percentile(plane, (1, 99.8))
    stretched: np.ndarray[Any, Any] = np.clip((plane.astype(float) - low) / max(float(high - low), 1e-9), 0, 1)
    return stretched


def _colours(attributes: Mapping[str, Any], count: int) -> list[tuple[int, ...]]:
    if count == 1:
        return [(255, 255, 255)]
    own = attributes.get("omero")
    channels: Any = own.get("channels") if isinstance(own, dict) else None
    colours: list[tuple[int, ...]] = []
    for number in range(min(count, len(COLOURS))):
        try:
            colours.append(tuple(bytes.fromhex(channels[number]["color"])[:3]))
        except (TypeError, KeyError, IndexError, ValueError):
            colours.append(COLOURS[number])
    return [colour if len(colour) == 3 else COLOURS[0] for colour in colours]


def _outlines(image: Path, size: tuple[int, int]) -> np.ndarray[Any, Any] | None:
    """Where the objects of the first label image end, at the size of the thumbnail; None without labels."""
    import numpy as np

    try:
        labels = read_node(image / "labels")
        names = labels.attributes.get("labels") if labels else None
        if not isinstance(names, list) or not names or not isinstance(names[0], str) or ".." in names[0].split("/"):
            return None
        node = read_node(image / "labels" / names[0])
        if node is None or "multiscales" not in node.attributes:
            return None
        objects = _pixels(image / "labels" / names[0], node.attributes["multiscales"])[0]
    except (MetadataError, ValueError, OSError):
        return None
    rows = np.arange(size[1]) * objects.shape[0] // size[1]
    columns = np.arange(size[0]) * objects.shape[1] // size[0]
    drawn = objects[rows][:, columns]
    edges = np.zeros(drawn.shape, dtype=bool)
    edges[1:] |= drawn[1:] != drawn[:-1]
    edges[:, 1:] |= drawn[:, 1:] != drawn[:, :-1]
    return edges
