"""What a unit costs: runs of no-op processes by Trivet, against the floor and against public engines.

python benchmarks/units.py [--quick] [--full]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from environments import UnavailableError, cache, python
from measuring import FailedError, Row, Sample, cpu, environment, mean, measure, ratio, rounds, table, wall

PART = "units"
HERE = Path(__file__).parent / "contestants"
BOUND_UNITS, BOUND = 10_000, 2.0

PEERS = {
    "doit": ("with_doit.py", ["doit==0.37.0"]),
    "parsl, threads": ("with_parsl.py", ["parsl==2026.10.26"]),
    "dask.distributed": ("with_dask.py", ["distributed==2026.8.0"]),
}


def rows(quick: bool = False, full: bool = False) -> Iterator[Row]:
    """The rows of this part; ``quick`` leaves out the largest runs and the other engines, ``full`` adds 100,000."""
    pycache = cache() / "pycache"
    with tempfile.TemporaryDirectory(prefix="trivet-units-") as scratch:
        bench = _Bench(Path(scratch), pycache)
        peers: dict[str, _Contestant] = {}
        for name, (script, requirements) in ({} if quick else PEERS).items():
            try:
                peers[name] = bench.contestant(str(python(script.removesuffix(".py"), requirements)), script)
            except UnavailableError as error:
                yield Row(PART, "Trivet", name, note=f"{name} {error}")
        plan = {1: 5, 1000: 3} if quick else {1: 5, 1000: 5, 10_000: 3}
        for units, count in plan.items():
            yield from _compare(bench, peers, units, count)
        if full:
            yield from _compare(bench, {}, 100_000, 1)


class _Bench:
    """Runs contestants in fresh directories, from compiled bytecode."""

    def __init__(self, scratch: Path, pycache: Path) -> None:
        self.scratch, self.environment = scratch, environment(pycache)

    def contestant(self, interpreter: str, script: str) -> _Contestant:
        return partial(self._run, interpreter, script)

    def _run(self, interpreter: str, script: str, units: int) -> Sample:
        with tempfile.TemporaryDirectory(dir=self.scratch) as place:
            return measure([interpreter, "-P", str(HERE / script), str(units)], self.environment, Path(place))

    def trivet(self, units: int) -> Sample:
        home = tempfile.mkdtemp(dir=self.scratch)
        return measure([sys.executable, "-P", str(HERE / "with_trivet.py"), str(units), home], self.environment)

    def told(self, run: str) -> Sample:
        return measure([sys.executable, "-P", str(HERE / "told_by_trivet.py"), run], self.environment)


_Contestant = Callable[[int], Sample]


def _compare(bench: _Bench, peers: dict[str, _Contestant], units: int, count: int) -> Iterator[Row]:
    floor = bench.contestant(sys.executable, "with_floor.py")
    # The load of a shared machine changes during a round: Trivet's floor is the mean of one before and one after.
    contestants = {
        "before": partial(floor, units),
        "Trivet": partial(bench.trivet, units),
        "after": partial(floor, units),
    }
    contestants |= {name: partial(peer, units) for name, peer in peers.items()}
    for contestant in contestants.values():
        if units == 1:
            contestant()  # compiles bytecode
    try:
        samples = rounds(contestants, count)
    except FailedError as error:
        yield Row(PART, f"{units:,} units", "floor", note=str(error))
        return
    ours, least = samples["Trivet"], [mean(*pair) for pair in zip(samples["before"], samples["after"], strict=True)]
    bound = BOUND if units == BOUND_UNITS else None
    what = f"{units:,} unit{'s' if units > 1 else ''}"
    yield Row(PART, f"{what}, wall", "floor", ratio(ours, least, wall), bound, _each(ours, least, units))
    yield Row(PART, f"{what}, CPU", "floor", ratio(ours, least, cpu))
    for name in peers:
        for kind, of in (("wall", wall), ("CPU", cpu)):
            theirs = samples[name]
            note = f"{name} is {ratio(theirs, least, of):.2f} × the floor"
            yield Row(PART, f"{what}, {kind}", name, ratio(ours, theirs, of), note=note)
    yield _told(bench, ours, units)


def _each(ours: Sequence[Sample], least: Sequence[Sample], units: int) -> str:
    def milliseconds(samples: Sequence[Sample]) -> float:
        return statistics.median(sample.wall for sample in samples) / units * 1e3

    return f"{milliseconds(ours):.3f} against {milliseconds(least):.3f} ms a unit, start-up included"


def _told(bench: _Bench, ours: Sequence[Sample], units: int) -> Row:
    """What is known of each unit afterwards, what it takes on disk, and how soon the first one started."""
    last = ours[-1]
    told = bench.told(last.said)
    said = told.said
    if said["complete"] != units:
        return Row(PART, f"{units:,} told again", "the run", note=f"only {said['complete']:,} units were told")
    journal = sum(file.stat().st_size for file in Path(last.said, "journal").iterdir())
    everything = sum(file.stat().st_size for file in Path(last.said).rglob("*") if file.is_file())
    facts = (
        f"first unit after {(said['first'] - last.begin) * 1e3:.0f} ms",
        f"driver {last.peak / 2**20:.0f} MiB",
        f"journal {journal / units:.0f} and all files {everything / units:.0f} bytes a unit",
        f"exit code, times and memory of {said['complete']:,} units told in {said['seconds']:.2f} s",
    )
    return Row(PART, f"{units:,} told again, wall", "the run", told.wall / last.wall, note="; ".join(facts))


if __name__ == "__main__":
    print(table(list(rows("--quick" in sys.argv, "--full" in sys.argv))))
