"""JSON Schemas made by pydantic, with the public tool's rules for defaults and the texts of attributes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from math import isfinite
from typing import Any, Literal, cast

from pydantic import VERSION, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind, NoDefault
from pydantic_core import core_schema

from trivet.contracts.fractal.authoring import titles
from trivet.contracts.fractal.authoring.attributes import SETTING, AttributeTexts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # experimental in pydantic 2.11 and 2.12, and said so at every import
    from pydantic.experimental.arguments_schema import generate_arguments_schema

_SETS_IN_ANY_ORDER = tuple(map(int, VERSION.split(".")[:2])) < (2, 13)
"""Later ones sort sets; without it no two manifests would be equal."""
_JSON_ALREADY = (bool, int, str, type(None))


def raw_schema(
    function: Callable[..., Any],
    texts: AttributeTexts,
    generator: type[ArgumentSchemas] | None = None,
    told: list[str] | None = None,
    only: str | None = None,
) -> JsonSchemaValue:
    """The schema of a function's arguments, or of one of them, as pydantic has it (manifest tools, 3.3 to 3.8).

    Raises what pydantic raises for types without a schema, what a default factory raises, and NameError for
    annotations that can't be resolved. Defaults that JSON has no form for are left out; ``told`` gets a sentence each.
    """
    config = ConfigDict(field_title_generator=titles.of_argument)

    def chosen(_: int, name: str, __: Any) -> Literal["skip"] | None:
        return None if name == only else "skip"

    callback = None if only is None else chosen
    core = generate_arguments_schema(function, schema_type="arguments", parameters_callback=callback, config=config)
    return (generator or ArgumentSchemas)(texts, told).generate(core, mode="validation")


class ArgumentSchemas(GenerateJsonSchema):
    """The generation ``fractal_schema_v1``: every default is written, null included, and factories are called."""

    def __init__(self, texts: AttributeTexts, told: list[str] | None = None) -> None:
        super().__init__()
        self._told = told
        self._texts = texts
        self._classes: list[tuple[type, bool]] = []

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        if self._told is None:
            super().emit_warning(kind, detail)
        elif kind not in self.ignored_warning_kinds:
            self._told.append(detail)

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        if "default" in schema:
            return schema["default"]
        if "default_factory" not in schema or schema.get("default_factory_takes_data"):
            return NoDefault
        return cast("Callable[[], Any]", schema["default_factory"])()

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        # Most of a schema has neither metadata nor a reference: then this is all that pydantic's way comes down to.
        if "ref" not in schema and not schema.get("metadata"):
            return self._schema_type_to_method[schema["type"]](schema)
        return super().generate_inner(schema)

    def encode_default(self, dft: Any) -> Any:
        # What is JSON already need not be taken through an adapter made for it; that is most defaults.
        if type(dft) in _JSON_ALREADY or (type(dft) is float and isfinite(dft)):
            return dft
        if type(dft) in (list, dict) and not dft:
            return type(dft)()
        if isinstance(dft, Enum) and not hasattr(type(dft), "__get_pydantic_core_schema__"):
            return self.encode_default(dft.value)
        encoded = super().encode_default(dft)
        if _SETS_IN_ANY_ORDER and isinstance(dft, set | frozenset):
            with suppress(TypeError):
                return sorted(encoded)
        return encoded

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        cls = schema["cls"]
        with self._inside(cls, bool(getattr(cls, "model_config", {}).get(SETTING, True))):
            made = super().model_schema(schema)
        if schema.get("root_model") and not cls.__doc__ and (text := self._texts.of(cls).get("root")):
            made.setdefault("description", text)  # of the one value that the model is
        return made

    def model_fields_schema(self, schema: core_schema.ModelFieldsSchema) -> JsonSchemaValue:
        fields = self._described(schema["fields"])
        return super().model_fields_schema(cast("core_schema.ModelFieldsSchema", {**schema, "fields": fields}))

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        cls = schema.get("cls")
        if cls is None:
            return super().typed_dict_schema(schema)
        with self._inside(cls, self._says(cls)):
            fields = self._described(schema["fields"])
            return super().typed_dict_schema(cast("core_schema.TypedDictSchema", {**schema, "fields": fields}))

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        cls = schema["cls"]
        with self._inside(cls, self._says(cls)):
            return super().dataclass_schema(schema)

    def dataclass_args_schema(self, schema: core_schema.DataclassArgsSchema) -> JsonSchemaValue:
        named = {field["name"]: field for field in schema["fields"]}
        fields = list(self._described(named).values())
        return super().dataclass_args_schema(cast("core_schema.DataclassArgsSchema", {**schema, "fields": fields}))

    def _build_definitions_remapping(self) -> Any:
        # pydantic compares all definitions in full to find those that may share a name. None can where all names
        # differ, and this takes a tenth of the time of a manifest.
        simple = [choices[0] for ref, choices in self._prioritized_defsref_choices.items() if ref in self.definitions]
        if len(set(simple)) < len(simple):
            return super()._build_definitions_remapping()
        definitions, self.definitions = self.definitions, {ref: {} for ref in self.definitions}
        try:
            return super()._build_definitions_remapping()
        finally:
            self.definitions = definitions

    def _says(self, cls: type) -> bool:
        """Whether the texts of a class that is no model are read: as its configuration says, else that around it."""
        config = getattr(cls, "__pydantic_config__", None)
        if config is not None:
            return bool(config.get(SETTING))
        return bool(self._classes and self._classes[-1][1])

    @contextmanager
    def _inside(self, cls: type, read: bool) -> Iterator[None]:
        """A class whose fields follow; ``read`` is what it says of texts to the classes within it."""
        self._classes.append((cls, read))
        try:
            yield
        finally:
            self._classes.pop()

    def _described(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields with the texts below their attributes as descriptions, where they have none."""
        if not self._classes:
            return fields
        cls, read = self._classes[-1]
        texts = self._texts.of(cls) if read or hasattr(cls, "model_config") else {}
        if not texts:
            return fields
        return {name: _with_description(field, texts.get(name)) for name, field in fields.items()}


def _with_description(field: dict[str, Any], text: str | None) -> dict[str, Any]:
    metadata = field.get("metadata") or {}
    updates = metadata.get("pydantic_js_updates") or {}
    if text is None or "description" in updates:
        return field
    return {**field, "metadata": {**metadata, "pydantic_js_updates": {**updates, "description": text}}}
