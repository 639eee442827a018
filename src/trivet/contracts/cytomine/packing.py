"""Writing bundles, the same bytes for the same content; taking them apart (App Engine tasks, bundle)."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from trivet.contracts.cytomine.bundle import open_bundle
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.zips import DAMAGED, files_of, opened
from trivet.tasks.problem import Problem, ProblemsError

LOGO = "logo.png"
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell


def bundle_name(model: Descriptor) -> str:
    """The usual name of a bundle."""
    return f"{model.namespace}-{model.version}.zip"


def image_entry(model: Descriptor) -> tuple[str, list[Problem]]:
    """The name of the image's tar in a bundle, and a warning where the public engine makes another name of it."""
    usual = f"{model.namespace}-{model.version}.tar"
    entry = model.image_file or usual
    if Path(entry).name == usual:
        return entry, []
    message = f"the public engine names the image by its tar, so `{entry}` becomes another image or is refused"
    hint = f"write configuration.image.file: /{usual}"
    return entry, [Problem("C116", message, "warning", hint, path=("configuration", "image", "file"))]


def write(stream: IO[bytes], files: Mapping[str, bytes], entry: str, image: Iterable[bytes]) -> None:
    """Write a bundle: small files, then the image's tar in pieces. Nothing is compressed; layers hardly shrink.

    Raises OSError and whatever ``image`` raises.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(_entry(name), content)
        # The size is not known beforehand, so the entry is always one that may be large.
        with archive.open(_entry(entry), "w", force_zip64=True) as sink:
            for piece in image:
                sink.write(piece)


def unpack(path: Path, target: Path) -> Iterator[Path]:
    """Unpack a bundle's files into a new or empty directory, each path when it is there.

    Raises ProblemsError for a bundle that is unsafe or damaged, OSError.
    """
    open_bundle(path)
    if target.exists() and any(target.iterdir()):
        raise ProblemsError([Problem("C117", "is not empty; nothing was unpacked", file=str(target))])
    with opened(path) as archive:
        for entry in files_of(archive):
            file = target / entry.filename
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with archive.open(entry) as source, file.open("xb") as sink:
                    shutil.copyfileobj(source, sink, 2**20)
            except DAMAGED as error:
                file.unlink(missing_ok=True)
                message = f"can't be read: {error}"
                raise ProblemsError([Problem("C113", message, file=f"{path}/{entry.filename}")]) from None
            yield file


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system = 3  # Unix, wherever it is made
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info
