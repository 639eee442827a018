"""Finding the manifest of a Python package of tasks, installed or in a wheel, without importing the package."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, MetadataPathFinder
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError

from trivet.contracts.source import MAX_BYTES, Source, decode, load
from trivet.tasks.problem import Problem, ProblemsError

MANIFEST = "__FRACTAL_MANIFEST__.json"
METADATA = "METADATA"
"""The attachment with the package's own metadata: its name and version stand in there."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


def is_name(text: str) -> bool:
    """True when the text may be the name of a Python package."""
    return _NAME.fullmatch(text) is not None


def prefix_of(python: str | None) -> Path:
    """The environment a user means by a directory or an interpreter; None means the one Trivet runs in.

    Raises ProblemsError when it is none.
    """
    if python is None:
        return Path(sys.prefix)
    path = Path(python).absolute()  # not resolved: the interpreter of a virtual environment is a link out of it
    prefix = path.parent.parent if path.is_file() else path
    if not _site_packages(prefix):
        hint = "give the directory of a virtual environment, or its bin/python"
        raise ProblemsError([Problem("T013", "this is no Python environment", hint=hint, file=python)])
    return prefix


def environment_of(python: str) -> Path | None:
    """The environment an interpreter belongs to, None when there is none beside it that could have packages."""
    prefix = Path(python).parent.parent
    return prefix if _site_packages(prefix) else None


def installed(name: str, python: str | None = None) -> list[Source] | None:
    """The manifests of an installed package; None when it is not installed.

    Raises ProblemsError when it has none.
    """
    prefix = prefix_of(python)
    where = list(sys.path) if python is None else _site_packages(prefix)
    context = MetadataPathFinder.Context(name=name, path=where)
    distribution = next(iter(MetadataPathFinder.find_distributions(context)), None)
    if distribution is None:
        return None
    metadata = distribution.read_text(METADATA) or ""
    paths = dict.fromkeys(path for path in _manifests(distribution) if path.is_file())
    if not paths:
        message = f"the package {distribution.name} {distribution.version} has no {MANIFEST}"
        raise ProblemsError([Problem("T014", message, hint="is it a package of Fractal tasks?", file=name)])
    found = (load(path) for path in paths)
    return [Source(item.name, item.text, item.base, {METADATA: metadata}, prefix=prefix) for item in found]


def in_wheel(path: Path) -> list[Source]:
    """The manifests inside a wheel. Raises ProblemsError when it is no wheel or has none."""
    try:
        with ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.rpartition("/")[2] == MANIFEST]
            metadata = [name for name in archive.namelist() if name.endswith(f".dist-info/{METADATA}")]
            attached = {METADATA: _member(archive, path, metadata[0])} if metadata else {}
            sources = [
                Source(f"{path}/{name}", _member(archive, path, name), path.absolute().parent, attached, archive=path)
                for name in names
            ]
    except FileNotFoundError:
        raise _refused(path, "T001", "the file does not exist", "check the path") from None
    except (OSError, EOFError, BadZipFile, NotImplementedError, RuntimeError, ZlibError) as error:
        raise _refused(path, "T015", f"the wheel can't be read: {error}") from None
    if not sources:
        raise _refused(path, "T014", f"the wheel has no {MANIFEST}", "is it a package of Fractal tasks?")
    return sources


def _member(archive: ZipFile, path: Path, name: str) -> str:
    with archive.open(name) as file:
        raw = file.read(MAX_BYTES + 1)  # the size an archive declares is not trusted
    if len(raw) > MAX_BYTES:
        raise _refused(path, "T004", f"{name} has more than {MAX_BYTES:,} bytes")
    return decode(raw, f"{path}/{name}")


def _refused(path: Path, code: str, message: str, hint: str = "") -> ProblemsError:
    return ProblemsError([Problem(code, message, hint=hint, file=str(path))])


def _site_packages(prefix: Path) -> list[str]:
    patterns = ("lib*/python3*/site-packages", "lib*/python3*/dist-packages")
    return [str(path) for pattern in patterns for path in sorted(prefix.glob(pattern))]


def _manifests(distribution: Distribution) -> Iterator[Path]:
    """Where a package may have its manifest: among its files, or, installed as editable, below its source."""
    own = [Path(str(distribution.locate_file(file))) for file in distribution.files or [] if file.name == MANIFEST]
    yield from own
    if own:
        return
    name = re.sub(r"[-.]+", "_", distribution.name)
    for root in _source_roots(distribution):
        yield from (root / top / MANIFEST for top in dict.fromkeys((name, name.lower())))


def _source_roots(distribution: Distribution) -> Iterator[Path]:
    for file in distribution.files or []:
        if file.suffix == ".pth":
            lines = file.read_text().splitlines()
            yield from (Path(line) for line in lines if os.path.isabs(line))  # noqa: PTH117
    url = distribution.read_text("direct_url.json")
    if url is not None:
        import json

        parts = urlsplit(json.loads(url).get("url", ""))
        if parts.scheme == "file":
            yield from (Path(unquote(parts.path)), Path(unquote(parts.path)) / "src")
