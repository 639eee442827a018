"""The machine against a small simulated world: any order of events, killed at any moment, told twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.runs.events import (
    Accepted,
    Asked,
    Collected,
    Concluded,
    Ended,
    Event,
    Planned,
    Started,
    Stopped,
    Waiting,
    from_line,
    to_line,
)
from trivet.runs.machine import Cancel, Collect, Conclude, Instruction, Machine, Plan, Start, replay
from trivet.tasks.states import Reason, RunState
from trivet.tasks.work import LogPart, Outcome, RunResult, UnitResult

GOOD = Outcome(0)
BAD = Outcome(3)


@dataclass
class World:
    """An engine and a contract that remember everything, as the real ones do, however often the driver dies."""

    phases: list[int]
    failing: set[int] = field(default_factory=set)
    starts: dict[int, int] = field(default_factory=dict)
    running: list[int] = field(default_factory=list)
    ended: dict[int, Outcome] = field(default_factory=dict)

    def perform(self, instruction: Instruction) -> list[Event]:
        match instruction:
            case Plan(phase, before):
                if phase > 0:
                    assert len(before) == self.phases[phase - 1]
                return [Planned(1.0, self.phases[phase] if phase < len(self.phases) else None)]
            case Start(units):
                events: list[Event] = []
                for unit in units:
                    if unit in self.ended:
                        events.append(Ended(2.0, unit, self.ended[unit]))
                    elif unit not in self.running:
                        self.starts[unit] = self.starts.get(unit, 0) + 1
                        self.running.append(unit)
                        events.append(Started(2.0, unit))
                return events
            case Collect(unit, outcome):
                reason = outcome.reason or (None if outcome.exit_code == 0 else Reason.EXIT_CODE)
                return [Collected(3.0, unit, UnitResult(str(unit), reason, exit_code=outcome.exit_code))]
            case Cancel(units):
                return [self.end(unit, Outcome(143, 15, Reason.CANCELLED)) for unit in units if unit in self.running]
            case Conclude(results, stopped):
                assert [int(result.unit) for result in results] == sorted(int(result.unit) for result in results)
                failed = [result for result in results if not result.ok]
                if stopped is not None:
                    return [Concluded(4.0, RunResult(RunState.CANCELLED, stopped.reason, stopped.message))]
                state = RunState.FAILED if failed else RunState.FINISHED
                return [Concluded(4.0, RunResult(state, failed[0].reason if failed else None))]

    def end(self, unit: int, outcome: Outcome | None = None) -> Event:
        self.running.remove(unit)
        self.ended[unit] = outcome or (BAD if unit in self.failing else GOOD)
        return Ended(2.5, unit, self.ended[unit])


def check_invariants(machine: Machine, world: World) -> None:
    assert all(count == 1 for count in world.starts.values())
    assert len(machine.flying) <= machine.window
    assert machine.done <= len(machine.results)
    states = [change.state for change in machine.history]
    order = list(RunState)
    assert [order.index(state) for state in states] == sorted(order.index(state) for state in states)


def simulate(world: World, window: int, draw: st.DrawFn, kills: int, cancels: bool) -> Machine:
    journal: list[Event] = []
    machine = Machine(window)
    todo: list[Instruction] = []
    mail: list[Event] = [Asked(0.0)]
    for _ in range(10_000):
        if machine.result is not None:
            return machine
        choices = ["perform"] * bool(todo) + ["mail"] * bool(mail) + ["end"] * bool(world.running)
        choices += ["kill"] * (kills > 0) + ["stop"] * cancels
        match draw(st.sampled_from(choices)):
            case "perform":
                mail += world.perform(todo.pop(0))
            case "mail":
                event = mail.pop(draw(st.integers(0, len(mail) - 1)) if isinstance(mail[0], Started | Ended) else 0)
                journal.append(event)
                todo += machine.handle(event)
            case "end":
                mail.append(world.end(draw(st.sampled_from(world.running))))
            case "stop":
                cancels = False
                mail.append(Stopped(5.0, Reason.CANCELLED, "enough"))
            case "kill":
                kills -= 1
                machine = Machine(window)
                todo = replay(machine, journal)
                mail = [] if journal else [Asked(0.0)]
        check_invariants(machine, world)
    raise AssertionError("the run hangs")


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(1, 4), st.integers(0, 6))
def test_every_unit_is_started_once_and_the_end_is_the_same_however_often_the_driver_dies(
    data: st.DataObject, phases: list[int], window: int, kills: int
) -> None:
    failing = data.draw(st.sets(st.integers(0, max(sum(phases) - 1, 0)), max_size=2))
    machine = simulate(World(phases, failing), window, data.draw, kills, cancels=False)
    expected_units = 0
    broken = False
    for count in phases:
        units = range(expected_units, expected_units + count)
        expected_units += count
        broken = any(unit in failing for unit in units)
        if broken:
            break
    assert machine.result is not None
    assert machine.result.state is (RunState.FAILED if broken else RunState.FINISHED)
    assert machine.done == expected_units
    assert all(result is not None for result in machine.results)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(st.integers(0, 4), min_size=1, max_size=2), st.integers(1, 3), st.integers(0, 4))
def test_a_cancelled_run_ends_and_nothing_runs_on(
    data: st.DataObject, phases: list[int], window: int, kills: int
) -> None:
    world = World(phases)
    machine = simulate(world, window, data.draw, kills, cancels=True)
    assert machine.result is not None
    assert not world.running


def test_a_run_goes_through_the_documented_states() -> None:
    machine = Machine(2)
    assert machine.handle(Asked(1.0)) == [Plan(0, ())]
    assert machine.handle(Planned(2.0, 1)) == [Start((0,))]
    assert machine.handle(Accepted(3.0)) == []
    assert machine.handle(Waiting(4.0, "pulling")) == []
    assert machine.handle(Started(5.0, 0)) == []
    assert machine.handle(Ended(6.0, 0, GOOD)) == [Collect(0, GOOD)]
    result = UnitResult("0", exit_code=0)
    assert machine.handle(Collected(7.0, 0, result)) == [Plan(1, (result,))]
    assert machine.handle(Planned(8.0, None)) == [Conclude((result,), None)]
    machine.handle(Concluded(9.0, RunResult(RunState.FINISHED, exit_code=0)))
    assert [(change.state.value, change.at) for change in machine.history] == [
        ("CREATED", 1.0),
        ("PROVISIONED", 2.0),
        ("QUEUING", 2.0),
        ("QUEUED", 3.0),
        ("PENDING", 4.0),
        ("RUNNING", 5.0),
        ("FINISHED", 9.0),
    ]


def test_the_end_of_a_unit_says_that_it_ran() -> None:
    machine = Machine(2)
    for event in (Asked(1.0), Planned(2.0, 2), Accepted(3.0), Ended(6.0, 0, Outcome(0, started=4.0, ended=5.0))):
        machine.handle(event)
    assert machine.state is RunState.RUNNING
    assert machine.history[-1].at == 4.0


def test_the_end_of_a_unit_that_never_ran_says_nothing_else() -> None:
    machine = Machine(2)
    for event in (Asked(1.0), Planned(2.0, 2), Accepted(3.0), Ended(6.0, 0, Outcome(None, reason=Reason.IMAGE_PULL))):
        machine.handle(event)
    assert machine.state is RunState.QUEUED


def test_no_more_units_than_the_window_are_with_the_engine() -> None:
    machine = Machine(4)
    machine.handle(Asked(0.0))
    assert machine.handle(Planned(0.0, 10)) == [Start((0, 1, 2, 3))]
    assert machine.handle(Ended(0.0, 0, GOOD)) == [Collect(0, GOOD)]
    assert machine.handle(Ended(0.0, 1, GOOD)) == [Collect(1, GOOD), Start((4, 5))]


def test_after_a_failure_the_other_units_go_on_but_no_further_phase_is_planned() -> None:
    machine = Machine(4)
    machine.handle(Asked(0.0))
    machine.handle(Planned(0.0, 2))
    failed = UnitResult("0", Reason.EXIT_CODE, exit_code=3)
    machine.handle(Ended(0.0, 0, BAD))
    assert machine.handle(Collected(0.0, 0, failed)) == []
    machine.handle(Ended(0.0, 1, GOOD))
    good = UnitResult("1", exit_code=0)
    assert machine.handle(Collected(0.0, 1, good)) == [Conclude((failed, good), None)]


def test_events_that_come_twice_change_nothing() -> None:
    machine = Machine(1)
    machine.handle(Asked(0.0))
    machine.handle(Planned(0.0, 1))
    machine.handle(Ended(0.0, 0, GOOD))
    assert machine.handle(Ended(0.0, 0, BAD)) == []
    assert machine.handle(Asked(0.0)) == []
    assert machine.handle(Planned(0.0, 7)) == []
    assert machine.pending() == [Collect(0, GOOD)]


@pytest.mark.parametrize(
    "event",
    [
        Asked(1.5),
        Planned(1.5, 3),
        Planned(1.5, None),
        Accepted(1.5),
        Waiting(1.5, "pulling « image »"),
        Started(1.5, 2),
        Ended(1.5, 2, Outcome(137, 9, Reason.OOM, "out of memory", 1.0, 2.0, 0.5, 1 << 40, "cgroup v2",
                              LogPart("logs/slot-0.log", 7, 9), "sha256:1", "host")),
        Ended(1.5, 2, Outcome(None, reason=Reason.LOST)),
        Collected(1.5, 2, UnitResult("unit-2", Reason.INVALID_OUTPUT, "no", 0, {"n": float("inf")}, note={"a": [1]})),
        Stopped(1.5, Reason.CANCELLED, "enough"),
        Concluded(1.5, RunResult(RunState.FAILED, Reason.EXIT_CODE, "exit code 3", 3, {"x": [1, None]})),
    ],
)  # fmt: skip
def test_an_event_survives_the_journal(event: Event) -> None:
    assert from_line(to_line(event), lambda number: f"unit-{number}") == event


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_narrower_window_loses_nothing_of_what_a_wider_one_wrote(order: list[int]) -> None:
    machine = Machine(1)
    history: list[Event] = [Asked(0.0), Planned(1.0, 3)]
    history += [Ended(2.0, unit, GOOD) for unit in order]
    history += [Collected(3.0, unit, UnitResult(str(unit))) for unit in order]
    assert replay(machine, history) == [Plan(1, tuple(UnitResult(str(unit)) for unit in range(3)))]
    assert (machine.done, machine.failed) == (3, 0)


def test_what_goes_on() -> None:
    machine = Machine(window=10)
    for event in (Asked(1.0), Planned(1.0, 5), Waiting(2.0, "an image is made", 0)):
        machine.handle(event)
    assert str(machine.standing) == "5 waiting: an image is made"
    machine.handle(Started(3.0, 1))
    assert machine.standing == (1, 4, "an image is made")
    machine.handle(Started(3.0, 0))
    assert machine.standing == (2, 3, "")
    machine.handle(Waiting(4.0, "no node is free", 2))
    machine.handle(Ended(5.0, 0, GOOD))
    assert machine.standing == (1, 3, "no node is free")
    machine.handle(Collected(5.0, 0, UnitResult("0")))
    assert machine.standing == (1, 3, "no node is free")
    for unit in (1, 2, 3, 4):
        machine.handle(Ended(6.0, unit, GOOD))
        machine.handle(Collected(6.0, unit, UnitResult(str(unit))))
    assert machine.standing == (0, 0, "")
    assert str(machine.standing) == ""


def test_units_that_run_out_of_sight() -> None:
    machine = Machine(window=1)
    for event in (Asked(1.0), Planned(1.0, 1), Started(2.0, 0), Waiting(3.0, "out of reach", 0)):
        machine.handle(event)
    assert (machine.state, machine.standing) == (RunState.RUNNING, (1, 0, "out of reach"))
    machine.handle(Waiting(4.0, "", 0))
    assert machine.standing == (1, 0, "")


def test_who_waits_is_in_the_journal() -> None:
    for event in (Waiting(1.0, "no node is free", 7), Waiting(1.0, "no node is free")):
        assert from_line(to_line(event), str) == event
