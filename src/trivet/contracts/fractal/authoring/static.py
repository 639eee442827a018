"""The modules of a package read from their source, without importing it: only what signatures need is executed.

The function of a task is made anew from its ``def``, without decorators and without its body. What its annotations and
defaults need is executed, in this package's modules piece by piece; modules of others are imported. So a package can be
read where what it computes with is not installed.
"""

from __future__ import annotations

import ast
import builtins
import sys
from importlib.util import find_spec, resolve_name
from pathlib import Path, PurePosixPath
from types import FunctionType, ModuleType
from typing import Any

from trivet.contracts.fractal.authoring import task_models
from trivet.contracts.fractal.authoring.loading import TaskFunction, function_name, not_found, plain
from trivet.contracts.fractal.authoring.refused import RefusedError, sentence
from trivet.contracts.fractal.authoring.slices import Slices, source_of
from trivet.contracts.fractal.authoring.sources import Function, lines_of

_TASK_MODELS = "fractal_task_tools.task_models"


class Sliced:
    """Modules in slices. While they are in use they stand in ``sys.modules``, where pydantic looks for names."""

    def __init__(self, package: str) -> None:
        """Raises RefusedError when there is no such package."""
        self.package = package
        self._modules: dict[str, Slices] = {}
        self._replaced: dict[str, ModuleType | None] = {}
        self._root = _directory(package)

    @property
    def root(self) -> Path:
        return self._root

    def close(self) -> None:
        """Leave ``sys.modules`` as it was."""
        for name, before in self._replaced.items():
            if before is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = before
        self._replaced.clear()

    def task_list(self, dotted: str) -> Any:
        module = self._module(f"{self.package}.{dotted}", "F061", f"the list of tasks `{self.package}.{dotted}`")
        module.provide_all()
        module.require("TASK_LIST")
        return module.module

    def function(self, executable: str) -> TaskFunction:
        name = function_name(executable)
        dotted = str(PurePosixPath(executable).with_suffix("")).replace("/", ".")
        module = self._module(f"{self.package}.{dotted}", "F063", f"`{executable}`")
        node = module.definition(name)
        path = self.root / executable
        if isinstance(node, Function):
            function, unresolved = _signature(module, node)
            return TaskFunction(function, name, path, unresolved)
        try:
            found = module.attribute(name)
        except AttributeError as error:
            message = f"`{executable}` has no function `{name}` that can be read from its source: {error}"
            raise RefusedError("F064", message, hint="the function must be called like its file") from None
        return TaskFunction(plain(found, executable), name, path)

    def _module(self, name: str, code: str, what: str) -> Slices:
        try:
            found = self._slices(name)
        except (OSError, SyntaxError, ValueError) as error:
            raise RefusedError(code, f"{what} can't be read: {sentence(error)}", said=error) from None
        if found is None:
            said = f"ModuleNotFoundError: No module named '{name}'"
            raise RefusedError(code, f"{what} does not exist below {self.root}", said=said)
        return found

    def _slices(self, name: str) -> Slices | None:
        """The module of that name, if this package has it. Raises OSError and SyntaxError."""
        if name not in self._modules:
            source = source_of(self.root, name.removeprefix(self.package).removeprefix("."))
            if source is None:
                return None
            self._modules[name] = Slices(name, source, self._find, self._import)
            self._replaced[name] = sys.modules.get(name)
            sys.modules[name] = self._modules[name].module
        return self._modules[name]

    def _find(self, name: str) -> ModuleType | None:
        found = self._slices(name)
        return None if found is None else found.module

    def _import(
        self,
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        """The statement `import` in a module of this package."""
        absolute = resolve_name("." * level + name, globals["__package__"]) if level else name
        if absolute == self.package or absolute.startswith(f"{self.package}."):
            found = self._slices(absolute)
            if found is None:
                raise ModuleNotFoundError(f"No module named {absolute!r}", name=absolute)
            if fromlist and "*" in fromlist:
                found.provide_all()
            return found.module if fromlist else self._find(self.package)
        if absolute == _TASK_MODELS and fromlist and _TASK_MODELS not in sys.modules:
            try:
                return builtins.__import__(name, globals, locals, fromlist, level)
            except ModuleNotFoundError:
                return task_models
        return builtins.__import__(name, globals, locals, fromlist, level)


def _directory(package: str) -> Path:
    """The directory of a package that can be imported, without importing it. Raises RefusedError."""
    top, *below = package.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        found = Path(folder, *below)
        if (found / "__init__.py").is_file():
            return found
    raise not_found(package, f"ModuleNotFoundError: No module named '{package}'")


def _signature(module: Slices, node: Function) -> tuple[FunctionType, tuple[RefusedError, ...]]:
    """The function without its body and decorators, and which arguments it could not be given as they are."""
    unresolved: dict[str, RefusedError] = {}

    def resolved(expression: ast.expr, argument: str, what: str) -> Any:
        try:
            return module.value(expression, hint=what == "its type")
        except Exception as error:  # any expression may stand there
            message = f"{what} `{ast.unparse(expression)}` can't be resolved without importing: {sentence(error)}"
            hint = "leave `--static` out where everything is installed"
            unresolved.setdefault(argument, RefusedError("F086", message, argument=argument, hint=hint))
            return str if what == "its type" else None  # nothing more can be said against these

    words = node.args
    arguments = [*words.posonlyargs, *words.args, *words.kwonlyargs, *filter(None, (words.vararg, words.kwarg))]
    hints = {one.arg: resolved(one.annotation, one.arg, "its type") for one in arguments if one.annotation is not None}
    positional = [*words.posonlyargs, *words.args]
    defaults = [
        resolved(default, one.arg, "its default")
        for one, default in zip(positional[len(positional) - len(words.defaults) :], words.defaults, strict=True)
    ]
    keyword_defaults = {
        one.arg: resolved(default, one.arg, "its default")
        for one, default in zip(words.kwonlyargs, words.kw_defaults, strict=True)
        if default is not None
    }
    function = module.empty_function(node)
    function.__annotations__ = hints
    function.__defaults__ = tuple(defaults) or None
    function.__kwdefaults__ = keyword_defaults or None
    function.__doc__ = ast.get_docstring(node)
    lines = lines_of(node)
    return function, tuple(sorted(unresolved.values(), key=lambda one: lines[one.argument]))
