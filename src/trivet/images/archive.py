"""The archive an image can be loaded from, as a stream: a tar, or a tar inside a zip, never unpacked to disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from trivet.tasks.task import ContainerImage


@contextmanager
def open_archive(image: ContainerImage) -> Iterator[IO[bytes]]:
    """The bytes of the image's tar, for `docker load` and its like.

    Raises OSError when the archive can't be read or no longer holds the tar, ValueError when the image has none.
    """
    if image.archive is None:
        raise ValueError(f"{image.reference} comes with no archive")
    if image.member is None:
        with open(image.archive, "rb") as stream:
            yield stream
        return
    try:
        with zipfile.ZipFile(image.archive) as bundle, bundle.open(image.member) as member:
            yield member
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        raise OSError(f"{image.archive}: {image.member} can't be read: {error}") from error
