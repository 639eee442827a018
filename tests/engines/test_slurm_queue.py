"""What units that wait on a cluster are told: where they stand, when they may start, and at which price."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from trivet.engines import EngineEvent, Started, Waiting
from trivet.engines.slurm import telling as tellings
from trivet.engines.slurm.commands import Commands, read_queue
from trivet.engines.slurm.job import Job, Jobs
from trivet.engines.slurm.place import Shared
from trivet.engines.slurm.programs import NodePrograms
from trivet.engines.slurm.queue import Outlook, Queued, outlooks, words
from trivet.engines.slurm.submission import Submission
from trivet.engines.slurm.telling import Telling
from trivet.engines.slurm.watching import Watching

QUEUE = """\
7|0-9%2|main|100|1700000300
7|12|main|100|N/A
9|N/A|main,small|200|1700000100
11|3-4|small|900|N/A
12|N/A|main|50|
13|N/A|main|100|N/A
"""


def test_rows_of_the_queue() -> None:
    rows = list(read_queue(QUEUE + "a torn line|\n"))
    assert [(row.array, row.jobs) for row in rows] == [("7", 10), ("7", 1), ("9", 1), ("11", 2), ("12", 1), ("13", 1)]
    assert rows[2] == Queued("9", 1, frozenset({"main", "small"}), 200, 1700000100.0)
    assert rows[0].start == 1700000300.0
    assert rows[1].start is rows[4].start is None


def test_where_arrays_stand() -> None:
    found = outlooks(["7", "12", "13", "99"], read_queue(QUEUE))
    assert found == {
        "7": Outlook(1, 1700000300.0),  # behind 9; 11 wants another partition
        "13": Outlook(12, None),  # of the same priority the older ones come first
        "12": Outlook(13, None),
    }


def test_outlooks_in_words() -> None:
    now = time.mktime((2026, 11, 21, 14, 0, 0, 0, 0, -1))
    assert words(Outlook(0, None), now) == ""
    assert words(Outlook(1, now + 300), now) == "; 1 job of its partition comes first; expected to start at 14:05"
    expected = "; 12 jobs of its partition come first; expected to start at 2026-11-23 14:00"
    assert words(Outlook(12, now + 2 * 86400), now) == expected
    assert words(Outlook(0, now - 300), now) == ""  # it should have started already


class Cluster:
    """SLURM's commands as far as one array waits; what was called."""

    def __init__(self, reason: str = "Priority") -> None:
        self.reason, self.calls = reason, []  # type: str, list[Sequence[str]]

    def __call__(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.calls.append(arguments)
        said = "9|N/A|main|200|N/A\n7|0|main|100|N/A\n" if arguments[0] == "env" else f"7|0|PENDING||{self.reason}\n"
        return subprocess.CompletedProcess(arguments, 0, said, "")


def looking(cluster: Cluster, tmp_path: Path, watched: bool) -> tuple[Watching, SimpleQueue[Sequence[EngineEvent]]]:
    events: SimpleQueue[Sequence[EngineEvent]] = SimpleQueue()
    telling, jobs = Telling(events, NodePrograms().outcome), Jobs()
    telling.take("run/0/1")
    jobs.add(Job(tmp_path, Submission(tmp_path, "token", [["run/0/1"]], "7"), 0))
    watching = Watching(Commands(cluster), jobs, telling, Shared(), (0.0, 0.0))
    watching.watched = watched
    return watching, events


def told(events: SimpleQueue[Any]) -> list[str]:
    found = []
    while not events.empty():
        found += [event.message for event in events.get() if isinstance(event, Waiting)]
    return found


def test_the_queue_is_asked_once_a_look_and_only_where_somebody_wants_to_know(tmp_path: Path) -> None:
    cluster = Cluster()
    watching, events = looking(cluster, tmp_path, watched=True)
    watching.look()
    assert [call[0] for call in cluster.calls] == ["squeue", "env"]
    assert told(events) == [
        "SLURM job 7 waits behind jobs of higher priority (Priority); 1 job of its partition comes first"
    ]
    for quiet, reason in ((False, "Priority"), (True, "JobHeldUser")):
        cluster = Cluster(reason)
        watching, events = looking(cluster, tmp_path, watched=quiet)
        watching.look()
        assert [call[0] for call in cluster.calls] == ["squeue"]
        assert len(told(events)) == 1


def test_outlooks_that_change_are_told_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr(tellings, "time", clock)
    events: SimpleQueue[Sequence[EngineEvent]] = SimpleQueue()
    telling = Telling(events, NodePrograms().outcome)
    ids = ["run/0/1", "run/1/1"]
    for id in ids:
        telling.take(id)
    found = Submission(tmp_path, "token", [ids])
    for second in range(24 * 3600):
        now = float(second)
        telling.all_wait(found, "it waits", f"; {second} jobs come first")
    assert 100 < len(told(events)) < 200
    telling.all_wait(found, "something else", "; 5 jobs come first")
    telling.all_wait(found, "something else", "; 5 jobs come first")
    assert told(events) == ["something else; 5 jobs come first"]
    telling.tell([Started("run/0/1", 5.0)])  # the other one waits still
    telling.all_wait(found, "something else", "; 5 jobs come first")
    [event] = [event for batch in iter_all(events) for event in batch if isinstance(event, Waiting)]
    assert (event.id, event.message) == ("run/1/1", "something else; 5 jobs come first")


def test_units_that_run_and_can_not_be_seen(tmp_path: Path) -> None:
    cluster = Cluster()
    watching, events = looking(cluster, tmp_path, watched=False)
    watching._telling.tell([Started("run/0/1", 5.0)])
    answers = cluster.__call__

    def down(arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(arguments, 1, "", "Unable to contact slurm controller")

    watching._commands._run = down
    watching.look()
    watching.look()
    told_once = "SLURM does not answer, it will be asked again: Unable to contact slurm controller; what runs goes on"
    assert told(events) == [told_once]
    watching._commands._run = answers
    watching.look()
    watching.look()
    assert told(events) == [""]


def iter_all(events: SimpleQueue[Sequence[EngineEvent]]) -> list[Sequence[EngineEvent]]:
    found = []
    while not events.empty():
        found.append(events.get())
    return found
