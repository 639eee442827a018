"""The shape of the house: imports point downwards, and nothing is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

HEAVY = ("click", "docker", "jsonschema_rs", "kubernetes", "numpy", "pydantic", "rich", "sqlalchemy", "yaml", "zarr")
NETWORK = ("asyncio", "email", "http", "importlib.metadata", "socket", "ssl", "subprocess", "tempfile", "threading")
ROOMS = ("trivet.engines", "trivet.images", "trivet.index", "trivet.records", "trivet.tasks.call", "trivet.tasks.work")

REPORT = """
import json, sys
{action}
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_after(action: str, cwd: Path) -> set[str]:
    """The modules a fresh interpreter has loaded after some lines of Python."""
    command = [sys.executable, "-c", REPORT.format(action=action)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_imports_point_downwards() -> None:
    """The contracts in pyproject.toml, by import-linter."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_trivet_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = modules_after("import trivet", tmp_path)
    assert not loaded & {*HEAVY, *NETWORK, *ROOMS}


def test_the_help_loads_nothing_heavy_but_click(tmp_path: Path) -> None:
    loaded = modules_after("from trivet.cli import main; main(['--help'])", tmp_path)
    assert loaded & {*HEAVY, *ROOMS} == {"click"}
    assert not any(name.startswith("trivet.contracts") for name in loaded)


CONTAINER = '{"name": "n", "description": "d", "templates": []}'
COMMAND = '{"trivet": 1, "name": "n", "command": ["true"]}'
DESCRIPTOR = """\
{name: Sums, name_short: sums, version: 1.0.0, namespace: org.example.sums,
 $schema: "https://cytomine.com/schema-store/tasks/task.v0.json",
 authors: [{first_name: A, last_name: B, organization: C, email: a@example.org, is_contact: true}],
 configuration: {input_folder: /inputs, output_folder: /outputs, image: {file: /sums.tar}},
 inputs: {a: {display_name: A, description: Number, type: integer}},
 outputs: {b: {display_name: B, description: Number, type: integer}}}
"""
MANIFEST = '{"manifest_version": "2", "task_list": [], "has_args_schemas": false}'


@pytest.mark.parametrize(
    ("name", "text", "contract", "allowed"),
    [
        ("c.json", CONTAINER, "kaapana", set()),
        ("d.yml", DESCRIPTOR, "cytomine", {"yaml"}),
        ("__FRACTAL_MANIFEST__.json", MANIFEST, "fractal", set()),
        ("r.json", COMMAND, "command", set()),
        ("broken.json", '{"a": 1,}', None, set()),
    ],
)
def test_checking_a_file_loads_only_what_its_contract_needs(
    tmp_path: Path, name: str, text: str, contract: str | None, allowed: set[str]
) -> None:
    """What `trivet check FILE` costs is mostly what it imports; see benchmarks/startup.py."""
    (tmp_path / name).write_text(text)
    code = 0 if contract else 1
    loaded = modules_after(f"from trivet.cli import main; assert main(['check', {name!r}]) == {code}", tmp_path)
    assert loaded & {*HEAVY, *NETWORK, *ROOMS, "fractions", "zipfile", "jinja2", "difflib"} <= allowed
    if contract is not None:
        assert f"trivet.contracts.{contract}" in loaded


def test_positions_in_json_need_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"name": 5, "templates": []}')
    loaded = modules_after("from trivet.cli import main; assert main(['check', 'c.json']) == 1", tmp_path)
    assert "yaml" not in loaded
