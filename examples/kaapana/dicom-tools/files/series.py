"""A DICOM series as a volume: slices in their order in space, values rescaled, geometry in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError


class SeriesError(ValueError):
    """The files of an item are not one series that can be a volume."""


@dataclass(frozen=True)
class Volume:
    """Values indexed by slice, row, column, and their place in the patient (DICOM's axes: left, posterior, superior).

    Each row of ``directions`` is the step in mm along columns, rows and slices; ``origin`` is the centre of the first
    voxel. Both are None for images without a position in space.
    """

    values: np.ndarray
    directions: np.ndarray | None
    origin: np.ndarray | None


def read(directory: Path) -> Volume:
    """The volume of all DICOM files in a directory. Raises SeriesError for anything that is not one plain series."""
    slices = [dataset for path in sorted(directory.iterdir()) if path.is_file() and (dataset := _image(path))]
    if not slices:
        raise SeriesError("there is no DICOM image in it")
    if len({dataset.get("SeriesInstanceUID") for dataset in slices}) > 1:
        raise SeriesError("its files belong to more than one series")
    if any(int(dataset.get("NumberOfFrames") or 1) > 1 for dataset in slices):
        raise SeriesError("multi-frame images are not supported")
    if any(dataset.get("SamplesPerPixel", 1) != 1 for dataset in slices):
        raise SeriesError("colour images are not supported")
    if len({(dataset.Rows, dataset.Columns) for dataset in slices}) > 1:
        raise SeriesError("its slices differ in size")
    if any(_orientation(dataset) is None for dataset in slices):
        if len(slices) > 1:
            raise SeriesError("its slices have no position in space, so their order is unknown")
        return Volume(_stack(slices), None, None)
    return _placed(slices)


def _placed(slices: list[pydicom.Dataset]) -> Volume:
    orientation = _orientation(slices[0])
    if any(not np.allclose(_orientation(dataset), orientation, atol=1e-3) for dataset in slices):
        raise SeriesError("its slices are not parallel")
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    slices = sorted(slices, key=lambda dataset: float(normal @ _position(dataset)))
    positions = np.array([_position(dataset) for dataset in slices])
    between_rows, between_columns = (float(value) for value in slices[0].get("PixelSpacing") or (1, 1))
    if len(slices) > 1:
        steps = np.diff(positions, axis=0)
        step = (positions[-1] - positions[0]) / (len(slices) - 1)
        if not np.allclose(steps, step, atol=0.01 * max(float(np.linalg.norm(step)), 1e-6)):
            raise SeriesError("its slices are not evenly spaced (is one missing or double?)")
    else:
        step = normal * float(slices[0].get("SpacingBetweenSlices") or slices[0].get("SliceThickness") or 1)
    directions = np.array([row * between_columns, column * between_rows, step])
    return Volume(_stack(slices), directions, positions[0])


def _image(path: Path) -> pydicom.Dataset | None:
    try:
        dataset = pydicom.dcmread(path)
    except InvalidDicomError:
        return None
    return dataset if "PixelData" in dataset else None


def _stack(slices: list[pydicom.Dataset]) -> np.ndarray:
    """Rescaled values, as whole numbers where they are."""
    try:
        planes = [
            dataset.pixel_array * np.float64(dataset.get("RescaleSlope") or 1)
            + np.float64(dataset.get("RescaleIntercept") or 0)
            for dataset in slices
        ]
    except (RuntimeError, NotImplementedError, ValueError, AttributeError) as error:
        raise SeriesError(f"its pixels can't be decoded: {error}") from error
    values = np.stack(planes)
    for whole in (np.int16, np.int32):
        limits = np.iinfo(whole)
        if limits.min <= values.min() and values.max() <= limits.max and np.array_equal(values, np.round(values)):
            return values.astype(whole)
    return values.astype(np.float32)


def _orientation(dataset: pydicom.Dataset) -> np.ndarray | None:
    given = dataset.get("ImageOrientationPatient")
    if not given or not dataset.get("ImagePositionPatient"):
        return None
    return np.array([float(value) for value in given])


def _position(dataset: pydicom.Dataset) -> np.ndarray:
    return np.array([float(value) for value in dataset.ImagePositionPatient])
