"""Binding: all problems at once, and the defaults."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.tasks.call import bind
from trivet.tasks.document import Document
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import Environment, Port, Task
from trivet.tasks.types import Enumeration, Image, Integer, Json
from trivet.tasks.values import FileRef

DOCUMENT = Document("command", "command", {}, "/", "x")


def task(*inputs: Port, **more: Any) -> Task:
    return Task("command", "blur", inputs, (), Environment(), DOCUMENT, **more)


PHOTO = Port("photo", Image())
SIGMA = Port("sigma", Integer(0), default=2)
FIXED = Port("fixed", Integer(), default=1, adjustable=False)
OPTIONAL = Port("note", Enumeration(("a",)), optional=True)


def codes(task: Task, values: dict[str, Any], each: str | None = None) -> list[tuple[str, str]]:
    with pytest.raises(ProblemsError) as caught:
        bind(task, values, each)
    return [(problem.code, problem.message) for problem in caught.value.problems]


def test_values_are_completed_with_defaults() -> None:
    call = bind(task(PHOTO, SIGMA, FIXED, OPTIONAL), {"photo": FileRef("/x")})
    assert call.values == {"photo": FileRef("/x"), "sigma": 2, "fixed": 1}
    assert call.each is None


def test_every_fault_is_told_at_once() -> None:
    assert codes(task(PHOTO, SIGMA, FIXED, OPTIONAL), {"sigam": 1, "sigma": -1, "fixed": 2, "note": "b"}) == [
        ("B001", "blur has no input `sigam`"),
        ("B003", "input `sigma`: -1 must be at least 0"),
        ("B004", "input `fixed` is not adjustable; its value is always 1"),
        ("B003", "input `note`: 'b' is not one of the choices; known: `a`"),
        ("B002", "input `photo` (image) has no value"),
    ]


def test_hints_say_what_to_type() -> None:
    with pytest.raises(ProblemsError) as caught:
        bind(task(PHOTO, Port("n", Integer())), {"phto": FileRef("/x")})
    assert [problem.hint for problem in caught.value.problems] == [
        "did you mean `photo`?",
        "give --input photo=PATH",
        "give n=VALUE",
    ]


def test_null_unsets_an_input() -> None:
    assert bind(task(OPTIONAL), {"note": None}).values == {"note": None}
    assert bind(task(SIGMA), {"sigma": None}).values == {"sigma": 2}
    assert bind(task(Port("a", Integer(), default=2, optional=True)), {"a": None}).values == {"a": None}
    assert bind(task(Port("a", Json(), default=2)), {"a": None}).values == {"a": None}
    assert codes(task(PHOTO), {"photo": None}) == [("B002", "input `photo` (image) has no value")]


def test_the_value_a_fixed_input_always_has_may_be_given() -> None:
    assert bind(task(FIXED), {"fixed": 1}).values == {"fixed": 1}


def test_a_repeated_input_takes_a_list_and_checks_each_element() -> None:
    assert bind(task(SIGMA), {"sigma": [1, 2]}, each="sigma").each == "sigma"
    assert codes(task(SIGMA), {"sigma": [1, "x"]}, "sigma") == [
        ("B003", "input `sigma`: item 1: 'x' is not a whole number")
    ]
    assert codes(task(SIGMA), {"sigma": []}, "sigma") == [("B003", "input `sigma`: 0 items are fewer than 1")]
    needs = "input `sigma` is repeated over and needs a list of integer ≥ 0"
    assert codes(task(SIGMA), {"sigma": 5}, "sigma") == [("B003", needs)]
    assert codes(task(SIGMA), {}, "sigma") == [("B003", needs)]  # the default is one value, not a list
    assert codes(task(SIGMA), {}, "sgima") == [("B001", "blur has no input `sgima`")]


def test_a_task_that_repeats_by_nature_needs_no_word() -> None:
    repeating = task(Port("url", Integer()), repeats="url")
    assert bind(repeating, {"url": [1, 2]}).each == "url"
    assert [code for code, _ in codes(repeating, {})] == ["B002"]


def test_open_inputs_are_passed_on_as_text_with_a_word_about_it() -> None:
    call = bind(task(open_inputs=True), {"EXTRA": "x"})
    assert call.values == {"EXTRA": "x"}
    assert [(note.code, note.severity) for note in call.notes] == [("B005", "info")]
    assert call.notes[0].hint == ""
    [note] = bind(task(SIGMA, open_inputs=True), {"sgima": "x"}).notes
    assert (note.severity, note.hint) == ("warning", "did you mean `sigma`?")
    assert codes(task(open_inputs=True), {"EXTRA": 5})[-1] == ("B003", "input `EXTRA`: 5 is not text")
