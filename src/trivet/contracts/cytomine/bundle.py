"""Bundles (App Engine tasks, bundle): a zip of the descriptor and the image's tar, read without being trusted."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.source import MAX_BYTES, Source, decode
from trivet.tasks.problem import Problem, ProblemsError

MAX_ENTRIES = 10_000
MAX_UNPACKED = 64 * 1024**3
"""Most bytes all entries together may have once unpacked."""

MAX_RATIO = 200
"""How many times larger than in the zip an entry may be; only counted for large ones."""

_LARGE = 64 * 1024**2
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_bundle(path: Path) -> Source:
    """The descriptor of a bundle, with the bundle as its archive; entries may come in any order.

    Raises ProblemsError with everything that is wrong with the zip itself: no zip, unsafe or duplicate names, links,
    bombs, no descriptor in its root.
    """
    shown = str(path)
    try:
        with zipfile.ZipFile(path) as bundle:
            problems = list(_unsafe(bundle))
            descriptor = _descriptor(bundle, problems)
            if descriptor is None or problems:
                raise ProblemsError(problem.at(shown) for problem in problems)
            name = f"{shown}/{descriptor.filename.lower()}"
            with bundle.open(descriptor) as stream:
                raw = stream.read(MAX_BYTES + 1)
    except zipfile.BadZipFile as error:
        hint = "a bundle is a zip of descriptor.yml and the image's tar"
        raise ProblemsError([Problem("C100", f"is no readable zip archive: {error}", hint=hint, file=shown)]) from None
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
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
            tars = [entry.filename for entry in _entries(bundle) if entry.filename.endswith(".tar")]
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


def _entries(bundle: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The files that count: neither folders nor what macOS adds."""
    for entry in bundle.infolist():
        parts = entry.filename.split("/")
        if not entry.is_dir() and "__MACOSX" not in parts and not parts[-1].startswith("._"):
            yield entry


def _descriptor(bundle: zipfile.ZipFile, problems: list[Problem]) -> zipfile.ZipInfo | None:
    names = ("descriptor.yml", "descriptor.yaml")
    entries = list(_entries(bundle))
    found = [entry for entry in entries if entry.filename.lower() in names]
    if len({entry.filename for entry in found}) > 1:
        problems.append(Problem("C102", f"holds {len(found)} descriptors", hint="keep one"))
    if not found:
        deeper = [entry.filename for entry in entries if entry.filename.lower().rpartition("/")[2] in names]
        hint = f"{deeper[0]} must be in the root: zip the files, not their folder" if deeper else ""
        problems.append(Problem("C101", "holds no descriptor.yml in its root", hint=hint))
    return found[0] if found else None


def _unsafe(bundle: zipfile.ZipFile) -> Iterator[Problem]:
    entries = bundle.infolist()
    if len(entries) > MAX_ENTRIES:
        yield Problem("C106", f"has {len(entries):,} entries; at most {MAX_ENTRIES:,} are read")
        return
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED:
        yield Problem("C106", f"unpacks to {total:,} bytes; at most {MAX_UNPACKED:,} are allowed")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        mode = entry.external_attr >> 16
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/") or not name.isprintable():
            yield Problem("C103", f"entry {name!r} has an unsafe name", hint="names are relative and hold no `..`")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Problem("C104", f"entry {name!r} is a link or a special file", hint="put the file itself in")
        if name in seen:
            yield Problem("C105", f"entry {name!r} is there twice")
        seen.add(name)
        if entry.file_size > max(_LARGE, MAX_RATIO * entry.compress_size):
            yield Problem("C106", f"entry {name!r} is {entry.file_size // max(entry.compress_size, 1)} times compressed")
        if entry.flag_bits & 0x1:
            yield Problem("C107", f"entry {name!r} is encrypted")
        elif entry.compress_type not in _METHODS:
            yield Problem("C107", f"entry {name!r} is compressed in a way that is not read", hint="use deflate or none")
