"""What tasks of Fractal's version 1 say of a dataset: one file for each step of a job that did, beside its versions.

::

    v1/<job>-<step>.json   the whole metadata after that step

A file is written before the version of the image list that the step makes; it counts once that version is there. So
both change at once, and a step that is applied a second time changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.records import files
from trivet.records.datasets import DamagedError, DatasetDirectory


def write(dataset: DatasetDirectory, job: str, step: int, metadata: Mapping[str, Any]) -> None:
    """Keep the metadata after a step, which is to be applied next. Raises OSError."""
    path = _file(dataset, job, step)
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, dict(metadata))


def read(dataset: DatasetDirectory) -> dict[str, Any] | None:
    """The newest metadata; None when no task of version 1 has worked on the dataset. Raises OSError, DamagedError."""
    for head in reversed(dataset.heads()):
        if "job" not in head.by:
            continue
        path = _file(dataset, head.by["job"], head.by["step"])
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise DamagedError(f"{path} is damaged: {error}") from None
        if not isinstance(metadata, dict):
            raise DamagedError(f"{path} is damaged: it is no object")
        return metadata
    return None


def _file(dataset: DatasetDirectory, job: str, step: int) -> Path:
    return dataset.path / "v1" / f"{job}-{step}.json"
