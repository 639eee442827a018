"""What a person is told of units before they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.cli.watching import NOTES, Watcher
from trivet.records.directory import RunDirectory
from trivet.tasks.problem import Problem


def test_notes_are_told_with_their_unit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Watcher(RunDirectory(tmp_path / "r1")).note("7", Problem("K026", "memory limit\x1b[2J 5", "info", "a hint"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "r1  unit 7: info K026 memory limit\\x1b[2J 5\n    hint: a hint\n")


def test_of_many_notes_the_first_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    watcher = Watcher(RunDirectory(tmp_path / "r1"))
    for number in range(1000):
        watcher.note(str(number), Problem("K050", "files", "warning"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == NOTES + 1
    assert lines[-1] == "r1  further notes are in run.json only"
