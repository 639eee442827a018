"""Bundles (App Engine tasks, bundle): a zip of the descriptor and the image's tar, read without being trusted."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.zips import files_of, unsafe
from trivet.contracts.source import MAX_BYTES, Source, decode
from trivet.tasks.problem import Problem, ProblemsError


def open_bundle(path: Path) -> Source:
    """The descriptor of a bundle, with the bundle as its archive; entries may come in any order.

    Raises ProblemsError with everything that is wrong with the zip itself: no zip, unsafe or duplicate names, links,
    bombs, no descriptor in its root.
    """
    shown = str(path)
    try:
        with zipfile.ZipFile(path) as bundle:
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
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error) as error:
        if isinstance(error, ProblemsError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ProblemsError([Problem("C100", f"can't be read: {reason}", file=shown)]) from None
    if len(raw) > MAX_BYTES:
        raise ProblemsError([Problem("T004", f"has more than {MAX_BYTES:,} bytes", file=name)])
    return Source(name, decode(raw, name), path.absolute().parent, archive=path.absolute())


def find_image(path: Path, descriptor: Descriptor) -> tuple[str | None, list[Problem]]:
    """The entry that holds the image's tar, and what is wrong with it.

    Looked for at `configuration.image.file`, then as ``{namespace}-{version}.tar``, then ``image.tar``, then any tar
    if there is only one.
    """
    shown = str(path)
    try:
        with zipfile.ZipFile(path) as bundle:
            tars = [entry.filename for entry in files_of(bundle) if entry.filename.endswith(".tar")]
    except (OSError, zipfile.BadZipFile, ValueError) as error:
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
