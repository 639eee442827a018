"""The hooks for pre-commit and the action for GitHub, done as those do them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Trivet

ROOT = Path(__file__).resolve().parents[2]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
SCHEMA = {
    "type": "object",
    "title": "Blur",
    "properties": {"zarr_url": {"type": "string"}, "keep": {"type": "boolean"}, "args": {"type": "integer"}},
    "required": ["zarr_url", "keep"],
}
ENTRY = {"name": "Blur", "type": "parallel", "executable_parallel": "blur.py", "args_schema_parallel": SCHEMA}
MANIFEST = {"manifest_version": "2", "args_schema_version": "fractal_schema_v1", "task_list": [ENTRY]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "src/tasks"
    root.mkdir(parents=True)
    (root / "blur.py").write_text("def blur(*, zarr_url: str,\n    keep: bool,\n    args: int): ...\n")
    (root / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    return tmp_path


@pytest.mark.parametrize(
    ("hook", "path", "wanted"),
    [
        ("trivet-check", "a/__FRACTAL_MANIFEST__.json", True),
        ("trivet-check", "processing-container.json", True),
        ("trivet-check", "tasks/task.json", True),
        ("trivet-check", "descriptor.yml", True),
        ("trivet-check", "src/my_task.json", False),
        ("trivet-check", "task.py", False),
        ("trivet-fractal", "src/tasks/blur.py", True),
        ("trivet-fractal", "__FRACTAL_MANIFEST__.json", True),
        ("trivet-fractal", "README.md", False),
    ],
)
def test_a_hook_is_for_the_files_that_concern_it(hook: str, path: str, wanted: bool) -> None:
    assert bool(re.search(HOOKS[hook]["files"], path)) is wanted


@pytest.mark.parametrize(
    ("hook", "args", "code"),
    [
        ("trivet-check", [], 1),
        ("trivet-fractal", ["."], 1),
        ("trivet-fractal", None, 1),
        ("trivet-fractal", ["src", "--ignore", "E05"], 0),
    ],
)
def test_a_hook_finds_what_the_form_cannot_show(
    repository: Path, trivet: Trivet, monkeypatch: pytest.MonkeyPatch, hook: str, args: list[str] | None, code: int
) -> None:
    monkeypatch.chdir(repository)
    program, *words = shlex.split(HOOKS[hook]["entry"])
    assert program == "trivet"
    files = ["src/tasks/__FRACTAL_MANIFEST__.json"] if HOOKS[hook].get("pass_filenames", True) else []
    done = trivet(*words, *(HOOKS[hook].get("args", []) if args is None else args), *files)
    assert done.returncode == code, done.stderr
    assert ("blur.py:2:5: error E05" in done.stdout) is (code == 1)


@pytest.mark.parametrize(
    ("given", "code", "found"),
    [
        ({}, 1, ["E05", "F040"]),
        ({"ignore": "E05", "paths": "src/tasks src/tasks/__FRACTAL_MANIFEST__.json"}, 0, ["F040", "F040"]),
        ({"ignore": "E05", "strict": "true"}, 1, ["F040"]),
        ({"select": "E"}, 1, ["E05"]),
    ],
)
def test_the_action_shows_findings_at_their_lines(
    repository: Path, given: dict[str, str], code: int, found: list[str]
) -> None:
    inputs = {name: about["default"] for name, about in ACTION["inputs"].items()} | given
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("name") == "Check"]
    filled: dict[str, Any] = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: inputs[match[1]], value)
        for name, value in step["env"].items()
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=repository,
        env={**os.environ, **filled, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert re.findall(r"^::(?:error|warning) .*?\b([EF]\d+)\b", done.stdout, re.MULTILINE) == found
    assert all("file=src/tasks/blur.py" in line for line in done.stdout.splitlines() if line.startswith("::"))
