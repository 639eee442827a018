"""The generated pages of the reference say what their generator writes today."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "write the reference anew: python scripts/write_reference.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("write_reference", ROOT / "scripts/write_reference.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_is_current(generator: ModuleType) -> None:
    page = ROOT / "docs/reference/command-line.md"
    assert page.read_text(encoding="utf-8") == generator.command_line(), AGAIN


def test_the_page_of_the_lint_is_current(generator: ModuleType) -> None:
    page = ROOT / "docs/reference/fractal-lint.md"
    assert page.read_text(encoding="utf-8") == generator.lint_rules(), AGAIN


def test_every_code_of_a_problem_is_on_its_page(generator: ModuleType) -> None:
    # The words of a message may change before the page is written anew; a code that is missing can't be looked up.
    page = (ROOT / "docs/reference/problems.md").read_text(encoding="utf-8")
    assert codes(page) == codes(generator.problems()), AGAIN


def test_the_page_of_problems_tells_their_messages(generator: ModuleType) -> None:
    page = generator.problems()
    assert "| B004 | input `…` is not adjustable; its value is always … |" in page
    assert "| F003 | an unknown field is ignored |" in page


def codes(page: str) -> list[str]:
    return re.findall(r"^\| ([A-Z]\d{3}) \|", page, re.MULTILINE)
