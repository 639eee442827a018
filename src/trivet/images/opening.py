"""Opening an image archive: a tar (compressed or not), alone or as an entry of a zip bundle, read as a stream."""

from __future__ import annotations

import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any, cast

_BLOCK = 2**18
_HEADER_LIMIT = 2**20
_MEMBER_LIMIT = 5_000_000
_SMALL = 2**30
_RATIO = 200
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


class ImageError(ValueError):
    """An image archive that can't be read, or must not be trusted; the message names the file."""


class DamagedArchiveError(ImageError):
    """An archive whose bytes are not what they were meant to be."""


class NoImageError(ImageError):
    """An archive that holds no image."""


class OtherPlatformError(ImageError):
    """An image that is there only for other machines than this one."""


class _Header(tarfile.TarInfo):
    """A header whose own extensions (long names, attributes) are bounded: tarfile reads them into memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if header.type in (b"x", b"g", b"L", b"K", b"X") and header.size > _HEADER_LIMIT:
            raise ImageError(f"a header of {header.size} bytes is no honest one")
        return header


class Tar(tarfile.TarFile):
    """A tar that knows how many bytes it has as ``stored``, before anything is unfolded."""

    tarinfo = _Header
    stored = 0


@contextmanager
def open_archive(path: str) -> Iterator[Tar]:
    """The tar of an image: PATH.tar, BUNDLE.zip!ENTRY.tar, or BUNDLE.zip with one image in it.

    Members come in the file's order, and can be read only in this order. Raises ImageError for everything that is
    wrong with the archive, now or while it is read.
    """
    file, entry = _split(path)
    try:
        if not Path(file).is_file():
            raise ImageError("is not a file" if Path(file).exists() else "does not exist")
        with open(file, "rb") as stream:
            size = Path(file).stat().st_size
            if stream.read(4) == b"PK\3\4":
                with zipfile.ZipFile(stream) as bundle, bundle.open(entry or _entry(bundle, file)) as inner:
                    yield _tar(inner, "r|*", size)
                    while inner.read(_BLOCK):  # to the end, where the zip's checksum of the entry is compared
                        pass
            elif entry:
                raise ImageError("is not a zip archive")
            else:
                stream.seek(0)
                yield _tar(stream, "r:*", size)
    except KeyError:
        raise ImageError(f"{file} has no entry {entry}") from None
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, RuntimeError, ValueError) as error:
        raise DamagedArchiveError(f"{path}: is not a readable image archive ({error})") from error
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error


def members(tar: Tar) -> Iterator[tarfile.TarInfo]:
    """The members of a tar, one after the other, none kept in memory; refuses a tar that unfolds without measure."""
    limit = max(_SMALL, _RATIO * tar.stored)
    for count, member in enumerate(tar):
        if count > _MEMBER_LIMIT:
            raise ImageError(f"more than {_MEMBER_LIMIT} files")
        if member.offset_data + member.size > limit:
            raise ImageError(f"{tar.stored} bytes unfold to more than {limit}")
        cast(Any, tar).members.clear()
        yield member


def layer_members(stream: IO[bytes], stored: int) -> Iterator[tuple[Tar, tarfile.TarInfo]]:
    """The members of a layer of ``stored`` bytes, compressed or not, each with the tar to read it from.

    Raises ImageError for Zstandard where this Python can't undo it.
    """
    start = stream.read(len(_ZSTANDARD))
    stream = cast(IO[bytes], _Resumed(start, stream))
    inner = _tar(_unpacked(stream), "r|", stored) if start == _ZSTANDARD else _tar(stream, "r|*", stored)
    for item in members(inner):
        yield inner, item


class _Resumed:
    """A stream of which the first bytes were read already."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start, self._stream = start, stream

    def read(self, size: int = -1) -> bytes:
        if not self._start:
            return self._stream.read(size)
        start, self._start = (self._start, b"") if size < 0 else (self._start[:size], self._start[size:])
        return start + self._stream.read(size - len(start) if size >= 0 else size)


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    """A Zstandard stream as what it holds."""
    try:
        from compression.zstd import ZstdFile  # Python 3.14

        return cast(IO[bytes], ZstdFile(stream))
    except ImportError:
        pass
    try:
        import zstandard
    except ImportError:
        message = "has a layer compressed by Zstandard, which this Python can't undo: pip install zstandard"
        raise ImageError(message) from None
    return cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True))


def plain_name(name: str) -> str:
    """A member's name without ``./`` and leading slashes; ImageError for one that leaves the archive."""
    plain = posixpath.normpath("/" + name).lstrip("/")
    if ".." in name.split("/"):
        raise ImageError(f"the name {name!r} leads out of the archive")
    return plain


def _split(path: str) -> tuple[str, str]:
    """The file and the entry in it; a file's own name may have exclamation marks."""
    marks = [at for at, letter in enumerate(path) if letter == "!"]
    for at in (len(path), *marks):
        if Path(path[:at]).exists():
            return path[:at], path[at + 1 :]
    return path.partition("!")[0], path.partition("!")[2]


def _tar(stream: IO[bytes], mode: str, stored: int) -> Tar:
    tar = cast(Tar, Tar.open(fileobj=stream, mode=mode, bufsize=_BLOCK))  # type: ignore[call-overload]
    tar.stored = stored
    return tar


def _entry(bundle: zipfile.ZipFile, file: str) -> str:
    """The image in a bundle (Cytomine, bundle: any ``.tar``; by convention NAMESPACE-VERSION.tar or image.tar)."""
    names = [
        name
        for name in bundle.namelist()
        if name.lower().endswith(".tar")
        and not name.startswith("__MACOSX/")
        and not posixpath.basename(name).startswith("._")
    ]
    if len(names) == 1:
        return names[0]
    for wanted in (Path(file).stem + ".tar", "image.tar"):
        if wanted in names:
            return wanted
    if not names:
        raise ImageError("holds no image (no entry ends in .tar)")
    raise ImageError(f"holds several images ({', '.join(names[:5])}); write {file}!ENTRY to choose one")
