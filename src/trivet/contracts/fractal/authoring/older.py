"""Schemas of the generation ``pydantic_v2``, as version 0.4 of the public tool made them (manifest tools, 3.12)."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue, NoDefault
from pydantic_core import PydanticUndefined, core_schema

from trivet.contracts.fractal.authoring import arguments, docstrings, sources
from trivet.contracts.fractal.authoring.attributes import AttributeTexts
from trivet.contracts.fractal.authoring.generating import ArgumentSchemas
from trivet.contracts.fractal.authoring.refused import RefusedError
from trivet.contracts.fractal.lint.walk import FORBIDDEN_NAMES

_DEEPEST = 7
_ABSENT = inspect.Parameter.empty


class OlderSchemas(ArgumentSchemas):
    """Optional values are described as if they could not be null, and defaults of null are left out."""

    def get_flattened_anyof(self, schemas: list[JsonSchemaValue]) -> JsonSchemaValue:
        if {"type": "null"} in schemas:
            schemas.remove({"type": "null"})
        return super().get_flattened_anyof(schemas)

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        if "default" in schema and schema["default"] is None:
            return NoDefault
        return super().get_default_value(schema)


def argument_schema(
    function: Callable[..., Any],
    descriptions: Mapping[str, str],
    texts: AttributeTexts,
    compatible: bool,
    models: Sequence[Any] = (),
    root: Path = Path(),
    told: list[str] | None = None,
) -> dict[str, Any]:
    """The schema of a function's arguments; ``models`` are the `INPUT_MODELS` of the package in directory ``root``.

    Raises a group of RefusedErrors for arguments that this generation can't express, RefusedError for ``models``, and
    what `arguments.argument_schema` raises.
    """
    refused: list[RefusedError] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in FORBIDDEN_NAMES:
            message = f"Function {function} has argument with forbidden name '{parameter.name}'"
            refused.append(
                RefusedError("F078", message, argument=parameter.name, hint="give the argument another name")
            )
        for message in _unions(parameter.name, parameter.annotation, parameter.default, 0):
            refused.append(RefusedError("F078", message, argument=parameter.name))
    if refused:
        raise ExceptionGroup("arguments that this generation can't express", refused)
    schema = arguments.argument_schema(function, descriptions, texts, compatible, OlderSchemas, told)
    _describe_attributes(schema.get("$defs", {}), models, root)
    return schema


def _unions(name: str, hint: Any, default: Any, level: int) -> Iterator[str]:
    """What is wrong with a hint that is a union, or a model whose attributes have such hints."""
    if level >= _DEEPEST:
        yield f"recursion_level={level} reached {_DEEPEST}."
        return
    if isinstance(default, FieldInfo):
        default = _default_of(default)
    annotated = typing.get_origin(hint) is typing.Annotated
    tagged = annotated and any(
        isinstance(one, FieldInfo) and one.discriminator is not None for one in hint.__metadata__
    )
    plain = hint.__origin__ if annotated else hint
    if typing.get_origin(plain) in (typing.Union, types.UnionType) and not tagged:
        members = typing.get_args(plain)
        if len(members) != 2:
            yield f"Only unions of two elements are supported, but parameter '{name}' has type hint '{plain}'."
        elif type(None) not in members:
            yield f"One union element must be None, but parameter '{name}' has type hint '{plain}'."
        elif default is not None and default is not _ABSENT:
            yield (
                f"Non-None default not supported, but parameter '{name}' has type hint '{plain}' and default {default}."
            )
    if type(hint) is type(BaseModel):
        for attribute, info in hint.model_fields.items():
            inner = sources.declared(hint).get(attribute, info.annotation)
            yield from _unions(f"{name}['{attribute}']", inner, _default_of(info), level + 1)


def _default_of(info: FieldInfo) -> Any:
    if info.default is not PydanticUndefined:
        return info.default
    if info.default_factory is None or info.default_factory_takes_validated_data:
        return _ABSENT
    return typing.cast("Callable[[], Any]", info.default_factory)()


def _describe_attributes(definitions: Mapping[str, Any], models: Sequence[Any], root: Path) -> None:
    """Describe attributes that nothing else describes by the docstrings of the classes that were listed."""
    names = [model[2] for model in models]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        message = f"`INPUT_MODELS` names the class {', '.join(doubled)} more than once"
        raise RefusedError("F079", message)
    for _, path, name in models:
        if name not in definitions:
            continue
        texts = _class_texts(root / path, name)
        for attribute, schema in definitions[name].get("properties", {}).items():
            if "description" not in schema:
                if attribute not in texts:
                    message = f"the docstring of `{name}` in {path} does not describe the attribute `{attribute}`"
                    raise RefusedError("F079", message, said=f"KeyError: {attribute!r}")
                schema["description"] = texts[attribute]


def _class_texts(path: Path, name: str) -> Mapping[str, str]:
    """What the docstring of a class says of each attribute."""
    import ast

    try:
        tree = sources.SourceFile(path).tree
    except (OSError, SyntaxError, ValueError) as error:
        raise RefusedError("F079", f"the file {path} of `INPUT_MODELS` can't be read: {error}", said=error) from None
    found = next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name), None)
    if found is None:
        raise RefusedError("F079", f"Cannot find class_name={name!r} in {path}.")
    texts = docstrings.read(ast.get_docstring(found), compatible=True).arguments
    return {attribute: text or arguments.MISSING for attribute, text in texts.items()}
