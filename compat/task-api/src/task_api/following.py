"""`logs` and `check-task-run`: what a task printed, and how it ended, while it runs and afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from task_api import records
from task_api.reading import refusal, tell
from trivet.cli.reporting import printable
from trivet.records.codec import run_result_from_json
from trivet.records.directory import RunDirectory
from trivet.runs import follow, start
from trivet.runs.adoption import orphaned
from trivet.runs.progress import Progress, read
from trivet.runs.summary import summarise
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import RunResult

OUT_OF_MEMORY = 137
FIRST, LAST = 0.05, 0.5
"""Seconds between two looks at a run's record: they become longer."""

REVIVE = 5.0
"""Seconds between two looks whether somebody drives a run at all."""


def logs(record: str, watch: bool) -> int:
    """Print what the task printed by now, or with ``watch`` until its end, byte by byte."""
    run = records.read(record)
    if watch and not is_over(run):
        show_until_over(run)
        return 0
    progress = progress_of(run)
    try:
        texts = [text for _, text in follow.parts(run, progress)]
    except OSError as error:
        raise refusal("A004", f"the log of run {run.id} can't be read: {error}") from None
    for text in texts:
        print_bytes(text)
    return 0


def check(record: str, watch: bool) -> int:
    """Print how the task ended; without ``watch`` a task that still runs is no failure."""
    run = records.read(record)
    if watch:
        wait(run, lambda: is_over(run))
    if not is_over(run):
        print(f"{run.id}  {summarise(run).state}")
        return 0
    code, words = ending(run)
    print(printable(f"{run.id}  {words}"))
    tell_leftovers(run, code)
    return code


def is_over(run: RunDirectory) -> bool:
    return "result" in _record(run)


def ending(run: RunDirectory) -> tuple[int, str]:
    """The exit code of a task that is over, and how it ended in words.

    It is the container's own, 137 when memory ran out, and 1 when there is none to tell: the container never ran, or
    what it wrote did not get to its place. An output without files is no failure here.
    """
    result: RunResult = run_result_from_json(_record(run)["result"])
    outcome = progress_of(run).outcomes.get(0)
    code = outcome.exit_code if outcome is not None else None
    if Reason.OOM in (result.reason, outcome.reason if outcome is not None else None):
        code = OUT_OF_MEMORY
    elif code is None or (code == 0 and result.state is not RunState.FINISHED and not _lacks_files(result)):
        code = 1
    state = RunState.FINISHED if code == 0 else result.state
    words = f"{state.value}, exit code {code}"
    return code, words if result.message in ("", f"exit code {code}") else f"{words}: {result.message}"


def progress_of(run: RunDirectory) -> Progress:
    """How far a run is. Raises ProblemsError when nobody can tell."""
    try:
        return read(run)
    except (OSError, ValueError, KeyError) as error:
        raise refusal("A004", f"the record of run {run.id} can't be read: {error}") from None


def tell_leftovers(run: RunDirectory, code: int) -> None:
    """Say where the outputs of a task that failed are: their places get those of tasks that end well only."""
    if code != 0 and any(run.work.glob("*/*/outputs/*/*")):
        print(f"{run.id}  what it wrote is in {run.work}", file=sys.stderr)


def show_until_over(run: RunDirectory, driver: subprocess.Popen[bytes] | None = None) -> None:
    """Print what a task prints until it is over, and what is to be said about its outputs. Raises OSError when it can't
    be printed."""
    faults: list[OSError] = []

    def write(data: bytes) -> None:
        try:
            if not faults:
                print_bytes(data)
        except OSError as error:  # nobody reads any more: said in the main thread
            faults.append(error)

    live = follow.LiveLogs(run, write)
    try:
        wait(run, lambda: bool(faults) or is_over(run), driver)
    finally:
        live.close()
    if faults:
        raise faults[0]
    tell(run_result_from_json(_record(run)["result"]).problems)


def wait(run: RunDirectory, enough: Callable[[], bool], driver: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for a run. One that nobody drives any more gets a new driver, so that no wait is for ever.

    ``driver`` is the process that drives it, when it is a child of this one. Raises ProblemsError when the run can't
    be driven at all.
    """
    looked, revived, pause = time.monotonic(), False, FIRST
    while not enough():
        time.sleep(pause)
        pause = min(1.2 * pause, LAST)
        if driver is not None:
            gone = driver.poll() is not None
        elif time.monotonic() - looked > REVIVE:
            looked, gone = time.monotonic(), orphaned(run)
        else:
            continue
        if gone and not enough():
            if revived:
                raise refusal("A005", f"run {run.id} can't be driven{_complaint(run)}", "see `trivet doctor`")
            driver, revived = start.detach(run), True


def print_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _record(run: RunDirectory) -> dict[str, Any]:
    try:
        return run.read()
    except (OSError, ValueError) as error:
        raise refusal("A004", f"the record of run {run.id} can't be read: {error}") from None


def _lacks_files(result: RunResult) -> bool:
    return result.reason is Reason.MISSING_OUTPUT


def _complaint(run: RunDirectory) -> str:
    """The last line that the run's driver wrote."""
    try:
        lines = Path(run.logs / "driver.log").read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f": {lines[-1]}" if lines else ""
