"""The public tool's own verdicts: its first violation, word by word, and all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts.fractal.lint import lint
from trivet.contracts.fractal.lint.walk import CRASH, place, violations

CORPUS = Path(__file__).resolve().parents[4] / "../shared/corpus/fractal_manifest"


def vectors(name: str) -> list[Any]:
    path = CORPUS / name
    if not path.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"the corpus is not here: {path}"))]
    return [pytest.param(vector, id=vector["id"]) for vector in json.loads(path.read_text())["vectors"]]


@pytest.mark.parametrize("vector", vectors("lint_vectors.json"))
def test_a_schema_gets_the_public_verdict(vector: Any) -> None:
    schema, path = vector["schema"], vector["root_path"]
    found = list(violations(schema, schema if vector["root_schema_given"] else None))
    assert (found[0].message(path) if found else None) == vector["real_tool"]["message"]
    every = [[violation.code, place(path, violation.steps)] for violation in found]
    assert every == vector["all_violations_if_collected"]


@pytest.mark.parametrize("vector", vectors("lint_vectors.json"))
def test_a_manifest_gets_the_public_codes_as_problems(vector: Any) -> None:
    entry = {"name": "T", "executable_parallel": "t.py", "args_schema_parallel": vector["schema"]}
    problems = lint({"args_schema_version": "fractal_schema_v1", "task_list": [entry]})
    public = [problem for problem in problems if not problem.code.startswith("F04") or problem.code == "F044"]
    # In a manifest the whole schema is always at hand, and what could not be looked up is found.
    wanted = [("E12" if code == "I90" else code, where) for code, where in vector["all_violations_if_collected"]]
    assert len(public) == len(wanted)
    for problem, (code, where) in zip(public, wanted, strict=True):
        assert problem.code == code or (code == CRASH and problem.code in ("E04", "F044"))
        assert "/".join(["Root", *map(str, problem.path[3:])]) == where
        assert problem.severity == "error"


@pytest.mark.parametrize("vector", vectors("schema_vectors.json"))
def test_a_generated_schema_gets_the_public_verdict(vector: Any) -> None:
    schema = vector["expected"].get("schema")
    if not schema:
        pytest.skip("the public tool gives no schema")
    found = [violation.message(schema["title"]) for violation in violations(schema)]
    wanted = vector["expected"]["lint"]
    assert found[:1] == ([wanted["message"]] if wanted else [])
