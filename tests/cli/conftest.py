"""The real command line, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Trivet = Callable[..., subprocess.CompletedProcess[str]]

CONTAINER = {
    "name": "tools",
    "description": "Tools for tests",
    "templates": [
        {
            "identifier": "convert",
            "description": "Converts.",
            "inputs": [{"name": "in", "mounted_path": "/data/in"}],
            "outputs": [{"name": "out", "mounted_path": "/data/out"}],
            "env": [{"name": "LEVEL", "value": "5", "type": "int", "adjustable": True, "description": "How much."}],
            "command": ["python3", "convert.py"],
        }
    ],
}
"""A Kaapana container without a fault."""

DESCRIPTOR = """\
name: Add
name_short: add
version: 1.0.0
namespace: org.example.add
$schema: https://cytomine.com/schema-store/tasks/task.v0.json
authors:
  - first_name: Ada
    last_name: Example
    organization: Example
    email: ada@example.org
    is_contact: true
configuration:
  input_folder: /inputs
  output_folder: /outputs
  image:
    file: /org.example.add-1.0.0.tar
inputs:
  a:
    display_name: A
    description: First operand
    type: integer
outputs:
  sum:
    display_name: Sum
    description: The sum
    type: integer
"""
"""A Cytomine descriptor without a fault."""

COMMAND = {
    "trivet": 1,
    "name": "blur",
    "command": ["blur", "{photo}", "{sigma}", "{blurred}"],
    "inputs": {"photo": "image", "sigma": {"type": "number", "default": 1.5}},
    "outputs": {"blurred": {"type": "image", "path": "blurred.png"}},
}


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command under test: nothing of the caller's own settings."""
    unwanted = ("TRIVET_", "_TRIVET", "NO_COLOR", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return {**kept, **(more or {})}


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the commands under test keep their bytecode, so that only the first one compiles."""
    return str(tmp_path_factory.mktemp("bytecode"))


@pytest.fixture
def trivet(tmp_path: Path, bytecode: str) -> Trivet:
    """Run `trivet` with arguments, in an empty directory; gives exit code, stdout and stderr."""

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trivet", *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={"PYTHONPYCACHEPREFIX": bytecode, **environment(env)},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A faultless processing-container.json."""
    return written(tmp_path / "processing-container.json", CONTAINER)


@pytest.fixture
def descriptor(tmp_path: Path) -> Path:
    """A faultless descriptor.yml."""
    path = tmp_path / "descriptor.yml"
    path.write_text(DESCRIPTOR)
    return path


def written(path: Path, data: Any) -> Path:
    """Write data as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2))
    return path
