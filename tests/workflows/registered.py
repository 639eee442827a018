"""Small packages of Fractal tasks that need nothing but Python, registered as a user would."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.contracts.fractal.workflows import WorkflowFile, parse
from trivet.contracts.source import Source
from trivet.packages.custom import collect_custom
from trivet.records.packages import PackageDirectory

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


BLUR = {
    "name": "Blur",
    "type": "parallel",
    "executable_parallel": "blur.py",
    "meta_parallel": {"cpus_per_task": 1, "mem": 100},
    "args_schema_parallel": schema("zarr_url", "size", zarr_url=TEXT, size=INTEGER, mode={"enum": ["fast", "good"]}),
    "output_types": {"blurred": True},
    "docs_info": "Blurs.",
}
PROJECT = {
    "name": "Project",
    "type": "compound",
    "executable_non_parallel": "list.py",
    "executable_parallel": "project.py",
    "args_schema_non_parallel": schema("zarr_urls", "zarr_dir", zarr_urls={}, zarr_dir=TEXT, size=INTEGER, name=TEXT),
    "args_schema_parallel": schema("zarr_url", "init_args", zarr_url=TEXT, init_args={}, size=INTEGER, axis=TEXT),
    "input_types": {"is_3D": True},
    "output_types": {"is_3D": False},
}
CONVERT = {"name": "Convert", "type": "converter_non_parallel", "executable_non_parallel": "convert.py"}
ENTRIES = (BLUR, PROJECT, CONVERT)


def register(
    home: Path, work: Path, version: str = "1.0", name: str = "Small_Tasks", entries: Any = ENTRIES
) -> PackageDirectory:
    """Register a package of these tasks, whose scripts do nothing."""
    root = work / f"{name}-{version}"
    root.mkdir(parents=True)
    for entry in entries:
        for key in ("executable_parallel", "executable_non_parallel"):
            if key in entry:
                (root / entry[key]).touch()
    manifest = root / "manifest.json"
    manifest.write_text(json.dumps({"manifest_version": "2", "task_list": [dict(entry) for entry in entries]}))
    return collect_custom(manifest, sys.executable, root, None, name, version, home).package


def task(name: str, version: str | None = "1.0", package: str = "small-tasks", **more: Any) -> dict[str, Any]:
    """An entry of a workflow file."""
    return {**more, "task": {"pkg_name": package, "version": version, "name": name}}


def source(*entries: Mapping[str, Any]) -> Source:
    """A workflow file."""
    text = json.dumps({"name": "W", "task_list": list(entries)}, indent=1)
    return Source("w.json", text, Path("/nowhere"))


def workflow(*entries: Mapping[str, Any]) -> WorkflowFile:
    read, problems = parse(source(*entries))
    assert read is not None, problems
    return read
