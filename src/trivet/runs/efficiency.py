"""What units asked for against what they used, with what would do for the next run. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from trivet.tasks.quantities import format_duration
from trivet.tasks.states import Reason
from trivet.tasks.work import Demand, Outcome

MIB = 2**20
ROOM = 1.25
"""So much more than what was used is suggested."""
WORTH = 0.75
"""Less is suggested only where it is at most this part of what was asked for."""
TIGHT = 0.95
"""More is suggested where more than this part of what was asked for was used."""
SHORT = 300.0
"""Seconds; what may take no longer than this is not worth a shorter limit."""

_MINUTES = (5, 10, 15, 20, 30, 45, 60, 90)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: the most that a unit asked for (None: nothing was said), the largest and the median peak.

    ``measured_by`` says how the largest was measured.
    """

    asked: int | None
    largest: int
    median: int
    measured_by: str


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPUs of a unit as asked for (None: nothing was said), and how many units kept busy on average: CPU ``seconds``
    of all by the ``wall`` seconds of all; and how many the busiest unit did, of those that took a second at least."""

    asked: float | None
    busy: float
    seconds: float
    wall: float
    busiest: float

    @property
    def share(self) -> float:
        """How much of what was asked for was used, 1 for all of it; a unit that said nothing counts as one CPU."""
        return self.busy / (self.asked or 1.0)


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds: the most that a unit was allowed (None: any), the longest and the median."""

    asked: float | None
    longest: float
    median: float


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Of ``units`` that ran; None where nobody measured. ``suggestions`` are sentences for people."""

    units: int
    memory: Memory | None
    cpu: Cpu | None
    time: Time | None
    suggestions: tuple[str, ...]


def efficiency(units: Iterable[tuple[Demand, Outcome]]) -> Efficiency | None:
    """Compare the demands of units that are alike with their outcomes; None when none of them ran."""
    ran = [(demand, outcome) for demand, outcome in units if outcome.started is not None and outcome.ended is not None]
    if not ran:
        return None
    memory, cpu, time = _memory(ran), _cpu(ran), _time(ran)
    well = sum(_well(outcome) for _, outcome in ran)
    reasons = [outcome.reason for _, outcome in ran]
    suggestions = (
        *_about_memory(memory, reasons.count(Reason.OOM), well),
        *_about_cpus(cpu, well),
        *_about_time(time, reasons.count(Reason.TIMEOUT), well),
    )
    return Efficiency(len(ran), memory, cpu, time, suggestions)


_Ran = Sequence[tuple[Demand, Outcome]]


def _well(outcome: Outcome) -> bool:
    return outcome.reason is None and outcome.exit_code == 0


def _memory(ran: _Ran) -> Memory | None:
    peaks = [(one.peak_memory, one.measured_by) for _, one in ran if one.peak_memory is not None]
    if not peaks:
        return None
    largest, how = max(peaks)
    asked = max((demand.memory for demand, _ in ran if demand.memory is not None), default=None)
    return Memory(asked, largest, int(median(peak for peak, _ in peaks)), how)


def _cpu(ran: _Ran) -> Cpu | None:
    measured = [(one.cpu, _took(one)) for _, one in ran if one.cpu is not None]
    seconds, wall = (sum(part) for part in zip(*measured, strict=True)) if measured else (0.0, 0.0)
    if wall <= 0:
        return None
    asked = max((demand.cpus for demand, _ in ran if demand.cpus is not None), default=None)
    busiest = max((used / took for used, took in measured if took >= 1), default=seconds / wall)
    return Cpu(asked, seconds / wall, seconds, wall, busiest)


def _time(ran: _Ran) -> Time:
    asked = max((demand.time for demand, _ in ran if demand.time is not None), default=None)
    times = [_took(outcome) for _, outcome in ran]
    return Time(asked, max(times), median(times))


def _took(outcome: Outcome) -> float:
    return max(0.0, (outcome.ended or 0.0) - (outcome.started or 0.0))


# --- What would do next time --------------------------------------------------------------------------------------


def _about_memory(memory: Memory | None, failed: int, well: int) -> Iterator[str]:
    if memory is None:
        return
    used = math.ceil(memory.largest / MIB)
    if failed:
        had = max(memory.asked or 0, memory.largest)
        more = _round_up(2 * had / MIB)
        yield f"mem = {more} for the next run: {_units(failed)} ran out of memory with {math.ceil(had / MIB)} MB"
    elif well:
        enough = _round_up(used * ROOM)
        if memory.asked is None:
            yield f"mem = {enough} would do: the largest unit used {used} MB, and nothing was said"
        elif enough <= WORTH * memory.asked / MIB:
            yield f"mem = {enough} would do: the largest unit used {used} MB of {memory.asked // MIB}"
        elif memory.largest > TIGHT * memory.asked:
            yield f"mem = {enough} would leave room: the largest unit used {used} MB of {memory.asked // MIB}"


def _about_cpus(cpu: Cpu | None, well: int) -> Iterator[str]:
    if cpu is None or not well or cpu.wall < 1:
        return
    asked = cpu.asked or 1.0
    enough = max(1, math.ceil(cpu.busiest * ROOM))
    if cpu.asked is not None and asked > 1 and enough <= WORTH * asked:
        yield f"cpus_per_task = {enough} would do: the busiest unit kept {cpu.busiest:.1f} of {asked:g} CPUs busy"
    elif cpu.busy > asked * ROOM:
        enough = math.ceil(cpu.busy)
        yield f"cpus_per_task = {enough} is nearer the truth: units kept {cpu.busy:.1f} CPUs busy, not {asked:g}"


def _about_time(time: Time | None, failed: int, well: int) -> Iterator[str]:
    if time is None or time.asked is None:
        return
    if failed:
        had, more = format_duration(time.asked), format_duration(2 * time.asked)
        yield f"a time limit of {more} for the next run: {_units(failed)} had not ended after {had}"
        return
    enough = _longer(time.longest * 2)
    if well and time.asked > SHORT and enough <= WORTH * time.asked:
        took = format_duration(time.longest)
        yield (
            f"a time limit of {format_duration(enough)} would do, and short jobs start sooner: "
            f"the longest unit took {took} of {format_duration(time.asked)}"
        )


def _round_up(megabytes: float) -> int:
    """To a number that people write: two figures, and steps of 100 below 1000."""
    step: int = max(100, 10 ** max(0, len(str(math.ceil(megabytes))) - 2))
    return math.ceil(megabytes / step) * step


def _longer(seconds: float) -> float:
    """The next length of time that people write."""
    minutes = math.ceil(seconds / 60)
    return 60.0 * next((one for one in _MINUTES if one >= minutes), math.ceil(minutes / 60) * 60)


def _units(count: int) -> str:
    return f"{count} unit{'' if count == 1 else 's'}"
