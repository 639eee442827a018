"""Reading images saved as archives (docker save, OCI layout): what they are, and files in them, without any engine."""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from trivet.images import manifests
from trivet.images.layers import Layer, Tree
from trivet.images.opening import ImageError, NoImageError, Tar, layer_members, members, open_archive, plain_name

_METADATA = 8 * 2**20
_ALL_METADATA = 64 * 2**20
_BLOCK = 2**20
_NESTING = 4
_LINKS = 8

__all__ = ["ArchivedImage", "ImageError", "describe", "loadable", "read_file"]


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image in an archive.

    ``digest`` is the image's id: the SHA-256 of its configuration, computed here. ``config`` is that configuration
    (OCI Image Format, Image Configuration), ``tags`` the names it was saved under, ``layers`` the members of the
    archive that hold its layers, the lowest first.
    """

    digest: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    config_member: str
    layers: tuple[str, ...]

    @property
    def platform(self) -> str:
        """``linux/amd64`` and the like."""
        return f"{self.config.get('os', 'linux')}/{self.config.get('architecture', 'unknown')}"


def describe(path: str, reference: str = "") -> ArchivedImage:
    """The image in an archive (see `open_archive` for the forms of ``path``).

    Of an archive with several images the one tagged ``reference`` is taken, of an index with several platforms the one
    for this machine; attestations are passed over. Raises ImageError.
    """
    with open_archive(path) as tar:
        contents = _Contents(tar)
        if "manifest.json" in contents.texts:
            entry = _entry(contents.json("manifest.json"), reference)
            config, layers, tags = entry.get("Config"), entry.get("Layers"), entry.get("RepoTags") or ()
        elif "index.json" in contents.texts:
            manifest, tags = _oci_manifest(contents, reference)
            config = _blob(manifest.get("config"))
            layers = [_blob(layer) for layer in manifest.get("layers") or ()]
        else:
            raise NoImageError("is no image: it has neither manifest.json nor index.json (made by docker save?)")
        if not isinstance(config, str) or not isinstance(layers, list):
            raise ImageError("has a manifest without configuration or layers")
        member = contents.real(config)
        data = contents.json(member)
        digest = hashlib.sha256(contents.texts[member]).hexdigest()
        stated = posixpath.basename(member).removesuffix(".json")
        if len(stated) == 64 and stated != digest:
            raise ImageError(f"was changed: the configuration {stated} has the digest {digest}")
        if not isinstance(data, dict):
            raise ImageError("has a configuration that is no object")
        names = tuple(tag for tag in tags if isinstance(tag, str))
        return ArchivedImage(f"sha256:{digest}", names, data, member, tuple(map(contents.real, layers)))


def read_file(path: str, name: str, image: ArchivedImage | None = None) -> bytes | None:
    """One file of the image in an archive, by its absolute path in the image; None when it is not there.

    Files removed by an upper layer are gone, symbolic links are followed inside the image. Raises ImageError, also for
    a file of more than 64 MiB.
    """
    image = image or describe(path)
    wanted = plain_name(name)
    for _ in range(_LINKS):
        found = _tree(path, image, wanted).look(wanted)
        if not isinstance(found, str):
            return found
        wanted = found
    raise ImageError(f"{path}: {name} is a chain of too many links")


def loadable(path: str, image: ArchivedImage) -> Iterator[bytes]:
    """The archive of this one image in the form every container engine loads, without names, in pieces.

    Names are left out because an archive could otherwise replace any image of the engine by its own.
    """
    needed = {image.config_member, *image.layers}
    with open_archive(path) as tar:
        for member in members(tar):
            if member.isfile() and plain_name(member.name) in needed:
                yield _header(plain_name(member.name), member.size)
                stream = cast(IO[bytes], tar.extractfile(member))
                while block := stream.read(_BLOCK):
                    yield block
                yield b"\0" * (-member.size % tarfile.BLOCKSIZE)
    manifest = [{"Config": image.config_member, "RepoTags": None, "Layers": list(image.layers)}]
    text = json.dumps(manifest).encode()
    yield _header("manifest.json", len(text)) + text + b"\0" * (-len(text) % tarfile.BLOCKSIZE)
    yield b"\0" * tarfile.RECORDSIZE


class _Contents:
    """The small JSON files of an archive by name, and where its links lead."""

    def __init__(self, tar: Tar) -> None:
        self.texts: dict[str, bytes] = {}
        self._files: set[str] = set()
        self._links: dict[str, str] = {}
        room = _ALL_METADATA
        for member in members(tar):
            name = plain_name(member.name)
            if member.issym():
                self._links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
            elif member.islnk():
                self._links[name] = posixpath.normpath(member.linkname)
            elif member.isfile():
                self._files.add(name)
                if member.size <= min(_METADATA, room):
                    text = self._json_text(tar, member)
                    self.texts[name] = text
                    room -= len(text)

    @staticmethod
    def _json_text(tar: Tar, member: tarfile.TarInfo) -> bytes:
        stream = cast(IO[bytes], tar.extractfile(member))
        start = stream.read(1)
        return start + stream.read() if start in (b"{", b"[") else b""

    def real(self, name: str) -> str:
        """The member that holds what ``name`` stands for (docker save links equal layers)."""
        plain = plain_name(name)
        for _ in range(_LINKS):
            if plain in self._files:
                return plain
            plain = self._links.get(plain, "")
        raise ImageError(f"is not complete: {name} is missing")

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.texts[self.real(name)])
        except (ValueError, KeyError, RecursionError):
            raise ImageError(f"has a {name} that is not JSON (or too large)") from None


def _entry(manifest: Any, reference: str) -> Mapping[str, Any]:
    """The image to take of docker save's manifest."""
    entries = [entry for entry in manifest if isinstance(entry, dict)] if isinstance(manifest, list) else []
    if len(entries) == 1:
        return entries[0]
    for entry in entries:
        if reference and reference in (entry.get("RepoTags") or ()):
            return entry
    tags = [tag for entry in entries for tag in entry.get("RepoTags") or ("without a name",)]
    raise ImageError(f"holds {len(entries)} images ({', '.join(map(str, tags[:5]))}) where one was expected")


