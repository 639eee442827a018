"""Argument schemas against what the public tool makes of the same functions, byte for byte, in both generations."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import pydantic
import pytest

from trivet.contracts.fractal.authoring.functions import Arguments
from trivet.contracts.fractal.authoring.loading import Imported
from trivet.contracts.fractal.authoring.static import Sliced

from .conftest import Make, plain, vectors

VECTORS = vectors("schema")["vectors"]
NEWEST = pydantic.VERSION.startswith("2.14.")
OTHERS = {"2.11": "p2.11.7", "2.12": "p2.12.5", "2.13": "p2.13.3"}

pytestmark = [
    pytest.mark.skipif(not VECTORS, reason="the vectors are not here"),
    pytest.mark.filterwarnings("ignore::pydantic.json_schema.PydanticJsonSchemaWarning"),
]


def expected(vector: dict[str, Any]) -> dict[str, Any]:
    """What the public tool answers with the Python that runs and the pydantic that is installed."""
    answer = dict(vector["expected"])
    python = "py3.13.0" if sys.version_info >= (3, 13) else "py3.12.1" if sys.version_info >= (3, 12) else ""
    for other in (OTHERS.get(pydantic.VERSION[:4], ""), python):
        answer |= vector.get("differs_in", {}).get(other, {})
    return {key: value for key, value in answer.items() if value is not None}


def errors(made: Any) -> list[str]:
    return [str(one) for one in made.refused if one.severity == "error"]


def of(vector: dict[str, Any], make: Make, **how: Any) -> Any:
    name = vector["function"]
    make({f"{name}.py": vector["source"]}, name="ftcases")
    static = how.pop("static", False)
    modules = Sliced("ftcases") if static else Imported("ftcases")
    try:
        return Arguments(modules, **{"older": False, "compatible": True, **how}).of(f"{name}.py")
    finally:
        modules.close()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_schema_is_that_of_the_public_tool(vector: dict[str, Any], make: Make) -> None:
    made, wanted = of(vector, make), expected(vector)
    if "error" in wanted:
        assert errors(made)
        assert not wanted.get("docs_info") or made.docs == wanted["docs_info"] or made.schema is None
        return
    assert errors(made) == []
    assert json.dumps(plain(made.schema)) == json.dumps(wanted["schema"])
    assert made.docs == wanted["docs_info"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_schema_of_the_older_generation_is_that_of_the_older_tool(vector: dict[str, Any], make: Make) -> None:
    wanted = vector["pydantic_v2_generation"]
    if wanted == "same schema":
        wanted = expected(vector)
    elif "differs_in" in vector and not (NEWEST and sys.version_info < (3, 12)):
        pytest.skip("the vector is of another pydantic or Python")
    made = of(vector, make, older=True)
    if "error" in wanted:
        words = wanted["error"]["message"].replace("'functools.partial'", "'partial'")
        assert errors(made)
        if sys.version_info < (3, 12):  # later ones name types otherwise
            assert words.partition(".inner>")[0] in made.refused[0].said
    else:
        assert json.dumps(plain(made.schema)) == json.dumps(wanted["schema"])


DECORATED = {"sig_plain_decorator"}
"""Decorators are not executed when the source is read, so they can't hide a signature."""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_source_alone_gives_the_same_schema(vector: dict[str, Any], make: Make) -> None:
    made, wanted = of(vector, make, static=True), expected(vector)
    if vector["id"] in DECORATED:
        assert list(made.schema["properties"]) == ["zarr_url", "level"]
    elif "error" in wanted:
        assert errors(made)
    else:
        assert errors(made) == []
        assert json.dumps(plain(made.schema)) == json.dumps(wanted["schema"])


BETTER = {
    "doc_google_no_colon": ("a", "dash instead of a colon"),
    "doc_starts_with_args": ("a", "Lost, because the text is de-indented twice."),
}
"""Arguments whose descriptions the public tool loses."""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_our_own_schema_differs_in_descriptions_that_the_public_tool_loses_only(
    vector: dict[str, Any], make: Make
) -> None:
    wanted = expected(vector)
    if "error" in wanted:
        pytest.skip("there is no schema")
    made = of(vector, make, compatible=False)
    assert errors(made) == []
    schema = plain(made.schema)
    if vector["id"] in BETTER:
        name, text = BETTER[vector["id"]]
        assert schema["properties"][name]["description"] == text
    for definition, theirs in zip(
        schema.get("$defs", {}).values(), wanted["schema"].get("$defs", {}).values(), strict=True
    ):
        assert definition["description"]
        if theirs["description"] in (None, "Attributes:"):
            definition["description"] = theirs["description"]
    for name, argument in wanted["schema"]["properties"].items():
        if argument["description"] == "Missing description":
            schema["properties"][name]["description"] = "Missing description"
    assert json.dumps(schema) == json.dumps(wanted["schema"])


def test_nothing_is_warned_of_by_importing(make: Make) -> None:
    import importlib

    from trivet.contracts.fractal.authoring import generating

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(generating)
