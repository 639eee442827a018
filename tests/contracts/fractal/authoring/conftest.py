"""Packages of tasks made for a test, importable while it runs; the vectors of what the public tool makes of such."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).resolve().parents[4] / "../shared/corpus/fractal_manifest"
MODELS = "from trivet.fractal.task_models import *\n"

Make = Callable[..., Path]


def vectors(name: str) -> dict[str, Any]:
    """A file of vectors; without vectors where it is absent."""
    path = CORPUS / f"{name}_vectors.json"
    return json.loads(path.read_text()) if path.is_file() else {"vectors": []}


def plain(value: Any) -> Any:
    """A value as the vectors have it: numbers that are not finite are written out."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"__nonfinite__": str(value)}
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list | tuple) else value


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a package from the text of its files, ``dev/task_list.py`` from what is listed; gives its directory."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def package(files: Mapping[str, str], listed: str = "", more: str = "", name: str = "made_tasks") -> Path:
        root = tmp_path / name
        for path in ("__init__.py", "dev/__init__.py"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        if listed:
            text = f'{MODELS}AUTHORS = "An Author"\nDOCS_LINK = "https://example.org"\n{more}\nTASK_LIST = [{listed}]\n'
            (root / "dev/task_list.py").write_text(text, encoding="utf-8")
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return root

    yield package
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
