"""The generated pages of the reference are what their generator writes today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_pages_are_current() -> None:
    specification = importlib.util.spec_from_file_location("write_reference", ROOT / "scripts/write_reference.py")
    assert specification is not None
    assert specification.loader is not None
    generator = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generator)
    old = [
        str(path.relative_to(ROOT))
        for path, content in generator.pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != content
    ]
    assert old == [], "write them anew: python scripts/write_reference.py"
