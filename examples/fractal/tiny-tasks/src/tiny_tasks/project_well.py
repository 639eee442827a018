"""Compound task, second part: the fields of one well, projected along z, side by side in a new image."""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, validate_call

from tiny_tasks.ome_zarr import read_image, write_image

logger = logging.getLogger(__name__)


class Well(BaseModel):
    """What the first part says of a well."""

    fields: list[str]
    """Images of the well, one for each field, in their order."""


@validate_call
def project_well(*, zarr_url: str, init_args: Well, method: Literal["max", "mean"] = "max") -> dict[str, Any]:
    """Project the fields of a well along z, and put them side by side.

    Args:
        zarr_url: The new image.
        init_args: The fields of the well, from the first part.
        method: The brightest pixel along z, or the mean of all.
    """
    projections = []
    for url in init_args.fields:
        pixels, size, channels = read_image(Path(url))
        combined = pixels.max(axis=1) if method == "max" else pixels.mean(axis=1).round().astype(pixels.dtype)
        projections.append(combined)
    mosaic = np.concatenate(projections, axis=-1)[:, np.newaxis]
    write_image(Path(zarr_url), mosaic, size, channels)
    logger.info("%s: %d fields", zarr_url, len(projections))
    plate, row, column, _ = zarr_url.rsplit("/", 3)
    update = {
        "zarr_url": zarr_url,
        "origin": init_args.fields[0],
        "attributes": {"plate": Path(plate).name, "well": row.rsplit("/", 1)[-1] + column, "field": None},
    }
    return {"image_list_updates": [update]}


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=project_well)
