"""What a driver writes down of each unit, with an engine that says what it is told to say."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

import trivet
from trivet.engines import Accepted, Attempt, Capacity, Ended, EngineEvent, Started
from trivet.records import journal
from trivet.records.directory import RunDirectory
from trivet.runs import driving, progress, start
from trivet.runs.driver import Driver
from trivet.runs.machine import Change
from trivet.runs.options import Options
from trivet.runs.reporting import Reporter
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import Program
from trivet.tasks.work import AttemptId, Outcome


class Telling:
    """Ends every attempt at once; tells starts and ends in one list, or each in a list of its own."""

    name = "telling"

    def __init__(self, together: bool) -> None:
        self.events: SimpleQueue[Sequence[EngineEvent]] = SimpleQueue()
        self._together = together

    def prepare(self, programs: Sequence[Program]) -> None: ...
    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None: ...
    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None: ...
    def close(self) -> None: ...

    def submit(self, attempts: Sequence[Attempt]) -> None:
        story: list[EngineEvent] = []
        for number, attempt in enumerate(attempts):
            outcome = Outcome(0, started=100.0 + number, ended=200.0 + number, cpu=0.5, peak_memory=4096)
            story += [Accepted(attempt.id), Started(attempt.id, 100.0 + number), Ended(attempt.id, outcome)]
        for batch in [story] if self._together else [[event] for event in story]:
            self.events.put(batch)

    def capacity(self) -> Capacity:
        return Capacity(2, 8)


def drive(home: Path, units: int, together: bool) -> RunDirectory:
    task = trivet.command(["true"], inputs={"item": {"type": "integer"}})
    directory = start.create(trivet.call(task, {"item": list(range(units))}, each="item"), Options(), home)
    Driver(directory, Telling(together), Reporter()).run()
    return directory


@pytest.mark.parametrize(
    ("together", "kinds"), [(True, {"ended", "collected"}), (False, {"started", "ended", "collected"})]
)
def test_a_start_gets_a_line_of_its_own_only_when_it_is_news(tmp_path: Path, together: bool, kinds: set[str]) -> None:
    lines = journal.read(drive(tmp_path, 20, together).journal)
    written = [(line["u"], line["e"]) for line in lines if "u" in line]
    assert sorted(written) == sorted((unit, kind) for unit in range(20) for kind in kinds)


@pytest.mark.parametrize("together", [True, False])
def test_every_unit_is_told_afterwards(tmp_path: Path, together: bool) -> None:
    state = progress.read(drive(tmp_path, 20, together))
    assert [unit.name for unit in state.units] == [str(number) for number in range(20)]
    assert {outcome.exit_code for outcome in state.outcomes.values()} == {0}
    assert state.outcomes[0] == Outcome(0, started=100.0, ended=200.0, cpu=0.5, peak_memory=4096)
    assert [change.state.value for change in state.machine.history] == [
        "CREATED", "PROVISIONED", "QUEUING", "QUEUED", "RUNNING", "FINISHED",
    ]  # fmt: skip


def test_no_event_is_lost_however_many_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each event in a list of its own, of all units at once: more lists than are taken at once.
    monkeypatch.setattr(Telling, "capacity", lambda self: Capacity(2, 1000))
    state = progress.read(drive(tmp_path, 3 * driving.BATCHES, together=False))
    assert len(state.outcomes) == 3 * driving.BATCHES


class Lasting(Telling):
    """Starts every attempt, and ends it only when told to."""

    def submit(self, attempts: Sequence[Attempt]) -> None:
        self.events.put([Started(attempt.id, 100.0) for attempt in attempts])

    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None:
        self.events.put([Ended(id, Outcome(None, reason=Reason.CANCELLED)) for id in ids])


class Interrupting(Reporter):
    """Interrupts the driver as soon as something runs, as Ctrl-C would."""

    driver: Driver

    def state(self, change: Change) -> None:
        if change.state is RunState.RUNNING:
            self.driver.stop()


def test_an_interrupt_is_acted_upon_before_the_driver_waits_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "TICK", 30.0)
    monkeypatch.setattr(journal, "SYNC_INTERVAL", 30.0)
    directory = start.create(trivet.call(trivet.command(["true"])), Options(), tmp_path)
    reporter = Interrupting()
    reporter.driver = Driver(directory, Lasting(together=True), reporter)
    begin = time.monotonic()
    assert reporter.driver.run().state is RunState.CANCELLED
    assert time.monotonic() - begin < 30.0
