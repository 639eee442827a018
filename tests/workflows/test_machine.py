"""The machine of a job, and retries in that of a run: any order of events, killed at any moment, stopped any time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.runs import events as runs
from trivet.runs import machine as run
from trivet.runs.machine import Machine
from trivet.runs.options import Options
from trivet.runs.retrying import Retries
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import Environment, Resources
from trivet.tasks.work import Invocation, Outcome, RunResult, UnitResult
from trivet.workflows.events import Applied, Asked, Event, Selected, Within, from_line, to_line
from trivet.workflows.machine import Apply, Do, Instruction, JobMachine, Select

LIMIT = 2
RETRIES = Retries(2)


@dataclass
class World:
    """Engine, contract and dataset that remember everything: the units of each step, how often each fails for a reason
    that may pass, and which fail for good."""

    units: list[int]
    passing: dict[tuple[int, int], int]
    failing: set[tuple[int, int]]
    running: dict[tuple[int, int, int], None] = field(default_factory=dict)
    ended: dict[tuple[int, int, int], Outcome] = field(default_factory=dict)
    applied: dict[int, Applied] = field(default_factory=dict)
    starts: list[tuple[int, int, int]] = field(default_factory=list)

    def perform(self, instruction: Instruction, machine: JobMachine) -> list[Event]:
        match instruction:
            case Select(step):
                return [Selected(1.0, step, 1, self.units[step])]
            case Apply(step, results, stopped):
                failed = [one for one in results if not one.ok]
                state = RunState.CANCELLED if stopped else RunState.FAILED if failed else RunState.FINISHED
                reason = stopped.reason if stopped else failed[0].reason if failed else None
                return [self.applied.setdefault(step, Applied(2.0, step, 2, RunResult(state, reason)))]
            case Do(step, inner):
                return [Within(step, event) for event in self.within(step, inner, machine)]

    def within(self, step: int, instruction: run.Instruction, machine: JobMachine) -> list[runs.Event]:
        assert machine.run is not None
        failures = machine.run.failures
        match instruction:
            case run.Plan(phase, _):
                return [runs.Planned(1.0, self.units[step] if phase == 0 else None)]
            case run.Start(units):
                for unit in units:
                    name = (step, unit, len(failures.get(unit, ())) + 1)
                    if name not in self.ended and name not in self.running:
                        self.running[name] = None
                        self.starts.append(name)
                known = [(unit, self.ended.get((step, unit, len(failures.get(unit, ())) + 1))) for unit in units]
                return [runs.Ended(1.0, unit, outcome) for unit, outcome in known if outcome is not None]
            case run.Collect(unit, outcome):
                reason = outcome.reason or (None if outcome.exit_code == 0 else Reason.EXIT_CODE)
                return [runs.Collected(1.0, unit, UnitResult(str(unit), reason))]
            case run.Wait(unit, seconds):
                assert seconds == 2.0 ** (len(failures[unit]) - 1)
                return [runs.Again(1.0, unit)]
            case run.Cancel(units):
                names = [name for name in self.running if name[1] in units]
                return [self.end(name, Outcome(143, 15, Reason.CANCELLED)) for name in names]
        raise AssertionError(instruction)

    def end(self, name: tuple[int, int, int], outcome: Outcome | None = None) -> runs.Ended:
        step, unit, nth = name
        if outcome is None:
            outcome = Outcome(3) if (step, unit) in self.failing else Outcome(0)
            if nth <= self.passing.get((step, unit), 0):
                outcome = Outcome(None, reason=Reason.OOM)
        del self.running[name]
        self.ended[name] = outcome
        return runs.Ended(1.0, unit, outcome)


def make(step: int) -> Machine:
    return Machine(100, RETRIES, LIMIT)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(0, 5), st.booleans())
def test_every_attempt_is_started_once_and_every_step_applied_once(
    data: st.DataObject, units: list[int], kills: int, stops: bool
) -> None:
    every = [(step, unit) for step, count in enumerate(units) for unit in range(count)]
    some = st.sets(st.sampled_from(every)) if every else st.just(set())
    passing = {name: data.draw(st.integers(1, 3)) for name in sorted(data.draw(some))}
    world = World(units, passing, data.draw(some))
    last = len(units) - 1
    machine, journal, todo = JobMachine(0, last, make), list[Event](), list[Instruction]()
    mail: list[Event] = [Asked(0.0)]
    for _ in range(5000):
        if machine.result is not None:
            break
        choices = ["perform"] * bool(todo) + ["mail"] * bool(mail) + ["end"] * bool(world.running)
        choices += ["kill"] * (kills > 0) + ["stop"] * stops
        match data.draw(st.sampled_from(choices)):
            case "perform":
                mail += world.perform(todo.pop(0), machine)
            case "mail":
                event = mail.pop(0)
                journal.append(event)
                todo += machine.handle(event)
            case "end":
                name = data.draw(st.sampled_from(sorted(world.running)))
                mail.append(Within(name[0], world.end(name)))
            case "stop":
                stops = False
                mail.append(runs.Stopped(1.0, Reason.CANCELLED, "enough"))
            case "kill":
                kills -= 1
                machine = JobMachine(0, last, make)
                for event in journal:
                    machine.handle(from_line(to_line(event), lambda step, number: str(number)))
                todo = machine.pending()
                mail = [] if journal else [Asked(0.0)]
        assert len(world.running) <= LIMIT
    assert machine.result is not None, "the job hangs"
    assert len(world.starts) == len(set(world.starts))
    assert all(nth <= RETRIES.limit + 1 for _, _, nth in world.starts)
    if machine.stopped is None:
        bad = {step for step, unit in world.failing if world.passing.get((step, unit), 0) <= 2}
        bad |= {step for (step, _), times in world.passing.items() if times > 2}
        first = min(bad, default=last)
        assert sorted(world.applied) == list(range(first + 1))
        assert machine.result.state is (RunState.FAILED if bad else RunState.FINISHED)
        attempts = {
            (step, unit): min(world.passing.get((step, unit), 0), 2) + 1 for step, unit in every if step <= first
        }
        assert len(world.starts) == sum(attempts.values())
    elif machine.result.state is RunState.CANCELLED:
        assert not world.running


def test_retries_are_for_reasons_that_may_pass() -> None:
    assert Retries(1).delay([Reason.OOM]) == 1.0
    assert Retries(3).delay([Reason.OOM, Reason.TIMEOUT, Reason.EVICTED]) == 4.0
    assert Retries(1).delay([Reason.OOM, Reason.OOM]) is None
    assert Retries(99).delay([Reason.LOST] * 20) == 60.0
    for reason in (Reason.EXIT_CODE, Reason.INVALID_OUTPUT, Reason.CANCELLED, Reason.SUBMIT_ERROR):
        assert Retries(5).delay([reason]) is None


def test_a_cluster_takes_nodes_away_as_a_matter_of_course() -> None:
    retries = Options(engine="slurm").retrying
    assert retries.delay([Reason.EVICTED] * 3) == 4.0
    assert retries.delay([Reason.EVICTED] * 4) is None
    assert retries.delay([Reason.TIMEOUT]) is None
    assert Options().retrying.delay([Reason.LOST]) is None


@pytest.mark.parametrize(
    ("failures", "memory", "limit"),
    [
        ((), 100, 7.0),
        ((Reason.OOM,), 200, 7.0),
        ((Reason.OOM, Reason.LOST, Reason.OOM), 400, 7.0),
        ((Reason.TIMEOUT,), 100, 14.0),
    ],
)
def test_a_further_attempt_gets_more_of_what_was_lacking(
    failures: tuple[Reason, ...], memory: int, limit: float
) -> None:
    first = Invocation(Environment(), ("true",), resources=Resources(memory=100))
    again = Options(time_limit=7.0).applied(first, failures)
    assert (again.resources.memory, again.time_limit) == (memory, limit)
    assert len(again.notes) == len({Reason.OOM, Reason.TIMEOUT} & set(failures))
    assert replace(again, notes=()).resources.cpus is None


def test_a_unit_that_waits_to_be_started_again_counts_as_failed_when_the_run_is_stopped() -> None:
    machine = Machine(4, Retries(1))
    machine.handle(runs.Asked(0.0))
    machine.handle(runs.Planned(1.0, 1))
    machine.handle(runs.Ended(1.0, 0, Outcome(None, reason=Reason.OOM)))
    failed = UnitResult("0", Reason.OOM)
    assert machine.handle(runs.Collected(1.0, 0, failed)) == [run.Wait(0, 1.0)]
    stop = runs.Stopped(2.0, Reason.CANCELLED, "enough")
    assert machine.handle(stop) == [run.Conclude((failed,), stop)]
    assert (machine.done, machine.failed) == (1, 1)
    assert machine.handle(runs.Again(3.0, 0)) == []
