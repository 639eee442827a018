"""What units cost in jobs, through the whole machinery: against xargs, and what a job of very many leaves behind.

    python benchmarks/jobs.py [--quick] [--full]

The task is that of `fractal_units`: a script of the standard library. A job reads its workflow and dataset, checks,
selects images, starts a unit for each, reads their outputs and brings them into the dataset.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from environments import cache
from fractal_units import BOUNDS, MANIFEST, SCRIPT, XARGS
from measuring import FailedError, Row, Sample, cpu, environment, mean, measure, ratio, rounds, table, wall

PART = "jobs"
UNITS = 1000
MEMORY, GROWTH, FIRST, ANSWER = 300 * 2**20, 1000, 5.0, 5.0
"""Bounds: bytes of the driver; bytes a unit of journal and record; seconds to the first unit, and until told."""


def rows(quick: bool = False, full: bool = False) -> Iterator[Row]:
    """CPU and wall time of both ways against xargs in the same round; then what is left of a large job."""
    with tempfile.TemporaryDirectory(prefix="trivet-jobs-") as scratch:
        bench = _Bench(Path(scratch))
        try:
            bench.prepare()
            yield from _against_xargs(bench, 200 if quick else UNITS, 1 if quick else 5, quick)
            for units in (1000,) if quick else (1000, 10_000, 100_000) if full else (1000, 10_000):
                yield from _large(bench, units)
        except FailedError as error:
            yield Row(PART, "units in jobs", "xargs -P2", note=str(error))


def _against_xargs(bench: _Bench, units: int, count: int, quick: bool) -> Iterator[Row]:
    dataset = bench.dataset(units)
    # The load of a shared machine changes during a round: the floor is the mean of one before and one after.
    floor = partial(bench.xargs, units)
    contestants = {
        "before": floor,
        "warm": partial(bench.job, dataset),
        "between": floor,
        "cold": partial(bench.job, dataset, "--cold"),
        "after": floor,
    }
    bench.job(dataset)  # compiles bytecode
    samples = rounds(contestants, count)
    for way, one, other in (("warm", "before", "between"), ("cold", "between", "after")):
        least = [mean(*pair) for pair in zip(samples[one], samples[other], strict=True)]
        for kind, of in (("CPU", cpu), ("wall", wall)):
            bound = None if quick else BOUNDS[way, kind]
            ours, theirs = (
                statistics.median(of(sample) for sample in side) / units * 1e3 for side in (samples[way], least)
            )
            each = sorted(of(mine) / of(other) for mine, other in zip(samples[way], least, strict=True))
            note = f"{ours:.2f} against {theirs:.2f} ms a unit; rounds {each[0]:.2f} to {each[-1]:.2f}"
            yield Row(PART, f"{units:,} units, {way}, {kind}", "xargs -P2", ratio(samples[way], least, of), bound, note)


def _large(bench: _Bench, units: int) -> Iterator[Row]:
    """A job of so many units: the driver's memory, what it leaves, and how soon it starts and can be told about."""
    sample = bench.job(bench.dataset(units))
    said = json.loads(sample.said)
    directory = Path(said["directory"])
    begun = min(json.loads(line)["o"]["started"] for line in _ends(directory))
    kept = sum(file.stat().st_size for place in ("journal", "job.json") for file in _files(directory / place))
    told = {verb: bench.trivet("job", verb, said["id"], "--json") for verb in ("status", "show")}
    what = f"a job of {units:,} units"
    peak, first = sample.peak, begun - sample.begin
    yield Row(PART, f"{what}, memory of its driver", "300 MiB", peak / MEMORY, 1, f"{peak / 2**20:.0f} MiB")
    yield Row(PART, f"{what}, journal and record", "1 kB a unit", kept / units / GROWTH, 1, f"{kept / units:.0f} bytes")
    yield Row(PART, f"{what}, first unit", "5 s", first / FIRST, 1, f"after {first:.2f} s, start-up included")
    for verb, answer in told.items():
        note = f"{answer.wall:.2f} s, of which {answer.cpu:.2f} s of CPU"
        yield Row(PART, f"{what}, trivet job {verb}", "5 s", answer.wall / ANSWER, 1, note)


def _ends(directory: Path) -> Iterator[str]:
    for file in _files(directory / "journal"):
        with file.open(encoding="utf-8") as lines:
            yield from (line for line in lines if '"e":"ended"' in line)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [file for file in place.iterdir() if file.is_file()]


class _Bench:
    """A registered package with one task, a workflow of it, datasets of images, and arguments for xargs."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.package = scratch, scratch / "trivial_tasks"
        self.workflow = scratch / "trivial.json"
        self.environment: Mapping[str, str] = environment(cache() / "pycache", TRIVET_HOME=str(scratch / "home"))

    def prepare(self) -> None:
        """Raises FailedError."""
        self.package.mkdir()
        (self.package / "trivial.py").write_text(SCRIPT)
        manifest = self.package / "__FRACTAL_MANIFEST__.json"
        manifest.write_text(json.dumps(MANIFEST))
        task = {"pkg_name": "trivial-tasks", "version": "1", "name": "Trivial"}
        self.workflow.write_text(json.dumps({"name": "trivial", "task_list": [{"task": task}]}))
        given = ("--custom", str(manifest), "--python", sys.executable, "--package-root", str(self.package))
        self.trivet("fractal", "collect", *given, "--label", "trivial-tasks", "--version", "1")

    def dataset(self, units: int) -> str:
        """The file of a dataset with so many images."""
        path = self.scratch / f"images-{units}.json"
        images = [{"zarr_url": f"/plate/{number}"} for number in range(units)]
        path.write_text(json.dumps({"name": f"images-{units}", "zarr_dir": "/plate", "images": images}))
        self.trivet("dataset", "import", str(path))
        arguments = self.scratch / f"arguments-{units}"
        arguments.mkdir()
        for number in range(units):
            (arguments / f"{number}.json").write_text(json.dumps({"zarr_url": f"/plate/{number}"}))
        return f"images-{units}"

    def xargs(self, units: int) -> Sample:
        with tempfile.TemporaryDirectory(dir=self.scratch) as out:
            script, arguments = str(self.package / "trivial.py"), str(self.scratch / f"arguments-{units}")
            words = [str(units), sys.executable, script, arguments, out]
            return measure(["sh", "-c", XARGS, "sh", *words], self.environment)

    def job(self, dataset: str, *more: str) -> Sample:
        return self.trivet("job", "run", str(self.workflow), "--dataset", dataset, "--slots", "2", "--json", *more)

    def trivet(self, *words: str) -> Sample:
        return measure([sys.executable, "-P", "-m", "trivet", *words], self.environment)


if __name__ == "__main__":
    print(table(list(rows("--quick" in sys.argv, "--full" in sys.argv))))
