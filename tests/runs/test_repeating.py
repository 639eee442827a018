"""Repeating recorded runs: the same image, values and options, and a word about what has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.runs.options import Options
from trivet.runs.repeating import repeated
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage
from trivet.tasks.values import FileRef

RAN = "sha256:" + "1" * 64


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.txt"
    path.write_text("light")
    return path


@pytest.fixture
def record(photo: Path, tmp_path: Path) -> dict[str, Any]:
    """The record of a run that is over, as it is read from its file."""
    task = trivet.command(["cat", "{photo}"], inputs={"photo": "file"})
    run = trivet.run(
        trivet.call(task, {"photo": photo}), home=tmp_path / "home", time_limit=60, output=str(tmp_path / "out")
    )
    return json.loads((run.directory.path / "run.json").read_text())  # type: ignore[no-any-return]


def test_values_and_options_are_those_of_the_run_but_not_its_output_directory(
    record: dict[str, Any], photo: Path
) -> None:
    call, options = repeated(record)
    assert call.values == {"photo": FileRef(str(photo), 5)}
    assert (options, call.notes) == (Options(time_limit=60), ())


def test_a_changed_input_is_told_and_a_missing_one_refused(record: dict[str, Any], photo: Path) -> None:
    photo.write_text("night")
    [note] = repeated(record)[0].notes
    assert (note.code, note.severity) == ("B020", "warning")
    assert str(photo) in note.message
    photo.unlink()
    with pytest.raises(ProblemsError, match=r"photo\.txt can't be read: No such file"):
        repeated(record)


def test_the_image_is_the_very_one_that_ran_unless_another_is_named(record: dict[str, Any]) -> None:
    record["task"]["program"] = {"image": "lab/seg:1", "archive": None, "digest": None}
    record["usage"]["image_digests"] = [RAN]
    assert repeated(record)[0].task.program == ContainerImage("lab/seg:1", digest=RAN)
    assert repeated(record, "lab/seg:2")[0].task.program == ContainerImage("lab/seg:2")


def test_a_run_that_never_got_to_its_end_is_repeated_too(record: dict[str, Any]) -> None:
    for late in ("inputs", "usage", "result", "history"):
        del record[late]
    assert repeated(record)[0].notes == ()


def test_other_versions_of_packages_are_told_and_recorded(record: dict[str, Any]) -> None:
    record["task"]["program"] = {"environment": None, "versions": {"numpy": "1.0"}}
    call, _ = repeated(record)
    assert [note.message for note in call.notes] == ["package numpy was 1.0 and is not there"]
    assert call.task.program.versions == {}  # type: ignore[union-attr]
