"""What was asked for against what was used, from numbers made by hand; and that a run's journal keeps both."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet import api
from trivet.runs import events, using
from trivet.runs.efficiency import Efficiency, efficiency
from trivet.runs.events import Demanded
from trivet.runs.options import Options
from trivet.runs.progress import read
from trivet.runs.start import create, drive
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment, Resources
from trivet.tasks.work import Demand, Invocation, Outcome

MIB = 2**20
HOUR = 3600.0


def unit(seconds: float = 100.0, cpu: float = 90.0, peak: int | None = 300, reason: Reason | None = None) -> Outcome:
    memory = None if peak is None else peak * MIB
    return Outcome(0 if reason is None else 137, None, reason, "", 1000.0, 1000.0 + seconds, cpu, memory, "cgroup v1")


def of(demand: Demand, *outcomes: Outcome) -> Efficiency:
    found = efficiency((demand, outcome) for outcome in outcomes)
    assert found is not None
    return found


def test_numbers_are_those_of_the_largest_and_the_longest_unit() -> None:
    demand = Demand(2, 4000 * MIB, HOUR)
    found = of(demand, unit(100, 150, 200), unit(300, 250, 312), unit(200, 200, 250))
    assert found.units == 3
    assert found.memory is not None
    assert (found.memory.asked, found.memory.largest, found.memory.median) == (4000 * MIB, 312 * MIB, 250 * MIB)
    assert found.memory.measured_by == "cgroup v1"
    assert found.cpu is not None
    assert (found.cpu.seconds, found.cpu.wall, found.cpu.busy, found.cpu.share) == (600, 600, 1.0, 0.5)
    assert found.time is not None
    assert (found.time.asked, found.time.longest, found.time.median) == (HOUR, 300, 200)


def test_less_of_everything_would_do() -> None:
    memory, cpus, time = of(Demand(8, 4000 * MIB, 10 * HOUR), unit(600, 900, 312)).suggestions
    assert memory == "mem = 400 would do: the largest unit used 312 MB of 4000"
    assert cpus == "cpus_per_task = 2 would do: the busiest unit kept 1.5 of 8 CPUs busy"
    assert time.startswith("a time limit of 20 min 00 s would do")
    assert "the longest unit took 10 min 00 s of 10 h 00 min" in time


def test_no_unit_is_advised_less_than_it_used() -> None:
    demand = Demand(cpus=8)
    for used in (750, 600):  # of CPU seconds, by one unit of ten
        found = of(demand, unit(100, used), *[unit(100, 5)] * 9)
        assert [words for words in found.suggestions if "cpus" in words] == []


@pytest.mark.parametrize(
    ("demand", "outcome", "said"),
    [
        (Demand(1, 400 * MIB), unit(peak=312), []),  # nearly right already
        (Demand(1, 400 * MIB), unit(peak=399), ["mem = 500 would leave room: the largest unit used 399 MB of 400"]),
        (Demand(), unit(peak=3100), ["mem = 3900 would do: the largest unit used 3100 MB, and nothing was said"]),
        (Demand(1, 9000 * MIB), unit(peak=None), []),  # nobody measured
        (Demand(1, None, 200), unit(10, 9, None), []),  # a limit that short costs nothing
        (
            Demand(1, 400 * MIB),
            unit(peak=400, reason=Reason.OOM),
            ["mem = 800 for the next run: 1 unit ran out of memory with 400 MB"],
        ),
        (
            Demand(1, None, 60),
            unit(60, 50, None, Reason.TIMEOUT),
            ["a time limit of 2 min 00 s for the next run: 1 unit had not ended after 1 min 00 s"],
        ),
        # What failed for another reason says little about what would do.
        (Demand(8, 9000 * MIB, 10 * HOUR), unit(1, 0.1, 10, Reason.EXIT_CODE), []),
        (
            Demand(1),
            unit(100, 310, None),
            ["cpus_per_task = 4 is nearer the truth: units kept 3.1 CPUs busy, not 1"],
        ),
        (Demand(4), unit(0.1, 0.01, None), []),  # too short to tell
    ],
)
def test_what_is_suggested(demand: Demand, outcome: Outcome, said: list[str]) -> None:
    assert list(of(demand, outcome).suggestions) == said


def test_one_unit_that_ran_out_of_memory_counts_more_than_all_that_did_not() -> None:
    found = of(Demand(1, 8000 * MIB), *[unit(peak=100)] * 9, unit(peak=8000, reason=Reason.OOM))
    assert found.suggestions == ("mem = 16000 for the next run: 1 unit ran out of memory with 8000 MB",)


def test_units_that_never_ran_do_not_count() -> None:
    never = Outcome(None, reason=Reason.SUBMIT_ERROR)
    assert efficiency([(Demand(1), never)]) is None
    assert of(Demand(1), never, unit()).units == 1
    assert efficiency([]) is None


def test_demands_in_a_journal() -> None:
    event = Demanded(5.0, (0, 1, 2, 7), Demand(2, 100 * MIB, None))
    line = events.to_line(event)
    assert line == {"e": "demanded", "t": 5.0, "units": [[0, 2], [7, 7]], "cpus": 2, "memory": 100 * MIB}
    assert events.from_line(line, str) == event


def test_a_run_tells_what_its_units_asked_for_and_used(tmp_path: Path) -> None:
    call = api.call(api.command(["true"]))
    run = create(call, Options(time_limit=HOUR, memory=64 * MIB), tmp_path / "home")
    drive(run)
    [(phase, found)] = using.phases(read(run), run.path)
    assert (phase, found.units) == (0, 1)
    assert found.memory is not None
    assert found.memory.asked == 64 * MIB
    assert found.time is not None
    assert found.time.asked == HOUR


@pytest.mark.parametrize(
    ("resources", "limit", "failures", "memory", "time"),
    [
        (Resources(), None, (Reason.OOM,), 200 * MIB, None),
        (Resources(memory=300 * MIB), None, (Reason.OOM, Reason.OOM), 1200 * MIB, None),
        (Resources(), None, (Reason.TIMEOUT,), None, 120.0),
        (Resources(), 10.0, (Reason.TIMEOUT, Reason.OOM), 200 * MIB, 20.0),
        (Resources(), None, (Reason.EVICTED,), None, None),
    ],
)
def test_what_a_unit_lacked_it_gets_more_of(
    resources: Resources, limit: float | None, failures: tuple[Reason, ...], memory: int | None, time: float | None
) -> None:
    asked = Invocation(Environment(), ("true",), resources=resources, time_limit=limit)
    again = Options().applied(asked, failures, Demand(1, 100 * MIB, 60.0))
    assert (again.resources.memory, again.time_limit) == (memory, time)
