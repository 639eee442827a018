"""Where in a package's Python sources an argument of a task is written, found in their text, without importing them."""

# ruff: noqa: PTH118, PTH119, PTH206 (names stay text here: they are shown as the user gave them)
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.lint.walk import Steps

if TYPE_CHECKING:
    import ast

    Function = ast.FunctionDef | ast.AsyncFunctionDef

Place = tuple[str, int, int]
"""File as it is shown, line and column, both from 1."""

_MAPPINGS = ("dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "DefaultDict", "Counter")
_NO_TEXT = ("int", "float", "bool", "complex", "bytes", "tuple", "Tuple", "Decimal", "date", "datetime", "frozenset")
_KEYED = re.compile(rf"\b(?:{'|'.join(_MAPPINGS)})\[\s*(?:\w+\.)?(?:{'|'.join(_NO_TEXT)})\b")


class Sources:
    """The Python files of a package, named by their paths below it; each is read and parsed at most once."""

    def __init__(
        self, name: str, shown: str, paths: Callable[[], Sequence[str]], read: Callable[[str], str | None]
    ) -> None:
        """``name`` is the package's own, ``shown`` what stands before a file's path in messages; ``paths`` lists the
        files, ``read`` gives the text of one, or None."""
        self.name = name
        self.shown = shown
        self._list = paths
        self._text = cache(read)
        self._tree = cache(self._parsed)

    def locate(self, executable: Any, steps: Steps) -> Place | None:
        """Where the argument or attribute is written that a place in the schema of a task comes from."""
        found = self._function(executable)
        if found is None:
            return None
        path, function = found
        match steps:
            case ("properties", str(name), *_):
                return self._place(path, _argument(function, name) or function)
            case ("$defs", str(model), "properties", str(name), *_):
                return self._attribute(path, model, name)
            case ("$defs", str(model), *_):
                owner = self._class(path, model)
                return None if owner is None else self._place(*owner)
        return self._place(path, function)

    def keyed_arguments(self, executable: Any) -> Iterator[tuple[str, str]]:
        """The arguments of a task's function that are dictionaries with keys other than text, with their hints."""
        found = self._function(executable) if self._keyed_files else None
        for argument in _arguments(found[1]) if found is not None else ():
            if hint := _keyed(argument.annotation):
                yield argument.arg, hint

    def keyed_attributes(self, executable: Any, model: str) -> Iterator[tuple[str, str]]:
        """The attributes of a model that are dictionaries with keys other than text, with their hints."""
        import ast

        found = self._function(executable) if self._keyed_files else None
        owner = self._class(found[0], model) if found is not None else None
        for statement in owner[1].body if owner is not None and owner[0] in self._keyed_files else ():
            if isinstance(statement, ast.AnnAssign) and (hint := _keyed(statement.annotation)):
                yield _last_name(statement.target), hint

    @cached_property
    def _keyed_files(self) -> Sequence[str]:
        """The files in which such a hint may stand, by their text alone: most packages have none."""
        return [path for path in self._list() if _KEYED.search(self._text(path) or "")]

    def _parsed(self, path: str) -> ast.Module | None:
        import ast

        text = self._text(path)
        try:
            return None if text is None else ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def _function(self, executable: Any) -> tuple[str, Function] | None:
        """The function of an executable, which has the file's name; also where the file only imports it."""
        if not isinstance(executable, str) or not executable.endswith(".py"):
            return None
        path = os.path.normpath(executable)
        return self._defined(path, os.path.basename(path)[:-3], 3)

    def _defined(self, path: str, name: str, hops: int) -> tuple[str, Function] | None:
        import ast

        tree = self._tree(path)
        if tree is None:
            return None
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        # The last one at the top of the module is what Python keeps.
        ordered = [*(node for node in functions if node not in tree.body), *(n for n in functions if n in tree.body)]
        found = [node for node in ordered if node.name == name]
        if found:
            return path, found[-1]
        for node in ast.walk(tree) if hops else ():
            if isinstance(node, ast.ImportFrom):
                original = next((alias.name for alias in node.names if (alias.asname or alias.name) == name), None)
                for other in self._modules(path, node) if original is not None else ():
                    if (there := self._defined(other, str(original), hops - 1)) is not None:
                        return there
        return None

    def _attribute(self, path: str, model: str, name: str) -> Place | None:
        """An attribute, in its class or in the one it is inherited from; else the class."""
        import ast

        owner = self._class(path, model)
        first = owner
        for _ in range(8):
            if owner is None:
                break
            for statement in owner[1].body:
                if isinstance(statement, ast.AnnAssign) and _is_called(statement.target, statement, name):
                    return self._place(owner[0], statement)
            names = (base.value if isinstance(base, ast.Subscript) else base for base in owner[1].bases)
            bases = (base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in names)
            owner = next(filter(None, (self._class(owner[0], base) for base in bases if base)), None)
        return None if first is None else self._place(*first)

    def _class(self, path: str, model: str) -> tuple[str, ast.ClassDef] | None:
        """The class behind the name of a definition: in a module, or the nearest one it imports from the package.

        Generic models are called ``Box_int_``, and of two of one name each by its module, too: ``pkg__mod__Part``.
        """
        import ast

        seen, waiting = {path}, [path]
        while waiting:
            here = waiting.pop(0)
            tree = self._tree(here)
            if tree is None:
                continue
            dotted = here[:-3].replace(os.sep, "__")
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and (
                    model == node.name
                    or model.startswith(f"{node.name}_")
                    or (model.endswith(f"__{node.name}") and f"{dotted}__" in model)
                ):
                    return here, node
            for node in ast.walk(tree):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    new = [other for other in self._modules(here, node) if other not in seen]
                    seen.update(new)
                    waiting += new
        return None

    def _modules(self, path: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        """The files of this package that a module imports from; what is imported may be a module itself."""
        import ast

        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.level:
            above = path.split(os.sep)[: -node.level]
            module = ".".join([self.name, *above, *filter(None, [node.module])])
            names = [*(f"{module}.{alias.name}" for alias in node.names), module]
        else:
            names = [*(f"{node.module}.{alias.name}" for alias in node.names), str(node.module)]
        for name in names:
            if name.startswith(f"{self.name}."):
                below = name[len(self.name) + 1 :].replace(".", os.sep)
                yield from (one for one in (f"{below}.py", os.path.join(below, "__init__.py")) if self._text(one))

    def _place(self, path: str, node: ast.stmt | ast.arg) -> Place:
        return os.path.join(self.shown, path), node.lineno, node.col_offset + 1


def _arguments(function: Function) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]


def _argument(function: Function, name: str) -> ast.arg | None:
    arguments = _arguments(function)
    named = next((one for one in arguments if one.arg == name), None)
    if named is not None:
        return named
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults = dict(zip([one.arg for one in reversed(positional)], reversed(given.defaults), strict=False))
    defaults |= {one.arg: default for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default}
    return next((one for one in arguments if _has_alias(name, one.annotation, defaults.get(one.arg))), None)


def _is_called(target: ast.expr, statement: ast.AnnAssign, name: str) -> bool:
    return getattr(target, "id", None) == name or _has_alias(name, statement.annotation, statement.value)


def _has_alias(name: str, *nodes: ast.AST | None) -> bool:
    """True when a ``Field`` in the nodes gives that name as an alias."""
    import ast

    return any(
        isinstance(inner, ast.keyword)
        and inner.arg in ("alias", "validation_alias")
        and isinstance(inner.value, ast.Constant)
        and inner.value.value == name
        for node in nodes
        if node is not None
        for inner in ast.walk(node)
    )


def _keyed(annotation: ast.expr | None) -> str:
    """The first dictionary in a hint whose keys are no text, as it is written; empty when there is none."""
    import ast

    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Subscript) and _last_name(node.value) in _MAPPINGS:
            inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
            if _last_name(inner.value if isinstance(inner, ast.Subscript) else inner) in _NO_TEXT:
                return ast.unparse(node)
    return ""


def _last_name(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))
