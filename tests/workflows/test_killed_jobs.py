"""Jobs whose processes are killed at any moment: every unit is done once or reported, and the list is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from trivet.datasets.images import Image
from trivet.records.directory import JobDirectory
from trivet.runs.options import Options
from trivet.tasks.states import RunState
from trivet.workflows import history, start

from . import players

UNITS = 200
KILLS = 30 if os.environ.get("TRIVET_TEST_FULL") else 5


def begun(home: Path) -> tuple[Any, JobDirectory]:
    """A job of 200 units, each of which makes an image, and a single one at the end."""
    data = players.dataset(home, players.numbered(UNITS))
    made = {
        f"/zd/i{n:06d}": {"image_list_updates": [{"zarr_url": f"/zd/m{n:06d}", "origin": f"/zd/i{n:06d}"}]}
        for n in range(UNITS)
    }
    steps = [
        players.step(
            players.task(home / "a", "parallel", output_types={"made": True}),
            replies=made,
            trace=str(home / "trace"),
        ),
        players.step(players.task(home / "b", "non_parallel", output_types={"seen": True})),
    ]
    return data, start.create(players.request(data, steps, Options(slots=3)), home)


def expected() -> list[Image]:
    old = [Image(f"/zd/i{n:06d}") for n in range(UNITS)]
    types = {"made": True, "seen": True}
    return [*old, *(Image(f"/zd/m{n:06d}", f"/zd/i{n:06d}", types=types) for n in range(UNITS))]


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def workers(job: JobDirectory) -> list[int]:
    """The processes that watch over the units of a job."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                if b"worker.py" in words and str(job.path).encode() in words:
                    found.append(int(entry.name))
    return found


@pytest.mark.parametrize("seed", range(KILLS))
def test_every_unit_is_done_exactly_once_however_the_driver_is_killed(tmp_path: Path, seed: int) -> None:
    data, job = begun(tmp_path)
    moments = random.Random(seed)
    for _ in range(moments.randint(1, 4)):
        process = start.detach(job)
        time.sleep(moments.uniform(0.0, 1.5))
        kill(process)
    assert start.drive(job).state is RunState.FINISHED
    assert list(data.read().images.values()) == expected()
    starts = [line.split()[0] for line in (tmp_path / "trace").read_text().splitlines() if line.startswith("/zd")]
    assert sorted(starts) == [f"/zd/i{n:06d}" for n in range(UNITS)]
    assert [(step.units, step.done, step.failed) for step in history.read(job).steps] == [(UNITS, UNITS, 0), (1, 1, 0)]
    assert {unit.state for unit in history.units(job, 0)} == {"done"}


def test_when_everything_is_killed_what_ran_is_reported_and_going_on_ends_the_same(tmp_path: Path) -> None:
    data, job = begun(tmp_path)
    process = start.detach(job)
    trace = tmp_path / "trace"
    while not trace.exists() or trace.read_text().count("/zd") < 20:
        time.sleep(0.01)
    kill(process)
    for pid in workers(job):
        os.kill(pid, signal.SIGKILL)
    result = start.drive(job)
    told = history.read(job).steps[0]
    assert (result.state, result.reason) == (RunState.FAILED, "lost")
    assert told.done + told.failed == UNITS
    assert told.failed > 0
    again = start.create(start.continued(job), tmp_path)
    assert start.drive(again).state is RunState.FINISHED
    assert history.read(again).steps[0].units == told.failed
    # Those that were done later come later in the list.
    listed = data.read().images.values()
    assert sorted(listed, key=lambda image: image.zarr_url) == expected()
    assert set(history.statuses(data.path, "w", 0, "Play").values()) == {"done"}
