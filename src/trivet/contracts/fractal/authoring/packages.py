"""A package of tasks by the name its author gives: the name it is imported by, and what pyproject.toml says of it."""

from __future__ import annotations

import os
import re
from typing import Any


def normalized(name: str) -> str:
    """The name a distribution's package is imported by, as the public tool guesses it (manifest tools, 2.2)."""
    return re.sub(r"[-_.]+", "-", name).lower().replace("-", "_")


def import_name(name: str, compatible: bool = False) -> str:
    """The name to import: as it was given where there is such a package, else normalized."""
    if not compatible and name.replace(".", "_").isidentifier():
        from importlib.util import find_spec

        try:
            if find_spec(name) is not None:
                return name
        except (ImportError, ValueError):
            pass
    return normalized(name)


def project_name(path: str) -> str:
    """The only import name that a ``pyproject.toml`` declares, else the name of the project.

    Raises LookupError, OSError and ValueError with the words of the public tool.
    """
    project = _project(path)
    names = project.get("import-names", [])
    return str(names[0] if len(names) == 1 else project["name"])


def project_authors(path: str) -> str:
    """The names of the authors in a ``pyproject.toml``, with commas.

    Raises LookupError, OSError, TypeError and ValueError with the words of the public tool.
    """
    return ", ".join(author["name"] for author in _project(path)["authors"])


def _project(path: str) -> Any:
    import tomllib

    with open(os.fspath(path), "rb") as file:
        return tomllib.load(file)["project"]
