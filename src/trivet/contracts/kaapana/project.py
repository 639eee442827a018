"""The files of a new container project, which passes its own checks and tests (Kaapana Task API, container)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files as resources

NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
"""What is a name of an image and of a container at once."""

_FILES = {
    "Dockerfile": "Dockerfile",
    ".dockerignore": "dockerignore",
    ".gitignore": "gitignore",
    "README.md": "README.md",
    "processing-container.json": "processing-container.json",
    "files/for-each-item.sh": "files/for-each-item.sh",
    "files/measure.py": "files/measure.py",
    "tasks/measure.json": "tasks/measure.json",
    "tests/test_measure.py": "tests/test_measure.py",
    ".github/workflows/container.yml": "workflow.yml",
}

_IMAGES = {
    "disc/disc": [[220 if (x - 7.5) ** 2 + (y - 7.5) ** 2 < 30 else 20 for x in range(16)] for y in range(16)],
    "ramps/horizontal": [[16 * x for x in range(16)] for _ in range(16)],
    "ramps/vertical": [[16 * y] * 8 for y in range(16)],
}
"""Test images by item and name, as rows of grey values."""

_EXPECTED = {
    "disc": "image,pixels,bright,mean\ndisc.pgm,256,88,88.75\n",
    "ramps": "image,pixels,bright,mean\nhorizontal.pgm,256,144,120.0\nvertical.pgm,128,72,120.0\n",
}


def files(name: str) -> Mapping[str, str]:
    """Every file of a project by its path, ``.sh`` files are programs. Raises ValueError for what can't be the name."""
    if not NAME.fullmatch(name) or len(name) > 63:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "my-container"
        raise ValueError(
            f"{name!r} can't be the name of an image: lower-case letters, digits, and single dots, dashes or "
            f"underscores between them; for example {near}"
        )
    templates = resources("trivet.contracts.kaapana") / "project_files"
    made = {
        path: templates.joinpath(f"{template}.in").read_text(encoding="utf-8").replace("@NAME@", name)
        for path, template in _FILES.items()
    }
    for image, rows in _IMAGES.items():
        lines = "\n".join(" ".join(map(str, row)) for row in rows)
        made[f"test-data/images/{image}.pgm"] = f"P2\n{len(rows[0])} {len(rows)}\n255\n{lines}\n"
    for item, table in _EXPECTED.items():
        made[f"tasks/measure.expected/measurements/{item}/{item}.csv"] = table
    return made
