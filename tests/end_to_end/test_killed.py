"""A run whose processes are killed: the next command finds it, and nothing is lost, doubled or left running."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import CommandLine, eventually, processes_of

UNITS = 40
FULL = bool(os.environ.get("TRIVET_TEST_FULL"))
KILLS = 30 if FULL else 5


def final_record(trivet: CommandLine) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        trivet("runs")
        record = trivet.record()
        return record if "result" in record else None

    return eventually(look, "the run is over")  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(KILLS))
def test_every_unit_is_done_exactly_once_however_the_driver_is_killed(trivet: CommandLine, seed: int) -> None:
    journal = trivet.cwd / "started"
    task = trivet.task(
        command=["sh", "-c", f"echo {{n}} >> {journal}; sleep 0.02; echo $(({{n}} * 2)) > {{out}}"],
        inputs={"n": "integer"},
        outputs={"out": "integer"},
    )
    moments = random.Random(seed)
    process = trivet.start("run", task, f"n={list(range(UNITS))}", "--each", "n", "--slots", "3")
    for _ in range(moments.randint(1, 3)):
        time.sleep(moments.uniform(0.05, 0.5))
        for pid in [process.pid, *drivers(trivet.home)]:
            kill(pid)
        process.wait()
        trivet("runs")
    if not trivet.runs():
        return  # killed before the run existed
    record = final_record(trivet)
    assert record["result"]["state"] == "FINISHED", record["result"]
    assert record["result"]["outputs"] == {"out": [2 * n for n in range(UNITS)]}
    assert sorted(map(int, journal.read_text().split())) == list(range(UNITS))
    eventually(lambda: not processes_of(trivet.home), "no process is left")


def test_a_unit_that_ends_while_nobody_looks_still_reports(trivet: CommandLine) -> None:
    gate = trivet.cwd / "gate"
    done = trivet.cwd / "done"
    script = f"echo up; while ! test -e {gate}; do sleep 0.02; done; echo down; touch {done}; exit 5"
    task = trivet.task(command=["sh", "-c", script])
    process = trivet.start("run", task)
    eventually(lambda: list(trivet.home.glob("runs/*/logs/0.log")), "the unit runs")
    process.kill()
    process.wait()
    gate.touch()
    eventually(done.exists, "the unit has ended")
    record = final_record(trivet)
    assert record["result"]["reason"] == "exit_code"
    assert record["result"]["exit_code"] == 5
    assert record["usage"]["cpu"] > 0
    assert record["usage"]["peak_memory"] > 0
    assert trivet("logs", "last").stdout == "up\ndown\n"


def test_when_everything_was_killed_the_run_is_lost_and_nothing_runs_on(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo up; sleep 600; true"])
    process = trivet.start("run", task)
    eventually(lambda: list(trivet.home.glob("runs/*/logs/0.log")), "the unit runs")
    kill(process.pid)
    for pid in workers(trivet.home):
        kill(pid)
    process.wait()
    record = final_record(trivet)
    assert (record["result"]["state"], record["result"]["reason"]) == ("FAILED", "lost")
    eventually(lambda: not processes_of(trivet.home), "no process is left")


def test_killed_in_the_middle_everything_is_readable(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo up; sleep 600"])
    process = trivet.start("run", task)
    eventually(lambda: list(trivet.home.glob("runs/*/logs/0.log")), "the unit runs")
    kill(process.pid)
    process.wait()
    assert trivet("logs", "last").stdout == "up\n"
    [row] = json.loads(trivet("runs", "--json").stdout)
    assert row["state"] == "RUNNING"
    trivet("cancel", "last")
    assert final_record(trivet)["result"]["state"] == "CANCELLED"


def test_of_two_commands_that_find_an_orphan_one_drives_it(trivet: CommandLine) -> None:
    journal = trivet.cwd / "started"
    task = trivet.task(command=["sh", "-c", f"echo x >> {journal}; sleep 0.5"])
    process = trivet.start("run", task)
    eventually(journal.exists, "the unit runs")
    kill(process.pid)
    process.wait()
    both = [trivet.start("runs"), trivet.start("runs"), trivet.start("runs")]
    assert [command.wait(60) for command in both] == [0, 0, 0]
    for command in both:
        command.communicate()
    assert final_record(trivet)["result"]["state"] == "FINISHED"
    assert journal.read_text() == "x\n"


def drivers(home: Path) -> list[int]:
    return [pid for pid in processes_of(home) if b"trivet.runs.background" in words_of(pid)]


def workers(home: Path) -> list[int]:
    return [pid for pid in processes_of(home) if b"worker.py" in words_of(pid)]


def words_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(pid: int) -> None:
    subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pid)], check=False, capture_output=True)
