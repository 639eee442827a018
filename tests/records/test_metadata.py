"""Metadata of version 1 beside the versions of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.datasets.changes import Changes
from trivet.datasets.exchange import Content
from trivet.datasets.images import ImageUpdate
from trivet.records import metadata
from trivet.records.datasets import DamagedError, DatasetDirectory


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetDirectory:
    return DatasetDirectory.create(tmp_path, Content("ds", "/data", {}), 0.0, {"command": "test"})


def test_what_a_step_said_counts_when_the_step_is_applied(dataset: DatasetDirectory) -> None:
    assert metadata.read(dataset) is None
    metadata.write(dataset, "j1", 0, {"image": ["a"]})
    assert metadata.read(dataset) is None
    dataset.apply(Changes((ImageUpdate("/data/a"),)), "j1", 0, 1.0)
    assert metadata.read(dataset) == {"image": ["a"]}


def test_the_newest_step_of_version_1_counts_whatever_else_was_done(dataset: DatasetDirectory) -> None:
    for step, said in enumerate(({"n": 1}, {"n": 2})):
        metadata.write(dataset, "j1", step, said)
        dataset.apply(Changes(), "j1", step, 1.0)
    dataset.apply(Changes((ImageUpdate("/data/a"),)), "j1", 2, 2.0)  # a step of version 2
    dataset.edit(lambda images: {}, 3.0, {"command": "dataset remove"})
    assert metadata.read(dataset) == {"n": 2}


def test_a_damaged_file_is_told(dataset: DatasetDirectory) -> None:
    metadata.write(dataset, "j1", 0, {})
    dataset.apply(Changes(), "j1", 0, 1.0)
    (dataset.path / "v1/j1-0.json").write_text("[")
    with pytest.raises(DamagedError, match="is damaged"):
        metadata.read(dataset)
