"""What starting costs: CPU time of `trivet check FILE` against an interpreter that does nothing, and against a peer.

    python benchmarks/startup.py [--peer] [--rounds N]

The peer is a process that only imports what Kaapana's public command line imports (typer, pydantic, docker,
kubernetes), in an environment of its own that is made once. Everything runs from compiled bytecode.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import environments
from measuring import Row, Sample, cpu, environment, measure, ratio, rounds, table

BOUND, PEER_BOUND = 8.0, 0.25
COMPAT = "task_api.cli validate"
PEER = ("typer", "pydantic", "docker", "kubernetes==31.0.0")

CONTAINER = {
    "name": "my-tools",
    "description": "One template, as small as they come",
    "templates": [
        {
            "identifier": "convert",
            "description": "Converts every item",
            "inputs": [{"name": "in", "mounted_path": "/data/in"}],
            "outputs": [{"name": "out", "mounted_path": "/data/out"}],
            "env": [{"name": "LEVEL", "value": "5", "type": "int", "adjustable": True}],
            "command": ["python3", "convert.py"],
        }
    ],
}
MANIFEST = {
    "manifest_version": "2",
    "has_args_schemas": True,
    "args_schema_version": "pydantic_v2",
    "task_list": [
        {
            "name": "Blur",
            "type": "parallel",
            "executable_parallel": "blur.py",
            "args_schema_parallel": {
                "type": "object",
                "properties": {"zarr_url": {"type": "string"}, "sigma": {"type": "number", "default": 1.5}},
                "required": ["zarr_url"],
                "additionalProperties": False,
            },
        }
    ],
}
DESCRIPTOR = """\
name: Sum of two
name_short: sum_of_two
version: 1.0.0
namespace: org.example.sums
$schema: https://cytomine.com/schema-store/tasks/task.v0.json
authors:
  - {first_name: Ada, last_name: Example, organization: Example, email: ada@example.org, is_contact: true}
configuration:
  input_folder: /inputs
  output_folder: /outputs
  image: {file: /org.example.sums-1.0.0.tar}
inputs:
  a: {display_name: A, description: First, type: integer}
  b: {display_name: B, description: Second, type: integer}
outputs:
  sum: {display_name: Sum, description: Their sum, type: integer}
"""


def documents(directory: Path) -> dict[str, Path]:
    """One small faultless document of each contract."""
    texts = {
        "processing-container.json": json.dumps(CONTAINER, indent=2),
        "__FRACTAL_MANIFEST__.json": json.dumps(MANIFEST, indent=2),
        "descriptor.yml": DESCRIPTOR,
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    return {name: directory / name for name in texts}


def program() -> list[str]:
    """The installed command, as a user starts it."""
    script = Path(sys.executable).with_name("trivet")
    return [str(script)] if script.exists() else [sys.executable, "-m", "trivet"]


def rows(count: int = 15, peer: bool = False) -> list[Row]:
    """The ratios, each over ``count`` rounds."""
    with tempfile.TemporaryDirectory() as place:
        compiled = environment(Path(place) / "bytecode")
        contestants: dict[str, Callable[[], Sample]] = {
            "nothing": partial(measure, [sys.executable, "-c", "pass"], compiled)
        }
        files = documents(Path(place))
        for name, path in files.items():
            contestants[name] = partial(measure, [*program(), "check", str(path)], compiled)
        container = str(files["processing-container.json"])
        compat = [sys.executable, "-m", "task_api.cli", "validate", "--schema", "pc", container]
        if find_spec("task_api") is not None:
            contestants[COMPAT] = partial(measure, compat, compiled)
        note = _add_peer(contestants, compiled) if peer else ""
        rounds(contestants, 1)  # compiles, and warms the disk's cache
        samples = rounds(contestants, count)
    names = [name for name in contestants if name not in ("nothing", "peer")]
    found = [_row(name, "python -c pass", samples[name], samples["nothing"], BOUND) for name in names]
    if peer and note:
        found.append(Row("start", "trivet check", "peer", note=note))
    elif peer:
        found += [_row(name, "importing the peer's", samples[name], samples["peer"], PEER_BOUND) for name in names]
        found.append(_row("peer", "python -c pass", samples["peer"], samples["nothing"], None))
    return found


def _add_peer(contestants: dict[str, Callable[[], Sample]], compiled: Mapping[str, str]) -> str:
    try:
        interpreter = environments.python("startup-peer", PEER)
    except environments.UnavailableError as error:
        return str(error)
    names = ", ".join(requirement.partition("=")[0] for requirement in PEER)
    contestants["peer"] = partial(measure, [str(interpreter), "-c", f"import {names}"], compiled)
    return ""


def _row(name: str, against: str, ours: list[Sample], theirs: list[Sample], bound: float | None) -> Row:
    what = name if name in ("peer", COMPAT) else f"trivet check {name}"
    return Row("start", what, against, ratio(ours, theirs, cpu), bound)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="store_true", help="also measure what the peer imports")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    found = rows(given.rounds, given.peer)
    print(table(found))
    return 1 if any(row.verdict == "MISSED" for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
