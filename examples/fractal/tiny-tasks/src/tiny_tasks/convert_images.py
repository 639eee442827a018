"""Converter: a folder of single-plane images becomes an OME-Zarr plate."""

import logging
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import DirectoryPath, Field, validate_call
from skimage.io import imread

from tiny_tasks.ome_zarr import write_image, write_plate

logger = logging.getLogger(__name__)

PATTERN = r"(?P<row>[A-Z]+)(?P<column>\d+)_.*F(?P<field>\d+)(?:Z(?P<z>\d+))?C(?P<channel>\d+)"
SUFFIXES = (".png", ".tif", ".tiff")


@validate_call
def convert_images(
    *,
    zarr_dir: str,
    image_dir: DirectoryPath,
    plate_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "plate",
    pattern: str = PATTERN,
    channel_names: Annotated[dict[str, str], Field(default_factory=dict)],
    pixel_size: Annotated[float, Field(gt=0)] = 0.5,
    z_step: Annotated[float, Field(gt=0)] = 1.0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make an OME-Zarr plate of a folder of PNG or TIFF images, one image per field of view.

    Args:
        zarr_dir: Directory in which the plate is made.
        image_dir: Folder of single-plane grey images, one for each well, field, z plane and channel.
        plate_name: The plate becomes `<plate_name>.zarr`.
        pattern: Regular expression for file names with the groups row, column, field, channel and, if there
            are several planes, z.
        channel_names: Names of the channels by their numbers as in the file names, e.g. 01; default: C and the number.
        pixel_size: Width and height of a pixel in micrometres.
        z_step: Distance of two planes in micrometres.
        overwrite: Replace a plate of that name.
    """
    plate = Path(zarr_dir, f"{plate_name}.zarr")
    if plate.exists():
        if not overwrite:
            raise FileExistsError(f"{plate} exists; choose another plate_name, or set overwrite")
        shutil.rmtree(plate)
    fields = find_fields(image_dir, pattern)
    numbers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row, column, field in sorted(fields):
        numbers[row, column].append(field)
    write_plate(plate, {well: len(found) for well, found in numbers.items()})
    updates = []
    for (row, column, field), planes in sorted(fields.items()):
        pixels, channels = stack(planes)
        path = plate / row / column / str(numbers[row, column].index(field))
        names = [channel_names.get(channel, f"C{channel}") for channel in channels]
        write_image(path, pixels, {"z": z_step, "y": pixel_size, "x": pixel_size}, names)
        logger.info("%s: %s", path, " × ".join(map(str, pixels.shape)))
        updates.append(
            {
                "zarr_url": str(path),
                "attributes": {"plate": plate.name, "well": row + column, "field": int(field)},
                "types": {"is_3D": pixels.shape[1] > 1},
            }
        )
    return {"image_list_updates": updates}


def find_fields(folder: Path, pattern: str) -> dict[tuple[str, str, str], dict[tuple[str, str], Path]]:
    """Files by (row, column, field), then by (channel, z). Raises ValueError when none matches."""
    expression = re.compile(pattern)
    fields: dict[tuple[str, str, str], dict[tuple[str, str], Path]] = defaultdict(dict)
    for path in sorted(folder.iterdir()):
        match = expression.search(path.stem)
        if path.suffix.lower() not in SUFFIXES:
            continue
        if match is None:
            logger.warning("%s does not match the pattern and is left out", path.name)
            continue
        groups = match.groupdict()
        well = groups["row"], groups["column"], groups["field"]
        plane = groups["channel"], groups.get("z") or "0"
        if plane in fields[well]:
            raise ValueError(f"{path.name} and {fields[well][plane].name} are the same plane by the pattern")
        fields[well][plane] = path
    if not fields:
        raise ValueError(f"no file in {folder} matches {pattern!r} and ends with one of {', '.join(SUFFIXES)}")
    return fields


def stack(planes: dict[tuple[str, str], Path]) -> tuple[np.ndarray, list[str]]:
    """Pixels (c z y x) of one field, and the numbers of its channels. Raises ValueError when planes are missing."""
    channels = sorted({channel for channel, _ in planes})
    depths = sorted({z for _, z in planes}, key=int)
    if len(planes) != len(channels) * len(depths):
        names = ", ".join(path.name for path in planes.values())
        raise ValueError(f"planes are missing: {len(channels)} channels × {len(depths)} planes are not {names}")
    images = {key: imread(path) for key, path in planes.items()}
    first = next(iter(images.values()))
    for key, image in images.items():
        if image.ndim != 2 or image.shape != first.shape or image.dtype != first.dtype:
            raise ValueError(
                f"{planes[key].name} is no grey image of the same size and type as the others of its field"
            )
    return np.stack([np.stack([images[channel, z] for z in depths]) for channel in channels]), channels


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=convert_images)
