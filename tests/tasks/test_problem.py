"""Findings: how they read, and what is guessed from a misspelt word."""

from __future__ import annotations

import pytest

from trivet.tasks.problem import Problem, ProblemsError, closest, has_errors, nearest


def test_a_problem_reads_as_one_line_that_editors_understand() -> None:
    problem = Problem("K001", "no name", hint="add one").at("a.json", 3, 5)
    assert str(problem) == "a.json:3:5: error K001 no name (add one)"
    assert str(Problem("B1", "m", "warning", file="a.json")) == "a.json: warning B1 m"
    assert str(Problem("B1", "m")) == "error B1 m"


def test_an_error_tells_every_reason() -> None:
    error = ProblemsError(Problem(code, "m") for code in ("A", "B"))
    assert [problem.code for problem in error.problems] == ["A", "B"]
    assert str(error) == "error A m\nerror B m"
    assert isinstance(error, ValueError)


def test_only_errors_count_as_errors() -> None:
    assert not has_errors([Problem("A", "m", "warning"), Problem("A", "m", "info")])
    assert has_errors([Problem("A", "m", "warning"), Problem("A", "m")])


@pytest.mark.parametrize(
    ("word", "names", "near", "hint"),
    [
        ("mounted_paht", ["name", "mounted_path"], "mounted_path", "did you mean `mounted_path`?"),
        ("IMAGE", ["image", "mask"], "image", "did you mean `image`?"),
        ("zzz", ["image", "mask"], None, "known: `image`, `mask`"),
        ("zzz", [], None, ""),
        (
            "zzz",
            [f"n{n}" for n in range(14)],
            None,
            "known: " + ", ".join(f"`n{n}`" for n in range(12)) + " and 2 more",
        ),
    ],
)
def test_a_misspelt_word_finds_its_candidate(word: str, names: list[str], near: str | None, hint: str) -> None:
    assert nearest(word, names) == near
    assert closest(word, names) == hint
