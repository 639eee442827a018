"""The status of images for one task of a workflow, as an attribute that filters can choose by.

It exists only while a job runs: put on before its first task, taken off before the list is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trivet.datasets.images import Image

STATUS = "__wftask_dataset_image_status__"
"""The attribute's name (Fractal, pseudo attribute of job filters)."""

DONE, SUBMITTED, FAILED, UNSET = "done", "submitted", "failed", "unset"
STATUSES = (DONE, SUBMITTED, FAILED, UNSET)


def with_statuses(images: Mapping[str, Image], statuses: Mapping[str, str]) -> dict[str, Image]:
    """The same images, in their order, each with its status; those without a record are ``unset``."""
    return {
        url: replace(image, attributes={**image.attributes, STATUS: statuses.get(url, UNSET)})
        for url, image in images.items()
    }


def attached(images: Mapping[str, Image], statuses: Mapping[str, str]) -> dict[str, Image]:
    """The same images, in their order, those with the statuses that have one; the others have none, not even
    ``unset``: they were made while the job runs."""
    return {
        url: replace(image, attributes={**image.attributes, STATUS: statuses[url]}) if url in statuses else image
        for url, image in images.items()
    }


def statuses_of(images: Mapping[str, Image]) -> dict[str, str]:
    """The statuses of those images that have one, by URL."""
    return {url: str(image.attributes[STATUS]) for url, image in images.items() if STATUS in image.attributes}


def without_statuses(images: Mapping[str, Image]) -> dict[str, Image]:
    """The same images without a status, also those that inherited one from their origin."""
    return {
        url: replace(image, attributes={name: value for name, value in image.attributes.items() if name != STATUS})
        if STATUS in image.attributes
        else image
        for url, image in images.items()
    }
