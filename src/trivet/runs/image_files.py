"""Reading a file of an image without running it: from a container engine of this machine, else from its registry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trivet.records import files, home
from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.engines.runtimes.api import Api
    from trivet.tasks.work import Login


def read_file(reference: str, path: str, login: Login | None = None, remote: bool = True) -> bytes:
    """A file of an image, by its absolute path in it.

    An engine that has the image decides; only where none has it, the registry is asked, with ``login`` or what
    `docker login` left, unless ``remote`` says no. What was read once is kept below the home by the image's digest.
    Raises ProblemsError, which tells everything that was tried.
    """
    from trivet.engines import EngineError, runtimes
    from trivet.engines.runtimes.api import ApiError, UnreachableError

    reasons = []
    for runtime in runtimes.DAEMONS:
        try:
            api, _, close = runtimes.open_api(runtime)
        except EngineError as error:
            reasons.append(str(error))
            continue
        try:
            return _in_engine(api, runtime, reference, path)
        except LookupError as error:
            reasons.append(str(error))
        except (ApiError, UnreachableError) as error:
            reasons.append(f"{runtime}: {error}")
        finally:
            close()
    if remote:
        return _in_registry(reference, path, login, reasons)
    raise _unread(reference, path, reasons)


def in_archive(archive: str, path: str) -> tuple[bytes, str]:
    """A file of the image in an archive (`docker save`, OCI layout), and the image's name there, empty if it has none.

    Raises ProblemsError.
    """
    from trivet.images.archive import ImageError, describe, read_file

    try:
        image = describe(archive)
        raw = read_file(archive, path, image)
    except ImageError as error:
        raise ProblemsError([Problem("T012", str(error), file=archive)]) from None
    if raw is None:
        raise _absent(archive, path)
    return raw, image.tags[0] if image.tags else ""


def _in_engine(api: Api, runtime: str, reference: str, path: str) -> bytes:
    """Raises LookupError when the engine does not have the image."""
    image: Any = api.image(reference) or api.image(f"localhost/{reference}")
    if image is None:
        raise LookupError(f"{runtime}: there is no image {reference}")
    identifier = "sha256:" + str(image["Id"]).removeprefix("sha256:")
    return _kept(identifier, path, lambda: api.read_file(identifier, path), reference)


def _in_registry(reference: str, path: str, login: Login | None, reasons: list[str]) -> bytes:
    from trivet.images import references
    from trivet.images.credentials import stored_login
    from trivet.images.registry import Registry, RegistryError

    try:
        with suppress(ValueError):
            login = login or stored_login(references.parse(reference).host)
        registry = Registry(reference, login)
        image = registry.image()
        return _kept(image.digest, path, lambda: registry.read_file(image, path), reference)
    except RegistryError as error:
        raise _unread(reference, path, [*reasons, f"registry: {error}"]) from None


def _kept(digest: str, path: str, read: Callable[[], bytes | None], reference: str) -> bytes:
    """The file as it was kept for this digest, else read and kept. A home that can't be written keeps nothing."""
    place = home() / "cache" / "images" / digest.replace(":", "-") / quote(path, safe="")
    with suppress(OSError):
        return place.read_bytes()
    raw = read()
    if raw is None:
        raise _absent(reference, path)
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(place, raw)
    return raw


def _absent(image: str, path: str) -> ProblemsError:
    hint = f"a Kaapana image has its {Path(path).name} at its root; is this one?"
    return ProblemsError([Problem("T012", f"the image has no {path}", hint=hint, file=image)])


def _unread(reference: str, path: str, reasons: list[str]) -> ProblemsError:
    message = f"no {path} could be read from the image: {'; '.join(reasons)}"
    return ProblemsError([Problem("T012", message, hint="build, load or pull the image first", file=reference)])
