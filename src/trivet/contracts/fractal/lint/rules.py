"""The public tool's rules as data: what each means, what the public form can't show because of it, how to write it.

The examples are whole functions of a task; `scripts/write_reference.py` makes a page of them, and tests hold every
example against the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trivet.contracts.fractal.lint.walk import FORBIDDEN_NAMES


class Rule(NamedTuple):
    """One rule: ``what`` follows "… is" or "… has" in a sentence, ``unseen`` and ``rewrite`` are sentences.

    ``wrong`` and ``right`` are Python without their imports, the task function last.
    """

    title: str
    what: str
    unseen: str
    rewrite: str
    wrong: str
    right: str


RULES: Mapping[str, Rule] = {
    "E01": Rule(
        "Forbidden name",
        "carries a `name` that stands for parts of a signature",
        "By such names older generators described `*args` and `**kwargs`, for which no form can ask.",
        "leave the key `name` out of the schema, and give the argument another name",
        """
def blur(zarr_url: str, sigma: float = Field(1.0, json_schema_extra={"name": "kwargs"})): ...
""",
        """
def blur(zarr_url: str, sigma: float = 1.0): ...
""",
    ),
    "E02": Rule(
        "Keyword `definitions`",
        "has the keyword `definitions`",
        "Models stand in `$defs` today; `definitions` is the word of an older one, and nothing in it is checked.",
        "let pydantic 2 write the schema, and don't add `definitions` by hand",
        """
class Options(BaseModel):
    model_config = ConfigDict(json_schema_extra={"definitions": {}})
    sigma: float = 1.0

def blur(zarr_url: str, options: Options): ...
""",
        """
class Options(BaseModel):
    sigma: float = 1.0

def blur(zarr_url: str, options: Options): ...
""",
    ),
    "E03": Rule(
        "Choices of several types",
        "has choices of more than one type",
        "A drop-down list holds values of one type: it can't tell the number 1 from the text 1.",
        "give all choices the same type, and another name to the one that means none of them",
        """
def resize(zarr_url: str, level: Literal[0, 1, "all"] = 0): ...
""",
        """
def resize(zarr_url: str, level: Literal["0", "1", "all"] = "0"): ...
""",
    ),
    "E04": Rule(
        "No type",
        "has no type",
        "Without a type there is no field to draw, so that no value can be given.",
        "write what it may be: `list[int]` for a list, a model, or `dict[str, Any]` for free content",
        """
def measure(zarr_url: str, channels: list, extra=None): ...
""",
        """
def measure(zarr_url: str, channels: list[int], extra: str | None = None): ...
""",
    ),
    "E05": Rule(
        "Boolean without a default",
        "is a boolean without a default",
        "A switch has two positions and none that means “not chosen yet”: the form starts it at false, chosen or not.",
        "give it a default, or make the question a `Literal` of two words where nobody must overlook it",
        """
def threshold(zarr_url: str, invert: bool): ...
""",
        """
def threshold(zarr_url: str, invert: bool = False): ...
""",
    ),
    "E06": Rule(
        "Object of booleans",
        "is an object whose values are booleans",
        "A new entry needs a value to begin with, and a switch has none that means “not chosen yet”.",
        "take a list of the names that are true: `list[str]`, or of a `Literal` when they are known",
        """
def export(zarr_url: str, tables: dict[str, bool] = {"nuclei": True, "cells": False}): ...
""",
        """
def export(zarr_url: str, tables: list[str] = ["nuclei"]): ...
""",
    ),
    "E07": Rule(
        "Empty text as default",
        "has an empty text in its default",
        "An empty text field means null, so that the task would not get the empty text that the form seems to show.",
        "make it `str | None = None`, or a default that says something",
        """
def save(zarr_url: str, suffix: str = ""): ...
""",
        """
def save(zarr_url: str, suffix: str | None = None): ...
""",
    ),
    "E08": Rule(
        "Boolean in a tuple",
        "is a tuple with a boolean in it",
        "All fields of a tuple are there from the start, and a switch has no position that means “not chosen yet”.",
        "take the boolean out, as an argument with a default, or make a model of the tuple",
        """
def crop(zarr_url: str, window: tuple[int, int, bool] = (0, 512, True)): ...
""",
        """
def crop(zarr_url: str, window: tuple[int, int] = (0, 512), clip: bool = True): ...
""",
    ),
    "E10": Rule(
        "Boolean or null",
        "is a boolean that may be null",
        "A switch has two positions; there is no third for null.",
        "make it a boolean with a default, or a `Literal` of three words",
        """
def register(zarr_url: str, use_masks: bool | None = None): ...
""",
        """
def register(zarr_url: str, use_masks: Literal["yes", "no", "auto"] = "auto"): ...
""",
    ),
    "E11": Rule(
        "Choices or null",
        "is a list of choices that may be null",
        "In a drop-down list, “Select…” means that nothing was chosen yet; there is no entry for null.",
        "add a word for “none of them” to the choices, and make it the default",
        """
def project(zarr_url: str, method: Literal["max", "mean"] | None = None): ...
""",
        """
def project(zarr_url: str, method: Literal["max", "mean", "none"] = "none"): ...
""",
    ),
    "E12": Rule(
        "Enumeration or null",
        "is an enumeration that may be null",
        "In a drop-down list, “Select…” means that nothing was chosen yet; there is no entry for null.",
        "add a member for “none of them” to the enumeration, and make it the default",
        """
