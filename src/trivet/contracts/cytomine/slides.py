"""WSI-DICOM slides (App Engine tasks, image): many DICOM files in one directory, or such a directory zipped.

The largest file is the image its size is asked of.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from trivet.contracts.cytomine.pictures import Picture, inspect
from trivet.contracts.cytomine.zips import DAMAGED, files_of, opened, unsafe


def of_directory(path: Path) -> tuple[Picture, int]:
    """The slide in a directory and its size in bytes. Raises ValueError when it is none, OSError."""

    def looked_at() -> Iterator[tuple[int, str, Picture]]:
        for file in path.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    yield file.stat().st_size, str(file.relative_to(path)), inspect(stream)

    return _slide(looked_at(), "directory")


def of_zip(path: Path) -> tuple[Picture, int]:
    """The slide in a zip and its unpacked size in bytes. Raises ValueError when it is none or unsafe, OSError."""
    try:
        with opened(path) as archive:
            problems = [problem.message for problem in unsafe(archive)]
            if problems:
                raise ValueError(f"is an unsafe zip: {'; '.join(problems)}")

            def looked_at() -> Iterator[tuple[int, str, Picture]]:
                for entry in files_of(archive):
                    with archive.open(entry) as stream:
                        yield entry.file_size, entry.filename, inspect(stream)

            return _slide(looked_at(), "zip")
    except ValueError:
        raise
    except DAMAGED as error:
        raise ValueError(f"is a damaged zip: {error}") from None


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


def _slide(files: Iterable[tuple[int, str, Picture]], what: str) -> tuple[Picture, int]:
    """The slide made of files with size, name and content; no more are looked at after the first that is not DICOM."""
    found = []
    for size, name, picture in files:
        if picture.format != "dicom":
            raise ValueError(f"is a {what} that holds other files than DICOM, such as {name}")
        found.append((size, name, picture))
    if not found:
        raise ValueError(f"is a {what} without any DICOM file")
    *_, largest = max(found, key=lambda file: file[:2])
    return Picture("wsidicom", largest.width, largest.height), sum(size for size, *_ in found)
