"""What a person is told of units before they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.cli import watching
from trivet.cli.watching import NOTES, Watcher
from trivet.records.directory import RunDirectory
from trivet.runs.machine import Standing
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


def test_units_that_can_not_be_seen_are_told_each_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    watcher = Watcher(RunDirectory(tmp_path / "r1"))
    for why in ("out of reach", "out of reach", "", "out of reach"):
        watcher.standing(Standing(1, 0, why))
    assert capsys.readouterr().err == "r1  out of reach\n" * 2


def test_of_many_units_those_that_run_and_wait_are_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.0)
    watcher = Watcher(RunDirectory(tmp_path / "r1"))
    for _ in range(3):
        watcher.standing(Standing(2, 5, "no node is free"))
        watcher.progress(0, 0, 7)
    watcher.standing(Standing(2, 4, "no node is free"))
    watcher.progress(1, 1, 7)
    why, first, second = capsys.readouterr().err.splitlines()
    assert (why, first) == ("r1  no node is free", "r1  0 of 7 units, 2 running, 5 waiting")
    assert second.startswith("r1  1 of 7 units, 1 failed, 2 running, 4 waiting, ")
