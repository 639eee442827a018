"""What `trivet check`, `convert` and `fractal preview` do with packages of Fractal tasks."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from .conftest import Trivet

SCHEMA = {
    "type": "object",
    "title": "Blur",
    "properties": {"zarr_url": {"type": "string"}, "keep": {"type": "boolean"}, "args": {"type": "integer"}},
    "required": ["zarr_url", "keep"],
}
ENTRY = {"name": "Blur", "type": "parallel", "executable_parallel": "blur.py", "args_schema_parallel": SCHEMA}
MANIFEST = {"manifest_version": "2", "args_schema_version": "fractal_schema_v1", "task_list": [ENTRY]}
OLD = {
    "manifest_version": "1",
    "task_list": [
        {"name": "Blur", "executable": "b.py", "input_type": "zarr", "output_type": "zarr"},
        {
            "name": "Wells",
            "executable": "w.py",
            "input_type": "zarr",
            "output_type": "zarr",
            "meta": {"parallelization_level": "well"},
        },
    ],
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "tasks"
    root.mkdir()
    (root / "__init__.py").touch()
    (root / "blur.py").write_text("def blur(*, zarr_url: str,\n    keep: bool,\n    args: int): ...\n")
    (root / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    return root


def found(text: str) -> list[tuple[str, str, int | None]]:
    return [(one["code"], Path(one["file"]).name, one["line"]) for file in json.loads(text) for one in file["problems"]]


BOTH = [("E05", "blur.py", 2), ("F040", "blur.py", 3)]


@pytest.mark.parametrize(
    ("options", "expected", "code"),
    [
        ([], BOTH, 1),
        (["--select", "E"], BOTH[:1], 1),
        (["--select", "F04,E05"], BOTH, 1),
        (["--ignore", "E05"], BOTH[1:], 0),
        (["--ignore", "E05", "--strict"], BOTH[1:], 1),
        (["--select", "E,F", "--ignore", "E05,F040"], [], 0),
    ],
)
def test_findings_are_chosen_by_their_codes(
    trivet: Trivet, package: Path, options: list[str], expected: list[Any], code: int
) -> None:
    done = trivet("check", package, "--format", "json", *options)
    assert (found(done.stdout), done.returncode) == (expected, code)


def test_what_is_no_code_is_refused(trivet: Trivet, package: Path) -> None:
    done = trivet("check", package, "--select", "boolean")
    assert done.returncode == 2
    assert "'boolean' is no code of a problem" in done.stderr


def test_what_cannot_be_read_is_told_whatever_is_chosen(trivet: Trivet, package: Path) -> None:
    (package / "__FRACTAL_MANIFEST__.json").write_text("{")
    done = trivet("check", package, "--select", "E", "--ignore", "T")
    assert done.returncode == 1
    assert "T005" in done.stdout


def test_a_wheel_is_linted_and_its_scripts_are_read(trivet: Trivet, package: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "tasks-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(package / "__FRACTAL_MANIFEST__.json", "tasks/__FRACTAL_MANIFEST__.json")
        archive.writestr("tasks/blur.py", "")
    done = trivet("check", wheel, "--format", "json")
    assert done.returncode == 1
    assert [code for code, _, _ in found(done.stdout)] == ["E05", "F040", "F024"]


def test_what_the_form_cannot_show_can_still_be_shown_and_run(trivet: Trivet, package: Path) -> None:
    done = trivet("show", package)
    assert done.returncode == 0, done.stderr
    assert "E05" not in done.stdout + done.stderr


@pytest.mark.parametrize("named", ["old/__FRACTAL_MANIFEST__.json", "old", "old-1.0-py3-none-any.whl"])
def test_a_manifest_of_version_1_is_converted(trivet: Trivet, tmp_path: Path, named: str) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/__FRACTAL_MANIFEST__.json").write_text(json.dumps(OLD))
    with zipfile.ZipFile(tmp_path / "old-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("old/__FRACTAL_MANIFEST__.json", json.dumps(OLD))
        archive.writestr("old/b.py", "")
        archive.writestr("old/w.py", "")
        archive.writestr("old-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: old\nVersion: 1.0\n")
    done = trivet("convert", tmp_path / named, "--to", "fractal", "-o", tmp_path / "new/")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "new/__FRACTAL_MANIFEST__.json").read_text())
    assert [(task["name"], task["type"]) for task in manifest["task_list"]] == [("Blur", "non_parallel")]
    assert "`Wells` is left out" in done.stderr


def test_a_page_of_forms_is_written_once_and_again_but_over_nothing_else(
    trivet: Trivet, package: Path, tmp_path: Path
) -> None:
    page = tmp_path / "forms.html"
    for _ in range(2):
        done = trivet("fractal", "preview", package, "-o", page)
        assert (done.returncode, done.stdout) == (0, f"{page}\n"), done.stderr
    assert "blur.py:2" in page.read_text()
    page.write_text("mine")
    done = trivet("fractal", "preview", package, "-o", page)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert page.read_text() == "mine"
    assert trivet("fractal", "preview", package, "-o", page, "--force").returncode == 0


def test_a_page_needs_a_faultless_manifest(trivet: Trivet, package: Path, tmp_path: Path) -> None:
    (package / "blur.py").unlink()
    done = trivet("fractal", "preview", package, "-o", tmp_path / "forms.html")
    assert done.returncode == 1
    assert "F020" in done.stderr
    assert not (tmp_path / "forms.html").exists()
    assert trivet("fractal", "preview", tmp_path / "nothing.whl").returncode == 1


def test_a_page_is_of_one_package(trivet: Trivet, tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"tasks{number}").mkdir()
        (tmp_path / f"tasks{number}/__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    done = trivet("fractal", "preview", tmp_path)
    assert done.returncode == 1
    assert "tasks4/__FRACTAL_MANIFEST__.json and 2 more" in done.stderr
