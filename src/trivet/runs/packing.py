"""Making a Cytomine bundle: its image is built or named, saved from the container engine, and zipped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from trivet.contracts import examine
from trivet.contracts.cytomine import bundle, packing
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.source import Source, load
from trivet.engines import EngineError
from trivet.engines.runtimes import open_api
from trivet.engines.runtimes.api import Api, ApiError, UnreachableError
from trivet.images.archive import ImageError, describe
from trivet.images.canonical import canonical
from trivet.runs.building import build
from trivet.tasks.problem import Problem, ProblemsError, has_errors

NAMES = ("descriptor.yml", "descriptor.yaml")


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle that was made: where it is, the digest of the image in it, and what its author should know."""

    path: Path
    digest: str
    problems: tuple[Problem, ...]


def descriptor_in(directory: Path) -> tuple[Source, Descriptor, list[Problem]]:
    """The descriptor of a project, with warnings. Raises ProblemsError when it is missing or has errors."""
    path = next((directory / name for name in NAMES if (directory / name).exists()), directory / NAMES[0])
    source = load(path)
    document, problems = examine(source)
    if document is not None and document.contract != "cytomine":
        problems.append(Problem("C118", "is no Cytomine descriptor", file=source.name))
    if document is None or has_errors(problems):
        raise ProblemsError(problems)
    return source, document.model, problems


def pack(
    directory: Path,
    output: Path | None,
    image: str | None = None,
    arguments: Mapping[str, str] | None = None,
    runtime: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Packed:
    """Make a bundle of the descriptor in ``directory`` (and ``logo.png``), and of the image built there or named.

    The same descriptor and image give the same bytes. ``output`` replaces what is there; default is the usual name in
    the working directory. Raises ProblemsError, EngineError and OSError; then nothing is left behind.
    """
    source, model, problems = descriptor_in(directory)
    entry, named = packing.image_entry(model)
    target = (output or Path(packing.bundle_name(model))).absolute()
    logo = directory / packing.LOGO
    files = {"descriptor.yml": Path(source.name).read_bytes()}
    if logo.is_file():
        files[packing.LOGO] = logo.read_bytes()
    api, version, release = open_api(runtime)
    try:
        reference = image or built(directory, model.reference, arguments or {}, version.name)
        say(f"saving the image {reference}")
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as place:
            saved = Path(place) / "image.tar"
            _save(api, reference, saved)
            archived = describe(str(saved))
            made = Path(place) / target.name
            with made.open("xb") as stream:
                packing.write(stream, files, entry, canonical(str(saved), archived, model.reference))
                stream.flush()
                os.fsync(stream.fileno())
            saved.unlink()
            say("checking the bundle")
            found = bundle.verify(made, entry, str(target))
            if has_errors(found):
                raise ProblemsError(found)
            made.replace(target)
    except (ApiError, UnreachableError, ImageError) as error:
        raise EngineError(f"the image can't be saved: {error}") from error
    finally:
        release()
    return Packed(target, archived.digest, (*problems, *source.place(named), *found))


def built(directory: Path, tag: str, arguments: Mapping[str, str], runtime: str) -> str:
    """The tag of the image that was built from a project. Raises EngineError."""
    if not (directory / "Dockerfile").is_file():
        raise EngineError(f"{directory} has no Dockerfile; write one, or name an image with --image")
    try:
        build(directory, tag, arguments, runtime)
    except CalledProcessError as error:
        raise EngineError(f"the image could not be built (exit code {error.returncode})") from None
    except OSError as error:
        raise EngineError(f"the image could not be built: {error}") from None
    return tag


def _save(api: Api, reference: str, target: Path) -> None:
    name = next((name for name in (reference, f"localhost/{reference}") if api.image(name) is not None), None)
    if name is None:
        raise EngineError(f"there is no image {reference} on this machine; build or pull it first")
    with api.save(name) as read, target.open("xb") as stream:
        while piece := read(2**20):
            stream.write(piece)
