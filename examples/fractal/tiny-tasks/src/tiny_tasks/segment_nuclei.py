"""Parallel task: nuclei by a threshold, as a label image."""

import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, validate_call
from scipy import ndimage
from skimage.filters import threshold_otsu

from tiny_tasks.ome_zarr import read_image, write_label

logger = logging.getLogger(__name__)


@validate_call
def segment_nuclei(
    *,
    zarr_url: str,
    channel: Annotated[int, Field(ge=0)] = 0,
    threshold: Annotated[float, Field(ge=0)] | None = None,
    background_sigma: Annotated[float, Field(ge=0)] = 0.0,
    min_size: Annotated[int, Field(ge=1)] = 20,
    label_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "nuclei",
) -> dict[str, Any]:
    """Label bright objects: pixels above a threshold that touch each other.

    Args:
        zarr_url: Image to be segmented.
        channel: Number of the channel, from 0.
        threshold: Lowest intensity of an object; by Otsu's method when absent.
        background_sigma: Standard deviation in pixels of the Gaussian that estimates uneven illumination, which
            is subtracted; 0 leaves the image as it is.
        min_size: Smallest number of pixels of an object.
        label_name: Name of the label image; an older one is replaced.
    """
    path = Path(zarr_url)
    pixels, _, channels = read_image(path)
    if channel >= len(channels):
        raise ValueError(f"{path} has {len(channels)} channels; there is no number {channel}")
    image = without_background(pixels[channel], background_sigma)
    level = threshold_otsu(image) if threshold is None else threshold
    labels = large_objects(image > level, min_size)
    write_label(path, label_name, labels)
    logger.info("%s: %d objects above %.1f", path, labels.max(), level)
    return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": {"nuclei": int(labels.max())}}]}


def without_background(image: np.ndarray, sigma: float) -> np.ndarray:
    """An image (z y x) less its smooth part, plane by plane, never below 0."""
    if sigma == 0:
        return image
    smooth = ndimage.gaussian_filter(image.astype(float), (0, sigma, sigma))
    return np.clip(image - smooth, 0, None)


def large_objects(mask: np.ndarray, min_size: int) -> np.ndarray:
    """Labels 1, 2, … of the connected parts of a mask that have at least ``min_size`` pixels."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= min_size
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0)
    return numbers[labels].astype(np.uint32)


if __name__ == "__main__":
    from fractal_task_tools.task_wrapper import run_fractal_task

    run_fractal_task(task_function=segment_nuclei)
