"""Manifests of version 1 in version 2: what is kept, what is told, and that the result is a good manifest."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import fractal
from trivet.contracts.fractal.upgrading import modern, write
from trivet.contracts.source import Source
from trivet.packages.manifests import in_wheel
from trivet.tasks.document import Document
from trivet.tasks.problem import ProblemsError, has_errors

Read = Callable[[Any], Document]

ARGUMENTS = {
    "title": "Blur",
    "type": "object",
    "properties": {
        "input_paths": {"type": "array", "items": {"type": "string"}},
        "output_path": {"type": "string"},
        "component": {"type": "string"},
        "metadata": {"type": "object"},
        "sigma": {"title": "Sigma", "type": "number"},
        "mode": {"title": "Mode", "default": "a", "allOf": [{"$ref": "#/definitions/Mode"}]},
        "size": {"type": "array", "minItems": 2, "maxItems": 2, "items": [{"type": "integer"}, {"type": "integer"}]},
    },
    "required": ["input_paths", "output_path", "component", "metadata", "sigma"],
    "additionalProperties": False,
    "definitions": {"Mode": {"type": "string", "enum": ["a", "b"]}},
}


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "executable": f"{name}.py", "input_type": "zarr", "output_type": "zarr", **more}


def old(*tasks: Any, **top: Any) -> dict[str, Any]:
    return {"manifest_version": "1", "task_list": list(tasks), **top}


def test_a_task_on_images_becomes_a_parallel_task(read: Read) -> None:
    meta = {"cpus_per_task": 2, "parallelization_level": "image"}
    document = read(
        old(
            task("blur", meta=meta, args_schema=ARGUMENTS, docs_info="Blurs.", docs_link="https://example.org"),
            has_args_schemas=True,
            args_schema_version="pydantic_v1",
        )
    )
    written = write(document)
    assert json.loads(written.files["__FRACTAL_MANIFEST__.json"]) == {
        "manifest_version": "2",
        "task_list": [
            {
                "name": "blur",
                "type": "parallel",
                "executable_parallel": "blur.py",
                "meta_parallel": {"cpus_per_task": 2},
                "args_schema_parallel": {
                    "title": "Blur",
                    "type": "object",
                    "properties": {
                        "zarr_url": {
                            "type": "string",
                            "title": "Zarr Url",
                            "description": "The image to be processed.",
                        },
                        "sigma": {"title": "Sigma", "type": "number"},
                        "mode": {"title": "Mode", "default": "a", "$ref": "#/$defs/Mode"},
                        "size": {
                            "type": "array",
                            "minItems": 2,
                            "maxItems": 2,
                            "prefixItems": [{"type": "integer"}, {"type": "integer"}],
                        },
                    },
                    "required": ["zarr_url", "sigma"],
                    "additionalProperties": False,
                    "$defs": {"Mode": {"type": "string", "enum": ["a", "b"]}},
                },
                "docs_info": "Blurs.",
                "docs_link": "https://example.org",
            }
        ],
        "has_args_schemas": True,
        "args_schema_version": "pydantic_v2",
        "authors": None,
    }
    told = [(problem.code, problem.path[2:]) for problem in written.lost]
    assert told == [("F053", ("input_type",)), ("F053", ("output_type",)), ("F052", ("executable",))]
    assert {problem.severity for problem in written.lost} == {"warning"}


@pytest.mark.parametrize(
    ("given", "kind", "supplied"),
    [
        (task("a"), "non_parallel", ["zarr_urls", "zarr_dir"]),
        (task("a", input_type="Any"), "non_parallel", ["zarr_urls", "zarr_dir"]),
        (task("a", input_type="image"), "converter_non_parallel", ["zarr_dir"]),
    ],
)
def test_other_tasks_become_tasks_on_lists_or_converters(given: Any, kind: str, supplied: Any, read: Read) -> None:
    schema = {"type": "object", "properties": {"metadata": {"type": "object"}}, "required": ["metadata"]}
    written = write(read(old({**given, "args_schema": schema}, has_args_schemas=True)))
    (entry,) = json.loads(written.files["__FRACTAL_MANIFEST__.json"])["task_list"]
    assert (entry["type"], list(entry["args_schema_non_parallel"]["properties"])) == (kind, supplied)
    assert entry["args_schema_non_parallel"]["required"] == supplied


def test_what_version_2_has_no_words_for_is_told(read: Read) -> None:
    written = write(
        read(
            old(
                task("wells", meta={"parallelization_level": "well"}),
                task("plates", meta={"parallelization_level": "plate"}),
                task("gpu", meta={"executor": "gpu", "parallelization_level": "image"}, colour="red"),
                origin="here",
            )
        )
    )
    kept = json.loads(written.files["__FRACTAL_MANIFEST__.json"])
    assert [entry["name"] for entry in kept["task_list"]] == ["gpu"]
    assert "meta_parallel" not in kept["task_list"][0]
    told = {(problem.code, problem.path) for problem in written.lost}
    assert told >= {
        ("F051", ("task_list", 0, "meta", "parallelization_level")),
        ("F051", ("task_list", 1, "meta", "parallelization_level")),
        ("F053", ("task_list", 2, "meta", "executor")),
        ("F053", ("task_list", 2, "colour")),
        ("F053", ("origin",)),
    }


def test_a_manifest_of_which_nothing_can_be_kept_is_refused(read: Read) -> None:
    with pytest.raises(ProblemsError) as refused:
        write(read(old(task("wells", meta={"parallelization_level": "well"}))))
    assert [problem.code for problem in refused.value.problems] == ["F051"]


def test_a_manifest_with_errors_is_refused_with_all_of_them(read: Read) -> None:
    with pytest.raises(ProblemsError) as refused:
        write(read(old({"name": "x"}, {"executable": "y.py"})))
    assert len(refused.value.problems) == 6


def test_a_manifest_of_version_2_stays_what_it_is(read: Read) -> None:
    data = {"manifest_version": "2", "task_list": [{"name": "T", "executable_parallel": "t.py"}], "authors": "Ä"}
    written = write(read(data))
    assert json.loads(written.files["__FRACTAL_MANIFEST__.json"]) == data
    assert written.files["__FRACTAL_MANIFEST__.json"].isascii()
    assert written.lost == ()


def test_what_is_written_is_a_good_manifest(read: Read) -> None:
    meta = {"parallelization_level": "image"}
    document = read(old(task("a", args_schema=ARGUMENTS, meta=meta), task("b", args_schema={}), has_args_schemas=True))
    text = write(document).files["__FRACTAL_MANIFEST__.json"]
    again = fractal.read(Source("__FRACTAL_MANIFEST__.json", text, Path("/nowhere")))
    problems = fractal.check(again)
    assert not has_errors(problems)
    assert {problem.code for problem in problems} == {"F020"}
    assert [(one.name, one.repeats) for one in fractal.tasks(again)] == [("a", "zarr_url"), ("b", None)]


def test_a_property_called_like_a_keyword_is_no_keyword() -> None:
    schema = {
        "properties": {"definitions": {"type": "string", "default": {"definitions": 1}}, "items": {"enum": [[1]]}}
    }
    assert modern(schema) == schema


def test_scripts_that_cannot_be_read_from_a_wheel_are_found(tmp_path: Path) -> None:
    wheel = tmp_path / "some_tasks-1.0-py3-none-any.whl"
    entries = [{"name": name, "executable_parallel": f"{name}.py"} for name in ("good", "empty", "broken", "absent")]
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pkg/__FRACTAL_MANIFEST__.json", json.dumps({"manifest_version": "2", "task_list": entries}))
        archive.writestr("pkg/good.py", "def good(): ...")
        archive.writestr("pkg/empty.py", "")
        archive.writestr("pkg/broken.py", "def broken(): ...  # spoiled below")
    raw = wheel.read_bytes()
    wheel.write_bytes(raw.replace(b"def broken", b"def brokem"))
    (source,) = in_wheel(wheel)
    document = fractal.read(source)
    assert [(one.code, one.message.split("`")[1]) for one in fractal.verify(document)] == [
        ("F024", "empty.py"),
        ("F024", "broken.py"),
    ]
    assert [one.path for one in fractal.check(document) if one.code == "F020"] == [
        ("task_list", 3, "executable_parallel")
    ]
