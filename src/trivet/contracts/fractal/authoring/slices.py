"""A module executed in slices: a name is bound when it is asked for, with what it needs and nothing else.

The statements of a module are cut apart by the names they bind. Asking for a name executes its statements, and before
them those of the names they need. What fails is remembered with its reason, so that the rest of a module can be had.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from trivet.contracts.fractal.authoring.refused import RefusedError, sentence
from trivet.contracts.fractal.authoring.sources import Function, SourceFile

Import = Callable[..., Any]
_ANNOTATIONS = annotations.compiler_flag


class SlicedModule(ModuleType):
    """A module whose attributes are made when they are first used; ``__slices__`` makes them."""

    __slices__: Slices

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return self.__slices__.attribute(name)


class Slices:
    """What makes the attributes of one module: ``module``."""

    def __init__(self, name: str, source: SourceFile, find: Callable[[str], ModuleType | None], run: Import) -> None:
        """``find`` gives a module below this one, ``run`` stands for the statement `import` within it.

        Raises OSError and SyntaxError.
        """
        self.module = SlicedModule(name)
        self.module.__slices__ = self
        is_package = source.path.name == "__init__.py"
        self.module.__file__ = str(source.path)
        self.module.__package__ = name if is_package else name.rpartition(".")[0]
        if is_package:
            self.module.__path__ = [str(source.path.parent)]
        self._names = vars(self.module)
        self._names["__builtins__"] = {**vars(builtins), "__import__": run}
        self._find = find
        self._flags = _ANNOTATIONS if _is_postponed(source.tree) else 0
        self._statements = list(_apart(source.tree.body))
        self._waiting = dict.fromkeys(range(len(self._statements)))
        self._binding: dict[str, list[int]] = {}
        for number, statement in enumerate(self._statements):
            for bound in _bound(statement):
                self._binding.setdefault(bound, []).append(number)
        self._failures: dict[str, str] = {}

    def attribute(self, name: str) -> Any:
        """What a name is bound to, or the module of that name below. Raises AttributeError with the reason."""
        self.provide(name)
        if name in self._names:
            return self._names[name]
        below = self._find(f"{self.module.__name__}.{name}")
        if below is not None:
            return below
        why = f" ({self._failures[name]})" if name in self._failures else ""
        raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}{why}")

    def provide(self, name: str) -> None:
        """Bind a name, if the module binds it and that is possible."""
        for number in self._binding.get(name, ()):
            if number in self._waiting:
                del self._waiting[number]
                self._run(self._statements[number])

    def provide_all(self) -> None:
        """Execute every statement that can be executed."""
        while self._waiting:
            number = next(iter(self._waiting))
            del self._waiting[number]
            self._run(self._statements[number])

    def require(self, name: str) -> None:
        """Raises RefusedError when a name that the module binds could not be had."""
        if name not in self._names and name in self._failures:
            message = f"`{name}` of {self.module.__file__} can't be had without importing: {self._failures[name]}"
            raise RefusedError("F061", message, hint="leave `--static` out where everything is installed")

    def definition(self, name: str) -> ast.stmt | None:
        """The statement that binds a name last."""
        numbers = self._binding.get(name)
        return self._statements[numbers[-1]] if numbers else None

    def empty_function(self, node: Function) -> FunctionType:
        """A function of that name with those arguments, without annotations, defaults, decorators and body."""
        words = copy.deepcopy(node.args)
        for argument in ast.walk(words):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        nothing = ast.Constant(None)
        words.defaults = [nothing for _ in words.defaults]
        words.kw_defaults = [nothing if default is not None else None for default in words.kw_defaults]
        bare = type(node)(name=node.name, args=words, body=[ast.Pass()], decorator_list=[])
        if "type_params" in node._fields:  # from Python 3.12 on
            vars(bare)["type_params"] = []
        scope: dict[str, Any] = {}
        tree = ast.fix_missing_locations(ast.Module([ast.copy_location(bare, node)], []))
        exec(self._compiled(tree, "exec"), self._names, scope)  # noqa: S102
        return scope[node.name]  # type: ignore[no-any-return]

    def value(self, expression: ast.expr, hint: bool = False) -> Any:
        """The value of an expression in this module; a ``hint`` that is text is one more expression.

        Raises NameError with the reason where a name can't be had, else whatever the expression raises.
        """
        for name in needed(expression):
            self.provide(name)
        wrapped = ast.fix_missing_locations(ast.Expression(expression))
        if hint and isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            wrapped = ast.parse(expression.value, mode="eval")
        try:
            return eval(self._compiled(wrapped, "eval"), self._names)  # noqa: S307 - the package's own source
        except NameError as error:
            why = self._failures.get(str(getattr(error, "name", "")))
            raise (NameError(f"{error} ({why})") if why else error) from None

    def execute(self, statement: ast.stmt) -> None:
        """Execute one statement as it is. Raises whatever it raises."""
        module = ast.Module([statement], [])
        exec(self._compiled(ast.fix_missing_locations(module), "exec"), self._names)  # noqa: S102

    def _compiled(self, tree: Any, mode: str) -> Any:
        return compile(tree, str(self.module.__file__), mode, self._flags, dont_inherit=True)

    def _run(self, statement: ast.stmt) -> None:
        for name in needed(statement):
            self.provide(name)
        try:
            self.execute(statement)
        except Exception as error:  # any statement of somebody's module
            for name in _bound(statement):
                self._failures[name] = sentence(error)


def needed(node: ast.AST) -> Iterator[str]:
    """The names that a piece of code reads, those in annotations that are text included."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner.id
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value.strip():
            try:
                tree = ast.parse(inner.value.strip(), mode="eval")
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            yield from (name.id for name in ast.walk(tree) if isinstance(name, ast.Name))


def _apart(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, an import of several names as several imports."""
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            for alias in statement.names:
                one = ast.ImportFrom(statement.module, [alias], statement.level)
                yield ast.copy_location(one, statement)
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                yield ast.copy_location(ast.Import([alias]), statement)
        elif not isinstance(statement, ast.ImportFrom):
            yield statement


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds in its module; a call on a name counts, for it may change what is there."""
    if isinstance(statement, Function | ast.ClassDef):
        yield statement.name
        return
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        root: ast.AST = statement.value.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root is not statement.value.func:
            yield root.id
        return
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        waiting += ast.iter_child_nodes(node)


def _is_postponed(tree: ast.Module) -> bool:
    return any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in tree.body
    )


def source_of(path: Path, module: str) -> SourceFile | None:
    """The file of a module below a directory, by its dotted name; a package's is its ``__init__.py``."""
    below = path.joinpath(*module.split(".")) if module else path
    for file in (below / "__init__.py", below.with_suffix(".py") if module else below):
        if file.is_file():
            return SourceFile(file)
    return None