class Method(Enum):
    MAX = "max"
    MEAN = "mean"

def project(zarr_url: str, method: Method | None = None): ...
""",
        """
class Method(Enum):
    MAX = "max"
    MEAN = "mean"
    NONE = "none"

def project(zarr_url: str, method: Method = Method.NONE): ...
""",
    ),
    "E13": Rule(
        "Union of plain types",
        "may be one of several plain types",
        "The form can't ask which of the types is meant; it shows the raw JSON and an error.",
        "choose one type (`float` takes whole numbers, too), or a model for each in a tagged union",
        """
def rescale(zarr_url: str, factor: int | float = 2): ...
""",
        """
def rescale(zarr_url: str, factor: float = 2): ...
""",
    ),
    "E14": Rule(
        "Union of models without a tag",
        "may be one of several models",
        "Nothing in the value says which model it is; the form shows the raw JSON and an error.",
        "give each model a `Literal` of its own under one name, and name it: `Field(discriminator=…)`",
        """
class Otsu(BaseModel):
    bins: int = 256

class Fixed(BaseModel):
    level: float

def segment(zarr_url: str, method: Otsu | Fixed): ...
""",
        """
class Otsu(BaseModel):
    kind: Literal["otsu"] = "otsu"
    bins: int = 256

class Fixed(BaseModel):
    kind: Literal["fixed"] = "fixed"
    level: float

def segment(zarr_url: str, method: Annotated[Otsu | Fixed, Field(discriminator="kind")]): ...
""",
    ),
    "E15": Rule(
        "Union of more than two",
        "is a union of more than two",
        "The form knows one type, or one type and null; it shows the raw JSON and an error.",
        "choose one type, or a model for each in a tagged union",
        """
def tile(zarr_url: str, sizes: list[int] | dict[str, int] | None = None): ...
""",
        """
def tile(zarr_url: str, sizes: dict[str, int] | None = None): ...
""",
    ),
    "E20": Rule(
        "`oneOf` beside `items`, without a tag",
        "has `oneOf` beside `items` that name no tag",
        "Nothing in the value says which of the schemas is meant; the form shows the raw JSON and an error.",
        "write a list of a tagged union: `list[Annotated[A | B, Field(discriminator=…)]]`",
        """
class Step(BaseModel):
    sigma: float = 1.0

Steps = Annotated[list[Step], WithJsonSchema({"type": "array", "items": {"type": "object"}, "oneOf": []})]

def process(zarr_url: str, steps: Steps): ...
""",
        """
class Blur(BaseModel):
    kind: Literal["blur"] = "blur"
    sigma: float = 1.0

class Clip(BaseModel):
    kind: Literal["clip"] = "clip"
    highest: float

def process(zarr_url: str, steps: list[Annotated[Blur | Clip, Field(discriminator="kind")]]): ...
""",
    ),
    "E21": Rule(
        "`oneOf` without a tag",
        "has `oneOf` that names no tag",
        "Nothing that the form understands says which of the schemas is meant; it shows the raw JSON and an error.",
        'name an attribute instead of a function: `Field(discriminator="kind")`',
        """
class Blur(BaseModel):
    kind: Literal["blur"] = "blur"

class Clip(BaseModel):
    kind: Literal["clip"] = "clip"

def kind_of(value): return value["kind"] if isinstance(value, dict) else value.kind

Step = Annotated[Annotated[Blur, Tag("blur")] | Annotated[Clip, Tag("clip")], Discriminator(kind_of)]

def process(zarr_url: str, step: Step): ...
""",
        """
class Blur(BaseModel):
    kind: Literal["blur"] = "blur"

class Clip(BaseModel):
    kind: Literal["clip"] = "clip"

def process(zarr_url: str, step: Annotated[Blur | Clip, Field(discriminator="kind")]): ...
""",
    ),
    "E22": Rule(
        "Plain schema in `oneOf`",
        "has a member of `oneOf` that is no reference to a model",
        "The form offers the members by their tags, which only models have.",
        "make every member a model with a tag",
        """
Size = Annotated[
    int | str,
    WithJsonSchema({"oneOf": [{"type": "integer"}, {"type": "string"}], "discriminator": {"propertyName": "kind"}}),
]

def resize(zarr_url: str, size: Size): ...
""",
        """
class Pixels(BaseModel):
    kind: Literal["pixels"] = "pixels"
    count: int

class Named(BaseModel):
    kind: Literal["named"] = "named"
    name: str

def resize(zarr_url: str, size: Annotated[Pixels | Named, Field(discriminator="kind")]): ...
""",
    ),
}
"""Every rule by its code, in the order in which the public tool tests them."""

INTERNAL = "the public tool ends with an error of its own here, since it can't follow the reference: "
"""What is said of I90, I91 and I92."""

OWN: Mapping[str, str] = {
    "F040": f"an argument is called one of {', '.join(f'`{name}`' for name in FORBIDDEN_NAMES)}, which the "
    "documentation of the public tool forbids; E01 finds the key `name` in a schema only",
    "F041": "a rule is broken where the public tool does not look: in tuples, values of dictionaries, tagged unions",
    "F042": "a type hint has a dictionary whose keys are no text, such as `dict[int, str]`; the schema has no trace of "
    "it, so that it is found in the Python source only",
    "F043": "a dictionary has rules for its keys, which the form does not draw",
    "F044": "the public tool ends with an error of its own, at a list of schemas or `false` where it expects a schema",
}
"""Findings of our own by their codes."""
