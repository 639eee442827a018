"""Where the image of a program is, as an archive of its layers: an archive, a container engine here, its registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trivet.engines import EngineError
from trivet.engines.runtimes import DAEMONS, open_api
from trivet.engines.runtimes.api import ApiError, UnreachableError
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.images import references
from trivet.images.archive import describe
from trivet.images.bare import bare, bare_archive
from trivet.images.credentials import stored_login
from trivet.images.registry import Registry
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Login

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Source:
    """An image that was found. ``digest`` is its id, ``told`` says in words what takes time, ``config`` is what it says
    about its program; ``layers`` gives the archive of its layers (`images.bare`), with an empty directory to work in.
    ``remote``: a registry was asked.
    """

    digest: str
    told: str
    config: Mapping[str, Any]
    layers: Callable[[Path], Iterator[bytes]]
    remote: bool = False


def find(program: ContainerImage, login: Login | None) -> Source:
    """The image of a program: from its archive if it has one, else from an engine of this machine that has it, else
    from its registry. Raises ImageUnavailableError, ImageError, ApiError or UnreachableError."""
    if program.archive is not None:
        return _from_archive(program, program.archive)
    reasons = []
    for runtime in DAEMONS:
        try:
            found = _from_engine(runtime, program)
        except (EngineError, ApiError, UnreachableError):
            continue  # there is none, or it is of no use: what it has can't be known
        if found is not None:
            return found
        reasons.append(f"{runtime} has no image {program.reference or program.digest}")
    if not program.reference:
        raise ImageUnavailableError("; ".join([f"{program.digest}: no registry is named", *reasons]))
    return _from_registry(program, login)


def _from_archive(program: ContainerImage, archive: str) -> Source:
    path = archive if program.member is None else f"{archive}!{program.member}"
    image = describe(path, program.reference)
    if program.digest not in (None, image.digest):
        raise ImageUnavailableError(f"{path}: holds the image {image.digest}, not {program.digest}")
    config = image.config.get("config") or {}
    return Source(image.digest, f"the image in {path}", config, lambda directory: bare_archive(path, image))


def _from_engine(runtime: str, program: ContainerImage) -> Source | None:
    api, _, release = open_api(runtime)
    try:
        for name in filter(None, (program.reference, program.digest)):
            image = api.image(name) or api.image(f"localhost/{name}")
            if image is None:
                continue
            digest = "sha256:" + str(image["Id"]).removeprefix("sha256:")
            others = {str(one).partition("@")[2] for one in image.get("RepoDigests") or ()}
            if program.digest in (None, digest, *others):
                config = image.get("Config") or {}
                saved = partial(_saved, runtime, digest)
                return Source(digest, f"the image {name} of {runtime}", config, saved)
        return None
    finally:
        release()


def _saved(runtime: str, digest: str, directory: Path) -> Iterator[bytes]:
    saved = directory / "saved.tar"
    api, _, release = open_api(runtime)
    try:
        with saved.open("xb") as stream, api.save(digest) as read:
            while block := read(_BLOCK):
                stream.write(block)
    finally:
        release()
    yield from bare_archive(str(saved), describe(str(saved)))
    saved.unlink()


def _from_registry(program: ContainerImage, login: Login | None) -> Source:
    reference = program.reference
    with suppress(ValueError):  # what is no reference is said below
        host = references.parse(reference).host
        if login is None or references.host_of(login.server) != host:  # no other registry ever gets it
            login = stored_login(host)
    registry = Registry(reference, login)
    image = registry.image()
    digest = str(image.config.get("digest"))
    if program.digest not in (None, image.digest, digest):
        raise ImageUnavailableError(f"{reference}: the registry has {image.digest} there, not {program.digest}")
    content = registry.config(image)
    names = [str(layer["digest"]) for layer in image.layers]
    return Source(
        digest,
        f"the image {reference}",
        content.get("config") or {},
        lambda directory: bare(content, names, registry.layers(image)),
        remote=True,
    )
