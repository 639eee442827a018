"""Python source as text: where functions and classes are, and what is written at their arguments and attributes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


class SourceFile:
    """One module's source, parsed when it is first asked for. Reading raises OSError, parsing SyntaxError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_bytes(), str(self.path))

    def function(self, name: str) -> Function | None:
        """The function of that name that is nested least deeply; of two at one level the first."""
        for nodes in (self.tree.body, ast.walk(self.tree)):  # where it is expected, before everywhere
            for node in nodes:
                if isinstance(node, Function) and node.name == name:
                    return node
        return None

    @cached_property
    def classes(self) -> Mapping[str, list[ast.ClassDef]]:
        """Every class of the module by its qualified name; one name may be used several times."""
        found: dict[str, list[ast.ClassDef]] = {}
        for name, node in _classes(self.tree, ""):
            found.setdefault(name, []).append(node)
        return found


class Sources:
    """The sources of modules, each read at most once."""

    def __init__(self) -> None:
        self._files: dict[Path, SourceFile] = {}

    def __getitem__(self, path: Path) -> SourceFile:
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


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, child
            yield from _classes(child, f"{prefix}{child.name}.")
        elif isinstance(child, Function):
            yield from _classes(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.stmt | ast.excepthandler):
            yield from _classes(child, prefix)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every block of statements in a class, in the order of the file, as pydantic's own reading has it."""
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            for statement in body:
                yield from _bodies(statement)
            yield body
