"""What the JSON files of OME-Zarr say: plates, wells and images of NGFF 0.4 (Zarr 2) and 0.5 (Zarr 3), and before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.contracts.parsing import parse_json

MAX_BYTES = 64 * 1024 * 1024
"""The largest file of metadata that is read; that of a plate of 1,536 wells has some 100 kB."""


class MetadataError(ValueError):
    """Metadata that can't be understood; ``file`` is where they are."""

    def __init__(self, file: Path, message: str) -> None:
        self.file = file
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Node:
    """A group or an array of a Zarr hierarchy: its attributes (of NGFF 0.5, those below ``ome``), an array's shape."""

    file: Path
    attributes: Mapping[str, Any]
    shape: tuple[int, ...] | None = None

    @property
    def is_array(self) -> bool:
        return self.shape is not None


def read_node(directory: Path) -> Node | None:
    """The node a directory holds; None when it is no part of a Zarr hierarchy. Raises MetadataError."""
    data = _json(directory / "zarr.json")
    if data is not None:
        file = directory / "zarr.json"
        attributes = _object(data.get("attributes", {}), file, "attributes")
        own = _object(attributes.get("ome", attributes), file, "ome")
        return Node(file, own, _shape(data, file) if data.get("node_type") == "array" else None)
    array = _json(directory / ".zarray")
    if array is not None:
        return Node(directory / ".zarray", {}, _shape(array, directory / ".zarray"))
    group = _json(directory / ".zattrs")
    if group is None and not (directory / ".zgroup").is_file():
        return None
    return Node(directory / ".zattrs", group or {})


def paths_in(node: Node, kind: str, items: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The paths that a plate lists of its wells, or a well of its images, with what else is said of each.

    Raises MetadataError (NGFF, plate and well).
    """
    listed = _object(node.attributes[kind], node.file, kind).get(items)
    if not isinstance(listed, list):
        raise MetadataError(node.file, f"`{kind}` lacks the list `{items}`")
    found = []
    for index, item in enumerate(listed):
        path = item.get("path") if isinstance(item, dict) else None
        if not isinstance(path, str) or not path.strip("/") or ".." in path.split("/") or "\x00" in path:
            raise MetadataError(node.file, f"item {index} of `{items}` in `{kind}` has no `path` below this directory")
        found.append((path.strip("/"), item))
    return found


def well_name(path: str) -> str:
    """The name of a well by its path: ``B/03`` is B03."""
    return path.replace("/", "")


def is_3d(node: Node, directory: Path) -> bool:
    """Whether an image has more than one plane: an axis z longer than 1. Raises MetadataError (NGFF, multiscales).

    Before NGFF 0.3 there were no axes; images were t, c, z, y, x.
    """
    scales = node.attributes["multiscales"]
    scale = scales[0] if isinstance(scales, list) and scales else None
    if not isinstance(scale, dict):
        raise MetadataError(node.file, "`multiscales` must be a list with an object")
    axes = scale.get("axes", list("tczyx"))
    names = [axis.get("name") if isinstance(axis, dict) else axis for axis in axes] if isinstance(axes, list) else []
    if "z" not in names:
        return False
    datasets = scale.get("datasets")
    first = datasets[0] if isinstance(datasets, list) and datasets else None
    path = first.get("path") if isinstance(first, dict) else None
    if not isinstance(path, str) or ".." in path.split("/"):
        raise MetadataError(node.file, "`multiscales` names no `path` of its first array")
    array = read_node(directory / path.strip("/"))
    if array is None or array.shape is None:
        raise MetadataError(node.file, f"there is no array in {path!r}")
    if len(array.shape) != len(names):
        raise MetadataError(array.file, f"the array has {len(array.shape)} dimensions, and the image {len(names)} axes")
    return array.shape[names.index("z")] > 1


def _json(path: Path) -> dict[str, Any] | None:
    """The object a file holds; None when there is no such file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MetadataError(path, f"the file has more than {MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MetadataError(path, f"the file can't be read: {getattr(error, 'strerror', None) or error}") from None
    data, problem = parse_json(_plain_numbers(text))
    if problem is not None:
        raise MetadataError(path, problem.message)
    return _object(data, path, "the file")


def _plain_numbers(text: str) -> str:
    """Zarr 2 writes NaN and Infinity as bare words where a fill value has them; nobody asks for them here."""
    return re.sub(r'("fill_value"\s*:\s*)-?(?:NaN|Infinity)\b', r"\1null", text)


def _object(data: Any, file: Path, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise MetadataError(file, f"{what if what == 'the file' else f'`{what}`'} must be an object")
    return data


def _shape(data: Mapping[str, Any], file: Path) -> tuple[int, ...]:
    shape = data.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in shape):
        raise MetadataError(file, "an array's `shape` must be a list of whole numbers")
    return tuple(shape)
