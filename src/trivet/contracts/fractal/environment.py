"""The Python environment of a task package: its interpreter, and the versions that matter."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trivet.tasks.work import THREADS

CACHE = "FRACTAL_CACHE_DIR"


def interpreter(prefix: str | None) -> str:
    """The Python that runs the tasks: that of the environment, or the one that runs this program."""
    return sys.executable if prefix in (None, sys.prefix) else f"{prefix}/bin/python3"


def normalized(name: str) -> str:
    """The normal form of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def identity(root: str, prefix: str | None, metadata: str = "") -> tuple[str, dict[str, str]]:
    """Name of the distribution a package directory belongs to, and versions: its own first, then what it requires.

    ``metadata`` is the distribution's own, where it is known. Otherwise the environment that has it installed is asked,
    then the project it stands in; the name of the directory is the last resort.
    """
    from importlib.metadata import Distribution, distributions

    installed: dict[str, Distribution] = {}
    for distribution in distributions(path=_search_path(prefix)):
        name = normalized(distribution.metadata["Name"] or "")
        installed.setdefault(name, distribution)
    project, version = _header(metadata) if metadata else _project(Path(root))
    for name in (project, normalized(Path(root).name)):
        if name in installed:
            found = installed[name]
            required = (normalized(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in _plain(found.requires or ()))
            versions = {name: found.version}
            versions |= {other: installed[other].version for other in sorted(required) if other in installed}
            return name, versions
    name = project or normalized(Path(root).name)
    return name, {name: version} if version else {}


def registered(text: str) -> tuple[str, dict[str, str]]:
    """Name and versions of a registered package, by what its document has attached."""
    data = json.loads(text)
    return data["name"], data["versions"]


def _header(metadata: str) -> tuple[str, str]:
    """Name and version of a distribution by its metadata."""
    fields = dict(line.split(": ", 1) for line in metadata.partition("\n\n")[0].splitlines() if ": " in line)
    return normalized(fields.get("Name", "").strip()), fields.get("Version", "").strip()


def _plain(requirements: Iterable[str]) -> Iterable[str]:
    return (line for line in requirements if "extra ==" not in line)


def _search_path(prefix: str | None) -> list[str]:
    if prefix is None:
        return sys.path
    return [str(path) for path in Path(prefix).glob("lib/python3*/site-packages")]


def _project(root: Path) -> tuple[str, str]:
    """Name and version by the nearest ``pyproject.toml`` at most two levels up (``src`` layout); empty if unknown."""
    for directory in (root, *root.parents[:2]):
        path = directory / "pyproject.toml"
        if os.path.isfile(path):  # noqa: PTH113
            try:
                project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
                return normalized(str(project.get("name", ""))), str(project.get("version", ""))
            except (OSError, ValueError, AttributeError):
                return "", ""
    return "", ""


def surroundings(meta: Mapping[str, Any], cache: Path | None) -> dict[str, str]:
    """Variables that a unit is given beyond those of the user, whose own word counts.

    Libraries start as many threads as the part's meta data ask for CPUs (1 without a word). ``FRACTAL_CACHE_DIR``
    (Fractal, command line) is below ``cache``, and is made.
    """
    cpus = meta.get("cpus_per_task")
    threads = cpus if isinstance(cpus, int) and not isinstance(cpus, bool) and cpus > 0 else 1
    given = dict.fromkeys(THREADS, str(threads))
    if cache is not None and CACHE not in os.environ:
        (cache / "fractal").mkdir(parents=True, exist_ok=True)
        given[CACHE] = str(cache / "fractal")
    return {name: value for name, value in given.items() if name not in os.environ}
