"""WSI-DICOM slides (App Engine tasks, image): many DICOM files in one directory, or such a directory zipped.

The largest file is the image its size is asked of.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from trivet.contracts.cytomine.pictures import Picture, inspect
from trivet.contracts.cytomine.zips import DAMAGED, files_of, opened, unsafe


def of_directory(path: Path) -> tuple[Picture, int]:
    """The slide in a directory and its size in bytes. Raises ValueError when it is none, OSError."""
    pictures = []
    for file in sorted(child for child in path.rglob("*") if child.is_file()):
        with file.open("rb") as stream:
            pictures.append((file.stat().st_size, inspect(stream)))
    return _slide(pictures, "directory")


def of_zip(path: Path) -> tuple[Picture, int]:
    """The slide in a zip and its unpacked size in bytes. Raises ValueError when it is none or unsafe, OSError."""
    try:
        with opened(path) as archive:
            problems = [problem.message for problem in unsafe(archive)]
            if problems:
                raise ValueError(f"is an unsafe zip: {'; '.join(problems)}")
            pictures = []
            for entry in files_of(archive):
                with archive.open(entry) as stream:
                    pictures.append((entry.file_size, inspect(stream)))
    except ValueError:
        raise
    except DAMAGED as error:
        raise ValueError(f"is a damaged zip: {error}") from None
    return _slide(pictures, "zip")


def unpack(path: Path, target: Path) -> None:
    """Unpack a zip that `of_zip` found good into a new directory. Raises OSError."""
    try:
        with opened(path) as archive:
            for entry in files_of(archive):
                file = target / entry.filename
                file.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, file.open("xb") as sink:
                    shutil.copyfileobj(source, sink)
                file.chmod(0o644)
    except DAMAGED as error:
        raise OSError(f"{path} is damaged: {error}") from error


def _slide(pictures: Iterable[tuple[int, Picture]], what: str) -> tuple[Picture, int]:
    found = list(pictures)
    if not found or any(picture.format != "dicom" for _, picture in found):
        raise ValueError(f"is a {what} that holds other files than DICOM, or none")
    _, largest = max(found, key=lambda pair: pair[0])
    return Picture("wsidicom", largest.width, largest.height), sum(size for size, _ in found)
