"""The modules of a package, imported; where its files are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import unwrap
from pathlib import Path, PurePosixPath
from types import FunctionType
from typing import Any, NamedTuple, Protocol

from trivet.contracts.fractal.authoring.refused import RefusedError, sentence


class TaskFunction(NamedTuple):
    """The function behind an executable, the file that it is expected in, and what of it could not be had."""

    function: Callable[..., Any]
    name: str
    path: Path
    unresolved: tuple[RefusedError, ...] = ()


class Modules(Protocol):
    """Where the modules of a package come from."""

    @property
    def root(self) -> Path:
        """The directory of the package. Raises RefusedError."""

    def task_list(self, dotted: str) -> Any:
        """The module that lists the tasks, below the package. Raises RefusedError."""

    def function(self, executable: str) -> TaskFunction:
        """The function of an executable. Raises RefusedError."""

    def close(self) -> None:
        """Leave the process as it was."""


class Imported:
    """Modules imported as Python does, from this environment."""

    def __init__(self, package: str, compatible: bool = False) -> None:
        """Raises RefusedError when the package can't be imported."""
        self.package = package
        self.compatible = compatible
        self._root: Path | None = None

    @property
    def root(self) -> Path:
        """The directory of the package. Raises RefusedError."""
        if self._root is None:
            file = getattr(_imported(self.package, "F060", f"the package `{self.package}`"), "__file__", None)
            if file is None:
                said = "TypeError: expected str, bytes or os.PathLike object, not NoneType"
                message = f"the package `{self.package}` has no `__init__.py`, so it has no directory of its own"
                raise RefusedError("F060", message, hint="add an empty `__init__.py`", said=said)
            self._root = Path(file).parent
        return self._root

    def close(self) -> None:
        """Modules that are imported stay so."""

    def task_list(self, dotted: str) -> Any:
        return _imported(f"{self.package}.{dotted}", "F061", f"the list of tasks `{self.package}.{dotted}`")

    def function(self, executable: str) -> TaskFunction:
        name = function_name(executable)
        dotted = str(PurePosixPath(executable).with_suffix("")).replace("/", ".")
        module = _imported(f"{self.package}.{dotted}", "F063", f"`{executable}`")
        found = getattr(module, name, None)
        if not hasattr(module, name):
            said = f"AttributeError: module '{module.__name__}' has no attribute '{name}'"
            hint = "the function must be called like its file"
            raise RefusedError("F064", f"`{executable}` has no function `{name}`", hint=hint, said=said)
        return TaskFunction(plain(found, executable), name, self.root / executable)


def function_name(executable: str) -> str:
    """The function that an executable must define: called like its file. Raises RefusedError for another path."""
    if executable.startswith("/"):
        said = (
            "ValueError: Cannot call `create_schema_for_single_task with "
            f"task_function=None and absolute executable={executable!r}. Exit."
        )
        raise RefusedError("F062", f"the path `{executable}` must be relative to the package", said=said)
    if not executable.endswith(".py"):
        said = f"ValueError: module_relative_path={executable!r} must end with '.py'"
        raise RefusedError("F062", f"the executable `{executable}` must be a file that ends in `.py`", said=said)
    return PurePosixPath(executable).with_suffix("").name


def plain(found: Any, executable: str) -> Callable[..., Any]:
    """The same, if it is a Python function, wrapped or not. Raises RefusedError."""
    inner = unwrap(found) if callable(found) else found
    if isinstance(inner, FunctionType) and isinstance(getattr(found, "__name__", None), str):
        return found  # type: ignore[no-any-return]
    message = f"`{executable}` must define a plain function, not an object of type {type(found).__name__}"
    hint = "write `def` with the arguments of the task; a partial or a callable object has no signature of its own"
    said = f"AttributeError: '{type(found).__name__}' object has no attribute '__name__'"
    raise RefusedError("F065", message, hint=hint, said=said)


def _imported(name: str, code: str, what: str) -> Any:
    try:
        return import_module(name)
    except KeyboardInterrupt:
        raise
    except SystemExit as stop:
        raise RefusedError(code, f"{what} ends the program while it is imported", said=stop) from None
    except BaseException as error:  # whatever the code of somebody's module raises
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise _missing(name, error, code, what) from None
        raise RefusedError(code, f"{what} can't be imported: {_reason(error)}", hint=_hint(error), said=error) from None


def _missing(name: str, error: ModuleNotFoundError, code: str, what: str) -> RefusedError:
    """Why the module itself, and nothing that it imports, is not there."""
    package = name.partition(".")[0]
    if error.name == package:
        return not_found(package, error)
    hint = f"it would be the module `{name}`; is the name written as that of the file?"
    return RefusedError(code, f"{what} does not exist in the package `{package}`", hint=hint, said=error)


def not_found(package: str, said: str | BaseException) -> RefusedError:
    """There is no such package in this environment."""
    hint = f"install it for {sys.executable}, or name its directory in PYTHONPATH"
    return RefusedError("F060", f"the package `{package}` was not found", hint=hint, said=said)


def _reason(error: BaseException) -> str:
    """The exception and where it came from: the last line outside of the import machinery."""
    where = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if (
            not file.startswith("<frozen")
            and file != __file__
            and not any(part in file for part in ("/importlib/", "/pydantic/"))
        ):
            where = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return sentence(error) + where


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"install it for {sys.executable}, or read the source only, with --static"
    return ""
