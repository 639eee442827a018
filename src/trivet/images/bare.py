"""An image's archive with its layers only: what an unpacker needs, without anything it might execute or set."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, cast

from trivet.images.archive import ArchivedImage
from trivet.images.opening import ImageError, members, open_archive, plain_name

_BLOCK = 2**20

Member = tuple[str, int, IO[bytes]]
"""Name, size in bytes and content; to be read before the next one is asked for."""


def bare(config: Mapping[str, Any], layers: Sequence[str], contents: Iterable[Member]) -> Iterator[bytes]:
    """The archive of an image in the form of docker save, in pieces.

    ``config`` is the image's configuration, of which platform and layers are kept; ``layers`` are the names of the
    members in ``contents``, the lowest layer first. Raises ImageError for contents that lack one of them.
    """
    missing = set(layers)
    for name, size, stream in contents:
        missing.discard(name)
        yield from _member(name, size, stream)
    if missing:
        raise ImageError(f"is not complete: {min(missing)} is missing")
    kept = {key: config[key] for key in ("architecture", "os", "variant", "rootfs") if key in config}
    texts = {
        "config.json": json.dumps({**kept, "config": {}}).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": None, "Layers": list(layers)}]).encode(),
    }
    for name, text in texts.items():
        yield from _member(name, len(text), io.BytesIO(text))
    yield b"\0" * tarfile.RECORDSIZE


def bare_archive(path: str, image: ArchivedImage) -> Iterator[bytes]:
    """The same, of an image in an archive (see `open_archive` for the forms of ``path``). Raises ImageError."""

    def contents() -> Iterator[Member]:
        with open_archive(path) as tar:
            for member in members(tar):
                name = plain_name(member.name)
                if member.isfile() and name in image.layers:
                    yield name, member.size, cast(IO[bytes], tar.extractfile(member))

    yield from bare(image.config, image.layers, contents())


def _member(name: str, size: int, stream: IO[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size
    yield info.tobuf(tarfile.GNU_FORMAT)
    written = 0
    while block := stream.read(_BLOCK):
        written += len(block)
        yield block
    if written != size:
        raise ImageError(f"has {written:,} bytes of {name} where {size:,} were announced")
    yield b"\0" * (-size % tarfile.BLOCKSIZE)
