"""Making images present in a container engine: found, else loaded from an archive, else pulled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from trivet.engines.runtimes.api import Api, ApiError
from trivet.engines.runtimes.credentials import registry_auth
from trivet.images.archive import ImageError, describe, loadable
from trivet.images.references import HUB, parse
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Login

_KEPT_NAME = "trivet/loaded"


class ImageUnavailableError(RuntimeError):
    """An image that can't be had; the message has the daemon's own words."""


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that is present: its id (``sha256:…``), and the user its programs run as (empty: root)."""

    id: str
    user: str


class Library:
    """The images of one daemon; what was asked once is remembered, and nothing is fetched twice at a time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = Lock()
        self._locks: dict[ContainerImage, Lock] = {}
        self._known: dict[ContainerImage, LocalImage] = {}

    def ensure(self, program: ContainerImage, say: Callable[[str], None], login: Login | None = None) -> LocalImage:
        """The image of a program, made present when it is not; ``say`` is told what takes time.

        An archive says itself which image is meant, whatever the name. ``login`` is shown to the image's registry.
        Raises ImageUnavailableError.
        """
        with self._lock:
            lock = self._locks.setdefault(program, Lock())
        with lock:
            if program not in self._known:
                self._known[program] = self._find(program, say, login)
            return self._known[program]

    def forget(self, program: ContainerImage) -> None:
        """Look again next time: somebody removed the image."""
        with self._lock:
            self._known.pop(program, None)

    def _find(self, program: ContainerImage, say: Callable[[str], None], login: Login | None) -> LocalImage:
        try:
            if program.archive is not None:
                archive = program.archive if program.member is None else f"{program.archive}!{program.member}"
                return self._from_archive(program, archive, say)
            return self._local(program) or self._pull(program, say, login)
        except ImageError as error:
            raise ImageUnavailableError(str(error)) from error
        except ApiError as error:
            raise ImageUnavailableError(f"{program.reference or program.archive}: {error}") from error

    def _local(self, program: ContainerImage) -> LocalImage | None:
        wanted = program.digest
        for name in filter(None, (program.reference, wanted)):
            found = self._look(name)
            if found is not None and (wanted is None or wanted == found[0].id or wanted in found[1]):
                return found[0]
        return None

    def _from_archive(self, program: ContainerImage, archive: str, say: Callable[[str], None]) -> LocalImage:
        image = describe(archive, program.reference)
        if program.digest is not None and program.digest != image.digest:
            raise ImageError(f"{archive}: holds the image {image.digest}, not {program.digest}")
        kept = f"{_KEPT_NAME}:{image.digest.removeprefix('sha256:')[:12]}"
        for name in (image.digest, kept):
            if (found := self._look(name)) is not None:
                return found[0]
        say(f"loading the image from {archive}")
        loaded = self._look(self._api.load(loadable(archive, image))) or self._look(image.digest)
        if loaded is None:
            raise ImageUnavailableError(f"{archive}: the container engine loaded it but does not know {image.digest}")
        name, _, tag = kept.partition(":")
        self._api.call("POST", f"/images/{loaded[0].id}/tag", {"repo": name, "tag": tag})
        return loaded[0]

    def _pull(self, program: ContainerImage, say: Callable[[str], None], login: Login | None) -> LocalImage:
        reference = program.reference
        say(f"pulling the image {reference}")
        try:
            self._api.pull(reference, registry_auth(reference, login))
        except ApiError as error:
            if program.digest is not None and self._look(reference) is not None:
                message = (
                    f"the image of that name is not {program.digest} any more, which is not here and can't be pulled"
                )
                raise ImageUnavailableError(f"{reference}: {message}: {error}") from error
            raise
        pulled = self._local(program)
        if pulled is None:
            raise ImageUnavailableError(f"{reference}: what was pulled is not {program.digest or reference}")
        return pulled

    def _look(self, name: str) -> tuple[LocalImage, set[str]] | None:
        """A local image with the digests it has in registries."""
        image = self._api.image(name)
        if image is None and _may_be_built_here(name):
            image = self._api.image(f"localhost/{name}")
        if image is None:
            return None
        config = image.get("Config") or {}
        identifier = "sha256:" + str(image["Id"]).removeprefix("sha256:")
        digests = {str(one).partition("@")[2] for one in image.get("RepoDigests") or ()}
        return LocalImage(identifier, config.get("User") or ""), digests


def _may_be_built_here(name: str) -> bool:
    """True for a name without a registry: Podman keeps what was built on this machine as ``localhost/NAME``."""
    try:
        return parse(name).host == HUB
    except ValueError:
        return False
