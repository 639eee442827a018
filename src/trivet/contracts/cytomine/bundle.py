"""Bundles (App Engine tasks, bundle): a zip of the descriptor and the image's tar, read without being trusted."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.zips import DAMAGED, files_of, opened, unsafe
from trivet.contracts.source import MAX_BYTES, Source, decode
from trivet.images.archive import describe
from trivet.images.manifests import this_platform
from trivet.images.opening import ImageError, NoImageError, OtherPlatformError
from trivet.tasks.problem import Problem, ProblemsError


def open_bundle(path: Path) -> Source:
    """The descriptor of a bundle, with the bundle as its archive; entries may come in any order.

    Raises ProblemsError with everything that is wrong with the zip itself: no zip, unsafe or duplicate names, links,
    bombs, no descriptor in its root.
    """
    shown = str(path)
    try:
        with opened(path) as bundle:
            problems = list(unsafe(bundle))
            descriptor = _descriptor(bundle, problems)
            if descriptor is None or problems:
                raise ProblemsError(problem.at(shown) for problem in problems)
            name = f"{shown}/{descriptor.filename.lower()}"
            with bundle.open(descriptor) as stream:
                raw = stream.read(MAX_BYTES + 1)
    except zipfile.BadZipFile as error:
        hint = "a bundle is a zip of descriptor.yml and the image's tar"
        raise ProblemsError([Problem("C100", f"is no readable zip archive: {error}", hint=hint, file=shown)]) from None
    except (OSError, *DAMAGED) as error:
        if isinstance(error, ProblemsError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ProblemsError([Problem("C100", f"can't be read: {reason}", file=shown)]) from None
    if len(raw) > MAX_BYTES:
        raise ProblemsError([Problem("T004", f"has more than {MAX_BYTES:,} bytes", file=name)])
    return Source(name, decode(raw, name), path.absolute().parent, archive=path.absolute())


def find_image(path: Path, descriptor: Descriptor, shown: str) -> tuple[str | None, list[Problem]]:
    """The entry that holds the image's tar, and what is wrong with it.

    Looked for at `configuration.image.file`, then as ``{namespace}-{version}.tar``, then ``image.tar``, then any tar
    if there is only one. ``shown`` is the bundle's name in messages.
    """
    try:
        with opened(path) as bundle:
            tars = [entry.filename for entry in files_of(bundle) if entry.filename.endswith(".tar")]
    except (OSError, *DAMAGED) as error:
        return None, [Problem("C100", f"can't be read: {error}", file=shown)]
    usual = f"{descriptor.namespace}-{descriptor.version}.tar"
    found = next((name for name in (descriptor.image_file, usual, "image.tar") if name in tars), None)
    if found is None and len(tars) == 1:
        found = tars[0]
    if found is None:
        what = f"several tars ({', '.join(tars[:5])}) and none of them has the right name" if tars else "no image tar"
        hint = f"name it {usual}" if descriptor.namespace and descriptor.version else "name it image.tar"
        return None, [Problem("C108", f"holds {what}", hint=hint, file=shown)]
    if descriptor.image_file and found != descriptor.image_file:
        message = f"configuration.image.file names `{descriptor.image_file}`, which is not there; `{found}` is used"
        return found, [Problem("C109", message, "warning", "correct the name", file=shown)]
    return found, []


def verify(path: Path, image: str, shown: str) -> list[Problem]:
    """Read a bundle to its last byte: what is damaged, and what is wrong with the image at the entry ``image``.

    Nothing is unpacked or kept in memory; the image's digest is computed and compared. ``shown`` is the bundle's name
    in messages.
    """
    problems: list[Problem] = []
    try:
        with opened(path) as bundle:
            for entry in files_of(bundle):
                if entry.filename != image:  # the image is read below
                    problems += _damaged(bundle, entry, shown)
    except (OSError, *DAMAGED) as error:
        return [Problem("C100", f"can't be read: {error}", file=shown)]
    return [*problems, *(problem.at(f"{shown}/{image}") for problem in _image_problems(f"{path}!{image}"))]


def _damaged(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, shown: str) -> Iterator[Problem]:
    try:
        with bundle.open(entry) as stream:
            while stream.read(2**20):
                pass
    except (OSError, *DAMAGED) as error:
        yield Problem("C113", f"can't be read: {error}", hint="make the bundle anew", file=f"{shown}/{entry.filename}")


def _image_problems(archive: str) -> Iterator[Problem]:
    try:
        image = describe(archive)
    except NoImageError as error:
        yield Problem("C111", _reason(error, archive), hint="save it with docker save")
    except OtherPlatformError as error:
        yield Problem("C112", _reason(error, archive), "warning", "build it for this machine to run it here")
    except ImageError as error:
        yield Problem("C110", _reason(error, archive), hint="save the image and make the bundle anew")
    else:
        if image.platform != this_platform():
            message = f"is for {image.platform}, and this machine is {this_platform()}"
            yield Problem("C112", message, "warning", "build it for this machine to run it here")
        start = image.config.get("config")
        if not isinstance(start, dict) or not (start.get("Entrypoint") or start.get("Cmd")):
            hint = "write ENTRYPOINT in the Dockerfile: no arguments are given"
            yield Problem("C114", "starts nothing: it has neither entrypoint nor command", hint=hint)
        if not image.tags:
            hint = "save it by its name, not by its id"
            yield Problem("C115", "was saved without a name, which the public engine needs", "warning", hint)


def _reason(error: ImageError, archive: str) -> str:
    return str(error).removeprefix(f"{archive}: ")


def _descriptor(bundle: zipfile.ZipFile, problems: list[Problem]) -> zipfile.ZipInfo | None:
    names = ("descriptor.yml", "descriptor.yaml")
    entries = list(files_of(bundle))
    found = [entry for entry in entries if entry.filename.lower() in names]
    if len({entry.filename for entry in found}) > 1:
        problems.append(Problem("C102", f"holds {len(found)} descriptors", hint="keep one"))
    if not found:
        deeper = [entry.filename for entry in entries if entry.filename.lower().rpartition("/")[2] in names]
        hint = f"{deeper[0]} must be in the root: zip the files, not their folder" if deeper else ""
        problems.append(Problem("C101", "holds no descriptor.yml in its root", hint=hint))
    return found[0] if found else None
