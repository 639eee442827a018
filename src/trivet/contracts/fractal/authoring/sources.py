"""Python source as text: where functions and classes are, and what is written at their arguments and attributes."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.util import decode_source
from itertools import pairwise
from pathlib import Path
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef

_BACK_AT_THE_TOP = re.compile(r"\n(?=[^\s#)\]}])")
"""Where a block ends that began at the left: at the next line that does."""


class SourceFile:
    """One module's source, read and parsed when it is first asked for. Raises OSError, SyntaxError, UnicodeError."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @cached_property
    def text(self) -> str:
        return decode_source(self.path.read_bytes())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    def function(self, name: str) -> Function | None:
        """The function of that name that is nested least deeply; of two at one level the first."""
        for nodes in (self.tree.body, ast.walk(self.tree)):  # where it is expected, before everywhere
            for node in nodes:
                if isinstance(node, Function) and node.name == name:
                    return node
        return None

    def classes(self, name: str) -> list[ast.ClassDef]:
        """The classes of that qualified name; one name may be used several times."""
        return list(_classes(self.tree.body, name.split(".")))

    def only_class(self, name: str) -> ast.ClassDef | None:
        """The class at the top of the module, if its text alone can be told from the rest; the rest is not parsed."""
        starts = [match.start() for match in re.finditer(rf"^class {re.escape(name)}\b", self.text, re.MULTILINE)]
        if len(starts) != 1:
            return None
        end = _BACK_AT_THE_TOP.search(self.text, starts[0])
        try:
            tree = ast.parse(self.text[starts[0] : end.start() if end else None])
        except (SyntaxError, ValueError):  # cut in a text that begins its lines at the left
            return None
        return tree.body[0] if isinstance(tree.body[0], ast.ClassDef) else None


def declared(owner: Any) -> Mapping[str, Any]:
    """The annotations of a class or a function itself; what can't be resolved is no reason to fail."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return vars(owner).get("__annotations__", {}) if isinstance(owner, type) else getattr(owner, "__annotations__", {})


class Sources:
    """The sources of modules, each read at most once."""

    def __init__(self) -> None:
        self._files: dict[str, SourceFile] = {}

    def __getitem__(self, path: str) -> SourceFile:
        if path not in self._files:
            self._files[path] = SourceFile(path)
        return self._files[path]


def lines_of(function: Function) -> dict[str, int]:
    """The line of every argument of a function."""
    words = function.args
    named = [*words.posonlyargs, *words.args, *words.kwonlyargs, *filter(None, (words.vararg, words.kwarg))]
    return {argument.arg: argument.lineno for argument in named}


def attribute_texts(node: ast.ClassDef) -> dict[str, str]:
    """The text literal right below each annotated attribute of a class, without its indentation."""
    found: dict[str, str] = {}
    for body in _bodies(node):
        for before, statement in pairwise(body):
            if (
                isinstance(before, ast.AnnAssign)
                and isinstance(before.target, ast.Name)
                and isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                found[before.target.id] = inspect.cleandoc(statement.value.value)
    return found


def annotated_names(node: ast.ClassDef) -> set[str]:
    """Names of the annotated attributes of a class, those of nested blocks included."""
    return {
        statement.target.id
        for body in _bodies(node)
        for statement in body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


def _classes(body: list[ast.stmt], steps: list[str]) -> Iterator[ast.ClassDef]:
    """The classes that a qualified name leads to from a block of statements."""
    name, *rest = steps
    for statement in body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            yield from _classes(statement.body, rest) if rest else [statement]
        elif isinstance(statement, Function) and statement.name == name and rest[:1] == ["<locals>"]:
            yield from _classes(statement.body, rest[1:])
        elif not isinstance(statement, ast.ClassDef | Function):
            for block in _blocks(statement):
                yield from _classes(block, steps)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks within a statement: of a condition, a loop, a `with`, a `try`."""
    for field in ("body", "orelse", "finalbody"):
        yield from [block] if (block := getattr(statement, field, [])) else []
    for case in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield case.body


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every block of statements in a class, in the order of the file, as pydantic's own reading has it."""
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            for statement in body:
                yield from _bodies(statement)
            yield body
