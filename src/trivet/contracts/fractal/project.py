"""The files of a new package of tasks, which passes its own checks and tests (Fractal, task packages)."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files as resources

NAME = re.compile(r"[a-z](?:[a-z0-9]|[-_](?=[a-z0-9]))*", re.ASCII)
"""A name of a distribution that gives the name of a package when its dashes become underscores."""

_FILES = {
    "pyproject.toml": "pyproject.toml",
    ".gitignore": "gitignore",
    "README.md": "README.md",
    "src/@MODULE@/__init__.py": "init.py",
    "src/@MODULE@/__FRACTAL_MANIFEST__.json": "manifest.json",
    "src/@MODULE@/measure_intensity.py": "measure_intensity.py",
    "src/@MODULE@/dev/__init__.py": "init.py",
    "src/@MODULE@/dev/task_list.py": "task_list.py",
    "tests/test_measure_intensity.py": "test_measure_intensity.py",
    ".github/workflows/tasks.yml": "workflow.yml",
}


def files(name: str) -> Mapping[str, str]:
    """Every file of a package by its path. Raises ValueError for what can't be its name."""
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or len(name) > 63 or keyword.iskeyword(module):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:63].rstrip("-") or "my-tasks"
        near = f"{near}-tasks" if keyword.iskeyword(near) else near
        raise ValueError(
            f"{name!r} can't be the name of a package: lower-case letters, digits, and single dashes or underscores "
            f"between them, a letter first; for example {near}"
        )
    templates = resources("trivet.contracts.fractal") / "project_files"

    def filled(text: str) -> str:
        return text.replace("@NAME@", name).replace("@MODULE@", module)

    return {
        filled(path): filled(templates.joinpath(f"{template}.in").read_text(encoding="utf-8"))
        for path, template in _FILES.items()
    }
