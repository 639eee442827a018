"""Reading a file of an image in a registry without pulling the image (OCI Distribution Specification)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import IO, Any, NamedTuple, cast

from trivet.images import manifests
from trivet.images.layers import Layer, Tree, settled
from trivet.images.opening import ImageError, layer_members, plain_name
from trivet.images.registry_client import Client, RegistryError, json_object
from trivet.tasks.work import Login

__all__ = ["Registry", "RegistryError", "RemoteImage"]

_MANIFEST_LIMIT = 4 * 2**20
_LAYER_LIMIT = 32 * 2**30
_LAYERS = 1000
_NESTING = 4
_LINKS = 8
_BLOCK = 2**20
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class RemoteImage(NamedTuple):
    """An image in a registry: the digest of its manifest, its layers, the lowest first, and its configuration (OCI
    descriptors)."""

    digest: str
    layers: tuple[Mapping[str, Any], ...]
    config: Mapping[str, Any] = MappingProxyType({})


class Registry:
    """One image's repository; every method raises RegistryError, which says what to do."""

    def __init__(self, reference: str, login: Login | None = None) -> None:
        self._client = Client(reference, login)

    def image(self) -> RemoteImage:
        """The image that is meant, for this machine where there are several."""
        with self._client.told():
            version = self._client.at.version
            for _ in range(_NESTING):
                text = self._manifest(version)
                digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
                if version.startswith("sha256:") and version != digest:
                    raise ImageError(f"the registry sent {digest} in place of {version}")
                manifest = json_object(text)
                if "layers" in manifest:
                    config = manifest.get("config")
                    return RemoteImage(digest, _layers(manifest), config if isinstance(config, dict) else {})
                if manifest.get("schemaVersion") == 1:
                    raise ImageError("has a manifest of the form that Docker gave up in 2017; push it anew")
                version = _digest(manifests.for_this_machine(manifests.listed(manifest)))
            raise ImageError("has an index that leads to no image")

    def config(self, image: RemoteImage) -> Mapping[str, Any]:
        """What the image says about itself (OCI Image Format, Image Configuration)."""
        with self._client.told():
            digest = _digest(image.config)
            with self._client.get(f"blobs/{digest}") as response:
                text: bytes = response.read(_MANIFEST_LIMIT + 1)
            if f"sha256:{hashlib.sha256(text).hexdigest()}" != digest:
                raise ImageError(f"configuration {digest} arrived broken, or was changed")
            return json_object(text)

    def layers(self, image: RemoteImage) -> Iterator[tuple[str, int, IO[bytes]]]:
        """Digest, size in bytes and content of each layer, once; to be read before the next one is asked for."""
        with self._client.told():
            for descriptor in {_digest(one): one for one in image.layers}.values():
                with self._client.get(f"blobs/{_digest(descriptor)}") as response:
                    blob = _Blob(response, descriptor)
                    yield _digest(descriptor), blob.size, cast(IO[bytes], blob)
                    blob.finish()

    def read_file(self, image: RemoteImage, path: str) -> bytes | None:
        """One file of the image, by its absolute path in it; None when it is not there.

        Layers are fetched from the top, and none below the one that settles the matter. A file of more
        than 64 MiB is refused.
        """
        with self._client.told():
            wanted = plain_name(path)
            for _ in range(_LINKS):
                found = self._look(image, wanted)
                if not isinstance(found, str):
                    return found
                wanted = found
            raise ImageError(f"{path} is a chain of too many links")

    def _look(self, image: RemoteImage, wanted: str) -> bytes | str | None:
        seen: list[Layer] = []
        for descriptor in reversed(image.layers):
            seen.insert(0, self._layer(descriptor, wanted))
            if settled(seen, wanted):
                break
        return Tree(seen).look(wanted)

    def _layer(self, descriptor: Mapping[str, Any], wanted: str) -> Layer:
        layer = Layer(wanted)
        with self._client.get(f"blobs/{_digest(descriptor)}") as response:
            blob = _Blob(response, descriptor)
            for tar, member in layer_members(cast(IO[bytes], blob), blob.size):
                layer.see(tar, member)
            blob.finish()
        return layer

    def _manifest(self, version: str) -> bytes:
        with self._client.get(f"manifests/{version}", _KINDS) as response:
            text: bytes = response.read(_MANIFEST_LIMIT + 1)
        if len(text) > _MANIFEST_LIMIT:
            raise ImageError(f"has a manifest of more than {_MANIFEST_LIMIT:,} bytes")
        return text


class _Blob:
    """A layer on its way: as many bytes as its descriptor says, and these ones."""

    def __init__(self, response: Any, descriptor: Mapping[str, Any]) -> None:
        size = descriptor.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LAYER_LIMIT:
            raise ImageError(f"has a layer of {size!r} bytes")
        self.size = size
        self._response, self._digest = response, _digest(descriptor)
        self._hash, self._seen = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._response.read(min(size, _BLOCK) if size >= 0 else _BLOCK)
        self._hash.update(block)
        self._seen += len(block)
        if self._seen > self.size:
            raise ImageError(f"the registry sent more than the {self.size:,} bytes of layer {self._digest}")
        return block

    def finish(self) -> None:
        """Read to the end. Raises ImageError for other bytes than were announced."""
        while self.read():
            pass
        if f"sha256:{self._hash.hexdigest()}" != self._digest:
            raise ImageError(f"layer {self._digest} arrived broken, or was changed")


def _layers(manifest: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    layers = manifest["layers"]
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers) or len(layers) > _LAYERS:
        raise ImageError("has a manifest without a list of layers")
    return tuple(layers)


def _digest(descriptor: Mapping[str, Any]) -> str:
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise ImageError(f"has a part with the digest {digest!r}; only sha256 is understood")
    return digest
