"""Writing an image's archive anew: the same bytes for the same image, whoever saved it and when."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from trivet.images.archive import ArchivedImage
from trivet.images.opening import ImageError, members, open_archive, plain_name

_BLOCK = 2**20


def canonical(path: str, image: ArchivedImage, tag: str) -> Iterator[bytes]:
    """The archive at ``path`` (a tar that is not compressed) in the form of docker save, in pieces.

    The configuration comes first, then the layers from the lowest, each once and named by what it unpacks to; no time
    and no owner is kept, and ``tag`` is the only name. Raises ImageError.
    """
    config = f"{image.digest.removeprefix('sha256:')}.json"
    names = _layer_names(image)
    with open_archive(path) as tar:
        wanted = {image.config_member, *image.layers}
        found = {plain_name(member.name): member for member in members(tar) if plain_name(member.name) in wanted}
        for source, name in {image.config_member: config, **dict(zip(image.layers, names, strict=True))}.items():
            member = found[source]
            yield _header(name, member.size)
            stream = cast(IO[bytes], tar.extractfile(member))
            while block := stream.read(_BLOCK):
                yield block
            yield _padding(member.size)
    text = json.dumps([{"Config": config, "RepoTags": [tag], "Layers": names}], separators=(",", ":")).encode()
    yield _header("manifest.json", len(text)) + text + _padding(len(text))
    yield b"\0" * tarfile.RECORDSIZE


def _layer_names(image: ArchivedImage) -> list[str]:
    rootfs = image.config.get("rootfs")
    unpacked = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(unpacked, list) or len(unpacked) != len(image.layers):
        raise ImageError(f"has {len(image.layers)} layers and a configuration that tells of others")
    return [f"{str(digest).removeprefix('sha256:')}/layer.tar" for digest in unpacked]


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % tarfile.BLOCKSIZE)
