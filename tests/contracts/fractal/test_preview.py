"""The page of forms: self-contained and harmless, and in a browser every legal construct gives the right arguments."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from trivet.contracts import fractal
from trivet.contracts.fractal import lint
from trivet.contracts.fractal.preview import MARK, page
from trivet.tasks.document import Document
from trivet.tasks.problem import ProblemsError

Read = Callable[[Any], Document]

NULL, NUMBER, INTEGER, TEXT = ({"type": name} for name in ("null", "number", "integer", "string"))
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "All",
    "properties": {
        "zarr_url": TEXT,
        "init_args": {"type": "object"},
        "name": {**TEXT, "title": "Name", "description": "Its `name`."},
        "count": {**INTEGER, "minimum": 1, "exclusiveMaximum": 10},
        "mode": {"$ref": "#/$defs/Mode"},
        "fixed": {**TEXT, "const": "one", "default": "one"},
        "flag": {"type": "boolean", "default": True},
        "numbers": {"type": "array", "items": NUMBER, "default": [1, 2]},
        "point": {"type": "array", "prefixItems": [INTEGER, NUMBER], "minItems": 2, "maxItems": 2, "default": [3, 4]},
        "corner": {
            "anyOf": [{"type": "array", "prefixItems": [NUMBER, TEXT], "minItems": 2, "maxItems": 2}, NULL],
            "default": None,
        },
        "maybe": {"anyOf": [INTEGER, NULL], "default": 7},
        "words": {"anyOf": [{"type": "array", "items": TEXT}, NULL], "default": None},
        "window": {"$ref": "#/$defs/Window"},
        "other": {"anyOf": [{"$ref": "#/$defs/Window"}, NULL], "default": None},
        "sizes": {"type": "object", "additionalProperties": INTEGER, "default": {"x": 1}},
        "free": {"type": "object", "additionalProperties": True, "default": {}},
        "method": {"$ref": "#/$defs/Method", "default": {"kind": "otsu", "bins": 128}},
        "methods": {"type": "array", "items": {"$ref": "#/$defs/Method"}, "default": []},
        "perhaps": {"anyOf": [{"$ref": "#/$defs/Method"}, NULL], "default": None},
        "anything": {"title": "Anything"},
        "pairs": {
            "type": "array",
            "items": {"type": "array", "prefixItems": [INTEGER, INTEGER], "minItems": 2, "maxItems": 2},
            "default": [],
        },
    },
    "required": ["zarr_url", "init_args", "name", "count", "mode", "window"],
    "additionalProperties": False,
    "$defs": {
        "Mode": {"type": "string", "enum": ["fast", "slow"]},
        "Window": {
            "type": "object",
            "properties": {"left": INTEGER, "deep": {"type": "boolean"}, "scale": {**NUMBER, "default": 0.5}},
            "required": ["left", "deep"],
        },
        "Otsu": {
            "type": "object",
            "title": "Otsu",
            "properties": {"kind": {**TEXT, "const": "otsu", "default": "otsu"}, "bins": {**INTEGER, "default": 256}},
        },
        "Fixed": {
            "type": "object",
            "title": "Fixed",
            "properties": {"kind": {**TEXT, "const": "fixed", "default": "fixed"}, "level": NUMBER},
            "required": ["level"],
        },
        "Method": {
            "oneOf": [{"$ref": "#/$defs/Otsu"}, {"$ref": "#/$defs/Fixed"}],
            "discriminator": {
                "propertyName": "kind",
                "mapping": {"otsu": "#/$defs/Otsu", "fixed": "#/$defs/Fixed"},
            },
        },
    },
}
BEGINNING = {
    "fixed": "one",
    "flag": True,
    "numbers": [1, 2],
    "point": [3, 4],
    "corner": None,
    "maybe": 7,
    "words": None,
    "window": {"deep": False, "scale": 0.5},
    "other": None,
    "sizes": {"x": 1},
    "free": {},
    "method": {"kind": "otsu", "bins": 128},
    "methods": [],
    "perhaps": None,
    "pairs": [],
}


def manifest(schema: Any = SCHEMA, version: str = "fractal_schema_v1", **more: Any) -> dict[str, Any]:
    entry = {"name": "All", "executable_parallel": "all.py", "args_schema_parallel": schema, **more}
    return {"manifest_version": "2", "args_schema_version": version, "task_list": [entry]}


def test_a_page_loads_nothing_and_shows_what_the_lint_finds(read: Read) -> None:
    text = page(read(manifest()))
    assert MARK in text
    assert not re.search(
        r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    )
    assert "default-src 'none'" in text
    data = json.loads(re.findall(rf"<script [^>]*{MARK}>(.*?)</script>", text, re.S)[0])
    assert [note["code"] for note in data["tasks"][0]["notes"]] == ["E05", "E04"]


def test_no_text_of_a_manifest_becomes_a_part_of_the_page(read: Read) -> None:
    evil = "</script><script>alert(1)</script><!--"
    text = page(read({**manifest(docs_info=evil), "authors": evil}))
    assert evil not in text
    assert text.count("<script") == page(read(manifest())).count("<script")


def test_a_manifest_with_errors_gets_no_page(read: Read) -> None:
    with pytest.raises(ProblemsError) as refused:
        page(read(manifest({"properties": {"a": {"type": "nothing"}}})))
    assert [problem.code for problem in refused.value.problems] == ["F017"]


def test_a_manifest_of_version_1_gets_a_page(read: Read) -> None:
    entry = {
        "name": "Old",
        "executable": "o.py",
        "input_type": "a",
        "output_type": "b",
        "args_schema": {"type": "object"},
    }
    assert '"Old"' in page(read({"manifest_version": "1", "task_list": [entry]}))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Form:
    """The form of the only task of a page."""

    def __init__(self, browser: Any, text: str, place: Path) -> None:
        place.write_text(text, encoding="utf-8")
        self.faults: list[str] = []
        self.page = browser.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)
        self.page.on("request", lambda request: self.faults.append(request.url) if "file:" not in request.url else None)
        self.page.goto(place.as_uri())
        self.page.wait_for_selector("pre[data-part]")

    def field(self, name: str) -> Any:
        return self.page.locator(f"[id='t0-parallel_{name}']")

    def fill(self, name: str, value: str) -> None:
        self.field(name).fill(value)
        self.field(name).blur()

    def click(self, name: str) -> None:
        self.field(name).click()

    def choose(self, name: str, label: str) -> None:
        self.field(name).select_option(label=label)

    @property
    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.page.locator("pre[data-part]").inner_text())
        return found

    @property
    def errors(self) -> list[str]:
        return [text for text in self.page.locator("ul[data-errors] li").all_inner_texts() if text]


@pytest.mark.chromium
def test_every_construct_can_be_filled_in(read: Read, chromium: Any, tmp_path: Path) -> None:
    form = Form(chromium, page(read(manifest(docs_info="# Text <b>x</b>"))), tmp_path / "forms.html")
    assert form.arguments == BEGINNING
    assert len(form.errors) == 4
    assert form.field("zarr_url").count() == form.field("init_args").count() == 0

    form.fill("name", "cells")
    form.fill("count", "10")
    assert any("must be < 10" in error for error in form.errors)
    form.fill("count", "4")
    form.choose("mode", "slow")
    form.field("flag").uncheck()
    form.fill("numbers_1", "2.5")
    form.click("numbers_0__moveDown")
    form.click("numbers__add")
    form.fill("numbers_2", "9")
    form.click("numbers_1__remove")
    form.fill("point_1", "4.5")
    form.click("corner-set")
    form.fill("corner_0", "1.5")
    form.fill("corner_1", "left")
    form.fill("maybe", "")
    form.click("words-set")
    form.click("words__add")
    form.fill("words_0", "a")
    form.fill("window_left", "3")
    form.click("other-set")
    form.fill("other_left", "1")
    form.click("sizes__add")
    form.fill("sizes_newKey-key", "y")
    form.fill("sizes_y", "5")
    form.choose("method__oneof_select", "fixed")
    form.fill("method_level", "0.25")
    form.click("methods__add")
    form.click("perhaps-set")
    form.choose("perhaps__oneof_select", "fixed")
    form.fill("perhaps_level", "1")
    form.fill("anything", '{"a": [1, null]}')
    form.click("pairs__add")
    form.fill("pairs_0_0", "1")
    form.fill("pairs_0_1", "2")

    found = form.arguments
    assert found == {
        **BEGINNING,
        "name": "cells",
        "count": 4,
        "mode": "slow",
        "flag": False,
        "numbers": [2.5, 9],
        "point": [3, 4.5],
        "corner": [1.5, "left"],
        "maybe": None,
        "words": ["a"],
        "window": {"deep": False, "scale": 0.5, "left": 3},
        "other": {**found["other"], "left": 1},
        "sizes": {"x": 1, "y": 5},
        "method": {"kind": "fixed", "level": 0.25},
        "methods": [{"kind": "otsu", "bins": 256}],
        "perhaps": {"kind": "fixed", "level": 1},
        "anything": {"a": [1, None]},
        "pairs": [[1, 2]],
    }
    form.field("other_deep").check()
    form.click("words-unset")
    assert form.arguments["words"] is None
    assert form.errors == []
    whole = {**form.arguments, "zarr_url": "/a", "init_args": {}}
    assert list(jsonschema_rs.validator_for(SCHEMA).iter_errors(whole)) == []
    assert form.faults == []


@pytest.mark.chromium
def test_older_generations_are_kept_without_nulls(read: Read, chromium: Any, tmp_path: Path) -> None:
    form = Form(chromium, page(read(manifest(version="pydantic_v2"))), tmp_path / "forms.html")
    assert form.arguments == {key: value for key, value in BEGINNING.items() if value not in (None, {})}


@pytest.mark.chromium
def test_what_the_public_form_cannot_draw_is_json(read: Read, chromium: Any, tmp_path: Path) -> None:
    properties = {"a": {"anyOf": [INTEGER, TEXT], "default": 1}, "b": {"oneOf": [INTEGER, TEXT]}}
    document = read(manifest({"type": "object", "properties": properties}))
    assert {problem.code for problem in lint.check(document)} >= {"E13", "E21"}
    form = Form(chromium, page(document), tmp_path / "forms.html")
    form.fill("a", '"text"')
    form.fill("b", "[")
    assert form.arguments == {"a": "text"}
    assert form.page.get_by_text("this is not JSON").count() == 1
    assert form.page.get_by_text("fractal-web shows the JSON").count() == 2
    assert form.faults == []


@pytest.mark.chromium
def test_a_task_without_schema_and_an_empty_package_have_pages(read: Read, chromium: Any, tmp_path: Path) -> None:
    bare = {"manifest_version": "2", "task_list": [{"name": "Bare", "executable_parallel": "b.py"}]}
    form = Form(chromium, page(read(bare)), tmp_path / "forms.html")
    assert form.page.get_by_text("any arguments can be given").count() == 1
    assert form.faults == []
    assert fractal.check(read({"manifest_version": "2", "task_list": []})) == []
    empty = page(read({"manifest_version": "2", "task_list": []}))
    (tmp_path / "empty.html").write_text(empty)
    shown = chromium.new_page()
    shown.goto((tmp_path / "empty.html").as_uri())
    shown.wait_for_selector("nav h1")


def test_the_script_was_built_from_its_sources() -> None:
    root = Path(__file__).resolve().parents[3]
    place = root / "web/forms"
    files = [*sorted((place / "src").iterdir()), place / "package-lock.json", place / "vite.config.js"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    built = (root / "src/trivet/forms/sources.sha256").read_text().strip()
    assert built == digest, "build it anew: cd web/forms && npm ci && npm run build"


def test_every_package_in_the_script_has_its_licence_beside_it() -> None:
    root = Path(__file__).resolve().parents[3]
    text = (root / "src/trivet/forms/LICENSES.txt").read_text()
    locked = json.loads((root / "web/forms/package-lock.json").read_text())["packages"]
    for name in ("react", "react-dom", "@rjsf/core", "@rjsf/utils", "@rjsf/validator-ajv8", "ajv", "markdown-to-jsx"):
        assert f"{name} {locked[f'node_modules/{name}']['version']} (" in text
    assert (root / "src/trivet/forms/forms.js").stat().st_size < 800_000