def _oci_manifest(contents: _Contents, reference: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The manifest to take of an OCI layout (OCI Image Layout, index.json), with the image's names."""
    descriptors = manifests.listed(contents.json("index.json"))
    named = [item for item in descriptors if reference and reference in _names(item)]
    tags: tuple[str, ...] = ()
    for _ in range(_NESTING):
        chosen = manifests.for_this_machine(named or descriptors)
        tags = tags or _names(chosen)
        manifest = contents.json(_blob(chosen))
        if not isinstance(manifest, dict):
            break
        if "config" in manifest:
            return manifest, tags
        descriptors, named = manifests.listed(manifest), []
    raise ImageError("has an index that leads to no image")


def _names(descriptor: Mapping[str, Any]) -> tuple[str, ...]:
    notes = descriptor.get("annotations") or {}
    found = (notes.get("io.containerd.image.name"), notes.get("org.opencontainers.image.ref.name"))
    return tuple(name for name in found if isinstance(name, str))[:1]


def _blob(descriptor: Any) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or ":" not in digest:
        raise ImageError("has a reference without digest")
    return "blobs/" + digest.replace(":", "/", 1)


def _tree(path: str, image: ArchivedImage, wanted: str) -> Tree:
    """What all layers together say about one path; one pass through the archive."""
    found: dict[str, Layer] = {}
    with open_archive(path) as tar:
        for member in members(tar):
            name = plain_name(member.name)
            if not member.isfile() or name not in image.layers:
                continue
            layer = found[name] = Layer(wanted)
            for inner, item in layer_members(cast(IO[bytes], tar.extractfile(member)), member.size):
                layer.see(inner, item)
    return Tree([found[name] for name in image.layers if name in found])


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)
