"""The functions of a package as arguments of its tasks: schema, description, and where each argument stands."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trivet.contracts.fractal.authoring import docstrings, sources
from trivet.contracts.fractal.authoring.arguments import SignatureError, argument_schema
from trivet.contracts.fractal.authoring.attributes import AttributeTexts
from trivet.contracts.fractal.authoring.loading import Modules, TaskFunction
from trivet.contracts.fractal.authoring.refused import RefusedError, sentence


class Made(NamedTuple):
    """What came of one executable: the schema or why there is none, and the section of ``docs_info`` for it.

    ``file`` and ``lines`` say where the arguments stand; lines are looked up when they are asked for.
    """

    schema: dict[str, Any] | None
    refused: tuple[RefusedError, ...]
    docs: str
    file: str
    lines: Callable[[], Mapping[str, int]]


class Arguments:
    """Makes the schemas of a package's functions; sources are read once."""

    def __init__(self, modules: Modules, older: bool, compatible: bool, input_models: Sequence[Any] = ()) -> None:
        self.modules = modules
        self.older = older
        self.compatible = compatible
        self.input_models = input_models
        self.files = sources.Sources()
        self.texts = AttributeTexts(self.files)

    def of(self, executable: str) -> Made:
        """What comes of an executable. Never raises for what is bad in it."""
        try:
            found = self.modules.function(executable)
        except RefusedError as error:
            return Made(None, (error,), "", str(self.modules.root / executable), dict)
        refused = list(found.unresolved)
        described = docstrings.NOTHING
        try:
            described = docstrings.read(self._docstring(found), self.compatible)
        except RefusedError as error:
            refused.append(error)
        except ValueError as error:
            refused.append(RefusedError("F073", str(error)))
        schema = None
        told: list[str] = []
        try:
            schema = self._schema(found, described.arguments, told)
        except Exception as error:  # pydantic's errors have no common base, and default factories run
            refused[:0] = self._reasons(found, error)
        if described.fault:
            said = "AttributeError: 'NoneType' object has no attribute 'replace'"
            refused.append(RefusedError("F073", described.fault, hint="leave `--compat` out to do without", said=said))
        refused += [RefusedError("F087", one, severity="warning") for one in told]
        docs = f"## {found.name}\n{described.text}\n"
        return Made(schema, tuple(refused), docs, _file(found), lambda: self._lines(found))

    def _schema(self, found: TaskFunction, descriptions: Mapping[str, str], told: list[str]) -> dict[str, Any]:
        if not self.older:
            return argument_schema(found.function, descriptions, self.texts, self.compatible, told=told)
        from trivet.contracts.fractal.authoring import older

        return older.argument_schema(
            found.function, descriptions, self.texts, self.compatible, self.input_models, self.modules.root, told
        )

    def _node(self, found: TaskFunction) -> sources.Function | None:
        try:
            return self.files[str(found.path) if self.compatible else _file(found)].function(found.name)
        except (OSError, SyntaxError, ValueError):
            return None

    def _lines(self, found: TaskFunction) -> Mapping[str, int]:
        node = self._node(found)
        return {} if node is None else sources.lines_of(node)

    def _docstring(self, found: TaskFunction) -> str | None:
        """The docstring of the function; read compatibly, that of the first ``def`` of its name in its file."""
        if not self.compatible:
            inner = inspect.unwrap(found.function)
            return None if inner.__doc__ is None else inspect.cleandoc(inner.__doc__)
        node = self._node(found)
        if isinstance(node, ast.FunctionDef):
            return ast.get_docstring(node)
        message = f"{found.path.name} has no `def {found.name}` of its own"
        raise RefusedError("F073", message, hint="leave `--compat` out to do without", said="StopIteration")

    def _reasons(self, found: TaskFunction, error: Exception) -> list[RefusedError]:
        """Why a function has no schema: one reason for each argument that has none, where they can be told apart."""
        if isinstance(error, RefusedError):
            return [error]
        if isinstance(error, ExceptionGroup) and error.subgroup(RefusedError):
            return [one for one in error.exceptions if isinstance(one, RefusedError)]
        if isinstance(error, SignatureError):
            return [RefusedError("F066", str(error), said="KeyError: 'properties'")]
        reasons = [*_unnameable(found.function), *_unresolved(found.function)]
        if not reasons:
            for name in inspect.signature(found.function).parameters:
                alone = self._alone(found.function, name)
                if alone is not None:
                    reasons.append(_reason(alone, name))
        return reasons or [_reason(error)]

    def _alone(self, function: Callable[..., Any], name: str) -> Exception | None:
        """What is wrong with one argument when the others are left out."""
        from trivet.contracts.fractal.authoring import generating

        try:
            generating.raw_schema(function, self.texts, told=[], only=name)
        except Exception as error:  # the same as for all arguments together
            return error
        return None


def _unnameable(function: Callable[..., Any]) -> Iterator[RefusedError]:
    """Arguments that can't be passed by name."""
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            message = "arguments of a task are passed by name, which this one can't be"
            hint = "a decorator without functools.wraps hides the arguments of the function" if name == "args" else ""
            yield RefusedError("F066", message, argument=name, hint=hint, said="KeyError: 'properties'")


def _unresolved(function: Callable[..., Any]) -> Iterator[RefusedError]:
    """Annotations written as text that name nothing in the function's module."""
    inner = inspect.unwrap(function)
    for name, annotation in sources.declared(inner).items():
        try:
            typing.get_type_hints(_Annotated(name, annotation), inner.__globals__)
        except Exception as error:  # any expression may stand there
            what = "the returned value" if name == "return" else f"`{name}`"
            message = f"the annotation of {what} can't be resolved: {sentence(error)}"
            hint = "import the name where the module is imported, too, not only for type checkers"
            yield RefusedError("F067", message, argument="" if name == "return" else name, hint=hint, said=error)


class _Annotated:
    """Something with one annotation."""

    def __init__(self, name: str, annotation: Any) -> None:
        self.__annotations__ = {name: annotation}


def _reason(error: Exception, argument: str = "") -> RefusedError:
    module = type(error).__module__
    if isinstance(error, SignatureError):
        return RefusedError("F066", str(error), argument=argument, said="KeyError: 'properties'")
    if module.startswith(("pydantic.", "pydantic_core.")):
        text = " ".join(str(error).split("\n\nFor further information")[0].split()).partition(" Set `arbitrary")[0]
        hint = "annotate it with a type that has a JSON form, or derive one with pydantic.WithJsonSchema"
        return RefusedError("F068", f"its type has no JSON Schema: {text}", argument=argument, hint=hint, said=error)
    hint = "a default factory raised it, or a type that makes its schema itself"
    return RefusedError(
        "F069", f"its schema can't be made: {sentence(error)}", argument=argument, hint=hint, said=error
    )


def _file(found: TaskFunction) -> str:
    return str(inspect.unwrap(found.function).__code__.co_filename)
