"""What a person is told of a job while it goes on."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from trivet.cli import job_watching
from trivet.cli.job_watching import JobWatcher
from trivet.records.directory import JobDirectory
from trivet.runs.machine import Standing
from trivet.tasks.problem import Problem

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second each time it is looked at."""
    ticks = itertools.count(100.0)
    monkeypatch.setattr(job_watching.time, "monotonic", lambda: next(ticks))


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return JobDirectory(tmp_path / "j1")


def test_without_a_terminal_there_is_a_line_now_and_then(clock: None, job: JobDirectory, capsys: Capture) -> None:
    watcher = JobWatcher(job)
    watcher.step_started(0, "Mark\x1b[2J", 40)
    for done in range(41):
        watcher.progress(0, done, done // 20, 40)
    watcher.step_ended(0, "Mark", 40, 2, 41)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[:2] == ["j1  RUNNING", "j1  step 0 Mark\\x1b[2J: 40 images"]
    assert re.fullmatch(r"j1  step 0 over: 40 units, 2 failed, .+; 41 images in the dataset", lines[-1])
    told = lines[2:-1]
    assert 10 < len(told) < 41
    assert re.fullmatch(r"j1  step 0 (\d+) of 40 units, 2 failed, [\d.]+/s, .+ left", told[-1])


def test_units_that_run_and_wait_are_counted(clock: None, job: JobDirectory, capsys: Capture) -> None:
    watcher = JobWatcher(job)
    watcher.step_started(0, "Mark", 3)
    watcher.standing(0, Standing(0, 3, "no node is free"))
    watcher.standing(0, Standing(1, 2, "no node is free"))
    watcher.progress(0, 1, 0, 4)
    waits, counts = capsys.readouterr().err.splitlines()[2:]
    assert waits == "j1  step 0: no node is free"
    assert counts.startswith("j1  step 0 1 of 4 units, 1 running, 2 waiting, ")


def test_what_does_not_change_is_told_once(clock: None, job: JobDirectory, capsys: Capture) -> None:
    watcher = JobWatcher(job)
    watcher.step_started(0, "Mark", 3)
    for _ in range(100):
        watcher.progress(0, 1, 0, 3)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_on_a_terminal_a_table_is_drawn_over_itself_and_taken_away(
    clock: None, job: JobDirectory, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [SimpleNamespace(order=order, name=f"Step {order}") for order in range(3)]
    monkeypatch.setattr(job_watching.history, "read", lambda job: SimpleNamespace(steps=steps))
    monkeypatch.setattr(job_watching.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(job_watching.shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
    watcher = JobWatcher(job)
    watcher.step_started(0, "Step 0", 4)
    watcher.progress(0, 1, 0, 4)
    watcher.step_ended(0, "Step 0", 4, 0, 4)
    watcher.step_started(1, "Step 1", 4)
    watcher.close()
    screen = drawn(capsys.readouterr().err)
    assert screen[-2][0].split()[:4] == ["0", "Step", "0", "4/4"]
    assert [line.split()[:3] for line in screen[-2]] == [["0", "Step", "0"], ["1", "Step", "1"], ["2", "Step", "2"]]
    assert screen[-1] == []
    assert all(len(line) < 60 for lines in screen for line in lines)


def test_of_many_steps_those_around_the_running_one_are_drawn(
    clock: None, job: JobDirectory, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [SimpleNamespace(order=order, name="A step") for order in range(100)]
    monkeypatch.setattr(job_watching.history, "read", lambda job: SimpleNamespace(steps=steps))
    monkeypatch.setattr(job_watching.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(job_watching.shutil, "get_terminal_size", lambda: os.terminal_size((80, 13)))
    watcher = JobWatcher(job)
    watcher.step_started(50, "A step", 4)
    [*_, lines] = drawn(capsys.readouterr().err)
    orders = [int(line.split()[0]) for line in lines]
    assert len(orders) == 10
    assert 50 in orders


def test_of_many_notes_the_first_are_told(job: JobDirectory, capsys: Capture) -> None:
    watcher = JobWatcher(job)
    for number in range(1000):
        watcher.note(0, str(number), Problem("K050", "files", "warning"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == job_watching.NOTES + 2
    assert lines[1] == "j1  step 0 unit 0: warning K050 files"


def drawn(text: str) -> list[list[str]]:
    """What a terminal shows after each drawing: lines below the first."""
    shown: list[str] = []
    screens = []
    for piece in re.split(r"(?=\033\[\d+F)|(?<=RUNNING\n)", text)[1:]:
        up = re.match(r"\033\[(\d+)F", piece)
        if up:
            shown = shown[: len(shown) - int(up[1])]
        body = piece[up.end() if up else 0 :].removeprefix("\033[J")
        shown = [*shown, *(line.removeprefix("\033[K") for line in body.splitlines())]
        screens.append(shown)
    return screens
