"""The rules as data: every example breaks its rule, its mended form breaks none, and the public tool knows them all."""

from __future__ import annotations

import enum
import json
import types
import typing
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.lint.rules import RULES
from trivet.contracts.fractal.lint.walk import violations

CORPUS = Path(__file__).resolve().parents[4] / "../shared/corpus/fractal_manifest/lint_vectors.json"


def schema_of(source: str) -> dict[str, Any]:
    """The schema pydantic makes of the last function in a piece of Python, whose imports are supplied."""
    pydantic = pytest.importorskip("pydantic")
    names: dict[str, Any] = {
        **vars(typing),
        **vars(enum),
        **{name: getattr(pydantic, name) for name in pydantic.__all__},
    }
    exec(compile(source, "example", "exec", dont_inherit=True), names)
    functions = [one for one in names.values() if isinstance(one, types.FunctionType) and one.__globals__ is names]
    schema: dict[str, Any] = pydantic.TypeAdapter(functions[-1]).json_schema()
    return schema


@pytest.mark.parametrize("code", RULES)
def test_the_example_breaks_its_rule(code: str) -> None:
    assert code in {violation.code for violation in violations(schema_of(RULES[code].wrong))}


@pytest.mark.parametrize("code", RULES)
def test_the_mended_example_breaks_none(code: str) -> None:
    assert list(violations(schema_of(RULES[code].right))) == []


def test_every_code_of_the_public_tool_is_a_rule() -> None:
    if not CORPUS.is_file():
        pytest.skip(f"the corpus is not here: {CORPUS}")
    seen = {code for vector in json.loads(CORPUS.read_text())["vectors"] for code in vector["real_tool"]["codes"]}
    assert {code for code in seen if code.startswith("E")} == set(RULES)
