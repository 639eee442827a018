"""Non-parallel task: one table of the nuclei of all images."""

import csv
import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, validate_call
from skimage.measure import regionprops_table

from tiny_tasks.ome_zarr import read_image, read_label

logger = logging.getLogger(__name__)


@validate_call
def measure_nuclei(
    *,
    zarr_urls: list[str],
    zarr_dir: str,
    label_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "nuclei",
    table_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "nuclei",
) -> None:
    """Measure every labelled object of every image: size, position, mean intensity of each channel.

    Args:
        zarr_urls: Images that have the label image.
        zarr_dir: Directory in which the table is written.
        label_name: Name of the label image.
        table_name: The table becomes `<table_name>.csv`.
    """
    rows = [row for url in zarr_urls for row in measure_image(Path(url), label_name)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    target = Path(zarr_dir, f"{table_name}.csv")
    unfinished = target.with_suffix(".csv.part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(target)
    logger.info("%s: %d objects of %d images", target, len(rows), len(zarr_urls))


def measure_image(path: Path, label_name: str) -> list[dict[str, Any]]:
    """A row for each object of an image; positions and sizes in micrometres. Raises KeyError without the label."""
    pixels, size, channels = read_image(path)
    try:
        labels = read_label(path, label_name)
    except KeyError:
        raise KeyError(f"{path} has no label `{label_name}`; run Segment nuclei first") from None
    plate, row, column, field = str(path).rsplit("/", 3)
    spacing = tuple(size[axis] for axis in "zyx")
    table = regionprops_table(
        labels,
        np.moveaxis(pixels, 0, -1),
        properties=("label", "num_pixels", "centroid", "intensity_mean"),
        spacing=spacing,
    )
    common = {"plate": Path(plate).name, "well": row + column, "image": field}
    return [
        common
        | {"label": int(table["label"][index]), "pixels": int(table["num_pixels"][index])}
        | {f"{axis}_um": round(float(table[f"centroid-{number}"][index]), 3) for number, axis in enumerate("zyx")}
        | {
            f"mean_{name}": round(float(table[f"intensity_mean-{number}"][index]), 3)
            for number, name in enumerate(channels)
        }
        for index in range(len(table["label"]))
    ]


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=measure_nuclei)
