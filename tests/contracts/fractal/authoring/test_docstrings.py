"""What docstrings say: as the public tool reads them, and what our own reading saves."""

from __future__ import annotations

import ast
import inspect
import sys
from typing import Any

import docstring_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts.fractal.authoring import docstrings

from .conftest import vectors

VECTORS = vectors("docstring")["vectors"]


def cleaned(docstring: str) -> str:
    text = ast.get_docstring(ast.parse(f"def f():\n    {docstring!r}").body[0])  # type: ignore[arg-type]
    assert text is not None
    return text


@pytest.mark.skipif(not VECTORS, reason="the vectors are not here")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_docstring_says_what_the_public_tool_reads(vector: dict[str, Any]) -> None:
    if "\r" in vector["docstring"] and sys.version_info >= (3, 13):
        pytest.skip("from Python 3.13 on, the compiler cleans docstrings")
    described = docstrings.read(cleaned(vector["docstring"]), compatible=True)
    assert f"## mod\n{described.text}\n" == vector["docs_info"]
    if "args_descriptions" in vector:
        assert dict(described.arguments) == vector["args_descriptions"]
        assert described.fault == ""
    else:
        assert described.fault
    assert docstrings.summary(inspect.cleandoc(vector["docstring"]), compatible=True) == vector["class_description"]


PIECES = (
    "Args:", "Returns:", "Raises:", "Note:", "    a: First.", "    b (int): Second.", "    no colon", "      more",
    "a - b", ":param a: First.", ":param int b: Second.", ":returns: What.", ":type a: int", ":odd", "Parameters",
    "----------", "a : int", "Notes", "-----", "@param a: First.", "@return: What.", "", "Some text.", "More: text.",
    ".. deprecated:: 1",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_any_docstring_is_read_as_by_the_library_that_the_public_tool_asks(lines: list[str]) -> None:
    text = "\n".join(lines)
    parsed = docstring_parser.parse(text)
    described = docstrings.read(text, compatible=True)
    assert described.short == parsed.short_description
    assert bool(described.fault) == any(item.description is None for item in parsed.params)
    # The last of two entries of one name counts; with an entry without text, the public tool has given up.
    texts = {item.arg_name: item.description for item in parsed.params if item.description is not None}
    assert dict(described.arguments) == {
        name: " ".join(text.replace("\n", " ").split(" "))
        if "  " not in text.replace("\n", " ")
        else described.arguments[name]
        for name, text in texts.items()
    }
    assert docstrings.summary(text, compatible=True) == parsed.short_description


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_our_own_reading_never_fails_and_loses_nothing_that_the_public_tool_finds(lines: list[str]) -> None:
    text = "\n".join(lines)
    ours, theirs = docstrings.read(text), docstrings.read(text, compatible=True)
    assert set(theirs.arguments) <= set(ours.arguments)
    assert docstrings.summary(text) != ""


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        (
            "Do it.\n\nArgs:\n    a: First.\n    b - Second.\n    c: Third.",
            {"a": "First.", "b": "Second.", "c": "Third."},
        ),
        ("Do it.\n\nArgs:\n    a: First\n    goes on.\n    b: Second.", {"a": "First goes on.", "b": "Second."}),
        ("Do it.\n\nArgs:\n    a: First.\n\nRaises:\n    ValueError", {"a": "First."}),
        ("Args:\n    a: First.\n    b: Second.", {"a": "First.", "b": "Second."}),
        ("Args:\na: First.\nb: Second.", {"a": "First.", "b": "Second."}),
        ("Do it.\n\nParameters\n----------\na : int\nb : int\n    Second.", {"b": "Second."}),
        ("Do it.\n\n:param a b c d: Odd.\n:param e: Fifth.", {"e": "Fifth."}),
        ("Do it.\r\n\r\nArgs:\r\n    a: First.", {"a": "First."}),
    ],
)
def test_what_can_not_be_read_loses_nothing_else(docstring: str, found: dict[str, str]) -> None:
    described = docstrings.read(docstring)
    assert dict(described.arguments) == found
    assert described.text == ("" if docstring.startswith("Args") else "Do it.")


@pytest.mark.parametrize(
    ("docstring", "ours", "theirs"),
    [
        ("Cut an image\nin two.\n\nSlowly.", "Cut an image in two.", "Cut an image"),
        ("Cut an image.", "Cut an image.", "Cut an image."),
        ("Attributes:\n    low: The lowest.\n", None, "Attributes:"),
        (":param low: The lowest.", None, None),
        ("Cut.\n\nAttributes:\n    low: The lowest.", "Cut.", "Cut."),
    ],
)
def test_a_definition_is_described_by_its_whole_first_paragraph(docstring: str, ours: str, theirs: str) -> None:
    assert docstrings.summary(inspect.cleandoc(docstring)) == ours
    assert docstrings.summary(inspect.cleandoc(docstring), compatible=True) == theirs
