"""The files of Fractal's version 1: the metadata beside a dataset's versions, and both files in the folder of a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trivet.contracts.fractal.manifest import entry_of
from trivet.contracts.fractal.v1.manifest import GATHER, level_of
from trivet.contracts.fractal.v1.units import components
from trivet.records import files
from trivet.records.datasets import DatasetDirectory
from trivet.records.directory import JobDirectory
from trivet.tasks.call import Call
from trivet.tasks.states import RunState
from trivet.tasks.values import to_json
from trivet.workflows.workflow import Step

METADATA, HISTORY = "metadata.json", "history.json"


def metadata_of(dataset: DatasetDirectory) -> dict[str, Any]:
    """What tasks of version 1 have said of a dataset; empty when none has. Raises OSError, ValueError."""
    try:
        metadata: dict[str, Any] = json.loads((dataset.path / METADATA).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return metadata


def keep(dataset: DatasetDirectory, metadata: Mapping[str, Any]) -> None:
    """Keep the metadata after a step, which is already in the image list. Raises OSError."""
    files.write_json(dataset.path / METADATA, dict(metadata))


def tell(job: JobDirectory, order: int, step: Step, call: Call, metadata: Mapping[str, Any], state: RunState) -> None:
    """Write both files of a job after a step (Fractal version 1, job folder); a second time nothing changes.

    Raises OSError, ValueError for a history that can't be read.
    """
    files.write_json(job.path / METADATA, dict(metadata))
    path = job.path / HISTORY
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    entries = [entry for entry in entries if entry["workflowtask"]["order"] != order]
    entry = entry_of(step.task.document, step.task.name)
    level = level_of(entry)
    entries.append(
        {
            "workflowtask": {
                "order": order,
                "meta": entry.get("meta") or {},
                "args": to_json({name: value for name, value in step.values.items() if name != GATHER}),
                "task": {"name": step.task.name, "source": entry.get("source")},
            },
            "status": "done" if state is RunState.FINISHED else "failed",
            "parallelization": {"parallelization_level": level, "component_list": components(call)} if level else {},
        }
    )
    files.write_json(path, entries)
