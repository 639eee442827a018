"""The image list of OME-Zarr data that are already there, by their metadata alone; no pixel is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivet.contracts.fractal import omezarr
from trivet.contracts.fractal.omezarr import MetadataError, Node
from trivet.datasets.images import Image
from trivet.datasets.scalars import Scalar
from trivet.datasets.urls import normalize_url
from trivet.tasks.problem import Problem

UNREADABLE, LOST, EMPTY = "D007", "D008", "D009"
"""Codes of problems: metadata that can't be understood, a well or image that is not where it should be, no image."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan came upon: the directory below which all images lie, these in order of their paths, and problems."""

    zarr_dir: str
    images: list[Image] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def scan(directory: Path) -> Found:
    """The images of a plate, a well, an image, or of everything below a plain directory.

    Attributes are ``plate`` and ``well`` (and ``acquisition`` where a plate has several), the type is ``is_3D``. What
    is broken is left out with a problem. Raises NotADirectoryError, ValueError for a path no URL can have.
    """
    root = Path(os.path.abspath(directory))  # noqa: PTH100 - links stay as they are written
    if not root.is_dir():
        raise NotADirectoryError(str(root))
    top = _top(root)
    found = Found(normalize_url(str(root if top is None else top.parent)))
    _Walk(found).directory(root)
    if not found.images and not found.problems:
        hint = "name a plate, an image, or a directory that holds some"
        found.problems.append(Problem(EMPTY, "there is no OME-Zarr image here", hint=hint, file=str(root)))
    return found


class _Walk:
    def __init__(self, found: Found) -> None:
        self.found = found
        self.seen: set[tuple[int, int]] = set()
        self.urls: set[str] = set()

    def directory(self, path: Path) -> None:
        """Everything in a directory, whatever it is. A directory that links lead to twice is looked at once."""
        waiting = [path]
        while waiting:
            path = waiting.pop()
            try:
                status = path.stat()
                if (status.st_dev, status.st_ino) in self.seen:
                    continue
                self.seen.add((status.st_dev, status.st_ino))
                node = omezarr.read_node(path)
                if node is None or not self.node(path, node):
                    below = [] if node and node.is_array else _directories(path)
                    waiting += reversed(below)
            except (MetadataError, OSError) as error:
                self.broken(error, path)

    def node(self, path: Path, node: Node) -> bool:
        """Take what a group is; False when it is a plain one, which may hold others."""
        if "plate" in node.attributes:
            self.plate(path, node)
        elif "well" in node.attributes:
            self.well(path, node, _place(path), False)
        elif "multiscales" in node.attributes:
            self.image(path, node, _place(path.parent) if _is_well(path.parent) else {})
        else:
            return False
        return True

    def plate(self, path: Path, node: Node) -> None:
        acquisitions = node.attributes["plate"].get("acquisitions") if isinstance(node.attributes["plate"], dict) else 0
        several = isinstance(acquisitions, list) and len(acquisitions) > 1
        for name, _ in omezarr.paths_in(node, "plate", "wells"):
            try:
                well = omezarr.read_node(path / name)
                if well is None or "well" not in well.attributes:
                    self.lost(node, f"well {name} of plate {path.name} is not there")
                    continue
                self.well(path / name, well, {"plate": path.name, "well": omezarr.well_name(name)}, several)
            except (MetadataError, OSError) as error:
                self.broken(error, path / name)

    def well(self, path: Path, node: Node, attributes: Mapping[str, Scalar], several: bool) -> None:
        for name, item in omezarr.paths_in(node, "well", "images"):
            try:
                image = omezarr.read_node(path / name)
                if image is None or "multiscales" not in image.attributes:
                    self.lost(node, f"image {name} of well {attributes['well']} is not there")
                    continue
                self.image(path / name, image, {**attributes, **(_acquisition(item) if several else {})})
            except (MetadataError, OSError) as error:
                self.broken(error, path / name)

    def image(self, path: Path, node: Node, attributes: Mapping[str, Scalar]) -> None:
        types = {}
        try:
            types = {"is_3D": omezarr.is_3d(node, path)}
        except MetadataError as error:
            message = f"it can't be told whether image {path.name} is 3D: {error}"
            self.found.problems.append(Problem(UNREADABLE, message, "warning", file=str(error.file)))
        try:
            url = normalize_url(str(path))
        except ValueError as error:
            self.found.problems.append(Problem(UNREADABLE, f"no URL can name this image: {error}", file=str(path)))
            return
        if url not in self.urls:  # a plate may list a well twice
            self.found.images.append(Image(url, None, dict(attributes), types))
        self.urls.add(url)

    def lost(self, node: Node, message: str) -> None:
        self.found.problems.append(Problem(LOST, message, "warning", file=str(node.file)))

    def broken(self, error: MetadataError | OSError, path: Path) -> None:
        if isinstance(error, MetadataError):
            problem = Problem(UNREADABLE, f"left out: {error}", file=str(error.file))
        else:
            problem = Problem(UNREADABLE, f"left out: it can't be read: {error.strerror or error}", file=str(path))
        self.found.problems.append(problem)


def _top(path: Path) -> Path | None:
    """The outermost group of the Zarr hierarchy a directory belongs to; None when it belongs to none."""
    top = path if _is_node(path) else None
    while top is not None:
        # The row between plate and well may be a plain directory.
        outer = next((above for above in list(top.parents)[:2] if _is_node(above)), None)
        if outer is None:
            break
        top = outer
    return top


def _is_node(path: Path) -> bool:
    return any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs"))


def _is_well(path: Path) -> bool:
    try:
        node = omezarr.read_node(path)
    except (MetadataError, OSError):
        return False
    return node is not None and "well" in node.attributes


def _place(well: Path) -> dict[str, Scalar]:
    """The attributes of a well by its path, ``plate.zarr/B/03``."""
    return {"plate": well.parent.parent.name, "well": well.parent.name + well.name}


def _acquisition(item: Mapping[str, Any]) -> dict[str, Scalar]:
    number = item.get("acquisition")
    return {"acquisition": number} if isinstance(number, int) and not isinstance(number, bool) else {}


def _directories(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    return [path / name for name in names if not name.startswith(".")]
