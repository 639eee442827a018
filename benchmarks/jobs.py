"""What units cost in jobs, through the whole machinery: against xargs, and what a job of very many leaves behind.

    python benchmarks/jobs.py [--quick] [--full]

The task is that of `fractal_units`: a script of the standard library. A job reads its workflow and dataset, checks,
selects images, starts a unit for each, reads their outputs and brings them into the dataset. Large jobs are of no-op
processes.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from environments import cache
from fractal_units import BOUNDS, MANIFEST, SCRIPT, XARGS
from measuring import FailedError, Row, Sample, cpu, environment, mean, measure, ratio, rounds, table, wall

PART = "jobs"
UNITS = 1000
MEMORY, GROWTH, FIRST, ANSWER = 300 * 2**20, 1000, 5.0, 5.0
"""Bounds: bytes of the driver; bytes a unit of journal and record; seconds to the first unit, and until told."""
LARGE = 100_000
"""So many units the bound for the driver's memory is for."""
UPDATES, APPLY = 100_000, 2.0
"""So many updates must be applied within so many seconds of CPU, and a tenth of them in at least a twelfth of that."""
HERE = Path(__file__).parent / "contestants"


def rows(quick: bool = False, full: bool = False) -> Iterator[Row]:
    """CPU and wall time of both ways against xargs in the same round; then what is left of a large job."""
    with tempfile.TemporaryDirectory(prefix="trivet-jobs-") as scratch:
        bench = _Bench(Path(scratch))
        try:
            bench.prepare()
            yield from _against_xargs(bench, 200 if quick else UNITS, 1 if quick else 3, quick)
            yield from _large(bench, (1000, 10_000, LARGE) if full else (1000, 5000) if quick else (1000, 10_000))
            yield from _applying(bench, 1 if quick else 3)
            yield from _waiting(bench)
        except FailedError as error:
            yield Row(PART, "units in jobs", "xargs -P2", note=str(error))


def _against_xargs(bench: _Bench, units: int, count: int, quick: bool) -> Iterator[Row]:
    dataset = bench.dataset(units)
    # The load of a shared machine changes during a round: the floor is the mean of one before and one after.
    floor = partial(bench.xargs, units)
    contestants = {
        "before": floor,
        "warm": partial(bench.job, dataset, bench.trivial),
        "between": floor,
        "cold": partial(bench.job, dataset, bench.trivial, "--cold"),
        "after": floor,
    }
    bench.job(dataset, bench.trivial)  # compiles bytecode
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


def _large(bench: _Bench, sizes: Sequence[int]) -> Iterator[Row]:
    """Jobs of no-op units: the driver's memory, what each leaves, and how soon it starts and can be told about."""
    peaks: dict[int, int] = {}
    for units in sizes:
        sample = bench.job(bench.dataset(units), bench.nothing)
        said = json.loads(sample.said)
        directory = Path(said["directory"])
        begun = min(json.loads(line)["o"]["started"] for line in _ends(directory))
        kept = sum(
            file.stat().st_size for place in ("journal", "worker", "job.json") for file in _files(directory / place)
        )
        told = {verb: bench.trivet("job", verb, said["id"], "--json") for verb in ("status", "show")}
        what = f"a job of {units:,} no-op units"
        peaks[units], first = sample.peak, begun - sample.begin
        note = f"{sample.peak / 2**20:.0f} MiB; {sample.cpu / units * 1e3:.2f} ms of CPU a unit"
        yield Row(PART, f"{what}, memory of its driver", "300 MiB", sample.peak / MEMORY, 1, note)
        each = f"{kept / units:.0f} bytes"
        yield Row(PART, f"{what}, journal and records", "1 kB a unit", kept / units / GROWTH, 1, each)
        yield Row(PART, f"{what}, first unit", "5 s", first / FIRST, 1, f"after {first:.2f} s, start-up included")
        for verb, answer in told.items():
            note = f"{answer.wall:.2f} s, of which {answer.cpu:.2f} s of CPU"
            yield Row(PART, f"{what}, trivet job {verb}", "5 s", answer.wall / ANSWER, 1, note)
    least, most = min(peaks), max(peaks)
    if most < LARGE:
        expected = peaks[most] + (peaks[most] - peaks[least]) / (most - least) * (LARGE - most)
        note = f"{expected / 2**20:.0f} MiB, by what {least:,} and {most:,} units need"
        yield Row(PART, f"{LARGE:,} units, memory expected", "300 MiB", expected / MEMORY, 1, note)


def _applying(bench: _Bench, count: int) -> Iterator[Row]:
    """Updates of images, read, judged, merged, applied and written: CPU time, and how it grows."""
    samples = rounds({str(size): partial(bench.apply, size) for size in (UPDATES // 10, UPDATES)}, count)
    few, many = samples.values()
    took = statistics.median(sample.said for sample in many)
    yield Row(PART, f"{UPDATES:,} image updates, CPU", "2 s", took / APPLY, 1, f"{took:.2f} s")
    growth = statistics.median(one.said / other.said for one, other in zip(many, few, strict=True))
    yield Row(PART, f"{UPDATES:,} image updates, CPU", f"{UPDATES // 10:,}", growth, 12)


def _waiting(bench: _Bench) -> Iterator[Row]:
    """What a job costs while its units sleep: the difference between long and short sleeps."""
    dataset = bench.dataset(2)
    samples = rounds({seconds: partial(bench.job, dataset, bench.sleep(seconds)) for seconds in ("1", "11")}, 3)
    cost = statistics.median(long.cpu - short.cpu for long, short in zip(samples["11"], samples["1"], strict=True))
    yield Row(PART, "2 units that sleep, CPU of 10 s more", "50 ms", cost / 0.05, 1, f"{cost * 1e3:.0f} ms")


def _ends(directory: Path) -> Iterator[str]:
    for file in _files(directory / "journal"):
        with file.open(encoding="utf-8") as lines:
            yield from (line for line in lines if '"e":"ended"' in line)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [file for file in place.iterdir() if file.is_file()]


class _Bench:
    """A registered package with one task, workflows, datasets of images, and arguments for xargs."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.package = scratch, scratch / "trivial_tasks"
        self.manifest = self.package / "__FRACTAL_MANIFEST__.json"
        self.environment: Mapping[str, str] = environment(cache() / "pycache", TRIVET_HOME=str(scratch / "home"))

    def prepare(self) -> None:
        """Raises FailedError."""
        self.package.mkdir()
        (self.package / "trivial.py").write_text(SCRIPT)
        self.manifest.write_text(json.dumps(MANIFEST))
        given = ("--custom", str(self.manifest), "--python", sys.executable, "--package-root", str(self.package))
        self.trivet("fractal", "collect", *given, "--label", "trivial", "--version", "1")
        self.trivial = self.workflow("trivial", "Trivial")
        self.nothing = self.command("nothing", "true")

    def workflow(self, package: str, task: str) -> Path:
        """The file of a workflow of one task."""
        path = self.scratch / f"{package}.json"
        given = {"pkg_name": package, "version": "1", "name": task}
        path.write_text(json.dumps({"name": package, "task_list": [{"task": given}]}))
        return path

    def command(self, name: str, command: str) -> Path:
        """The file of a workflow whose one task is a command. Raises FailedError."""
        self.trivet("fractal", "collect", "--command", command, "--name", name, "--label", name, "--version", "1")
        return self.workflow(name, name)

    def sleep(self, seconds: str) -> Path:
        """A workflow of a task that sleeps. Raises FailedError."""
        path = self.scratch / f"sleep-{seconds}"
        path.write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
        path.chmod(0o755)
        return self.command(f"sleep-{seconds}", str(path))

    def dataset(self, units: int) -> str:
        """A dataset with so many images, and as many files of arguments for xargs. Raises FailedError."""
        name, arguments = f"images-{units}", self.scratch / f"arguments-{units}"
        if not arguments.exists():
            path = self.scratch / f"{name}.json"
            urls = [f"/plate/{number}" for number in range(units)]
            path.write_text(
                json.dumps({"name": name, "zarr_dir": "/plate", "images": [{"zarr_url": url} for url in urls]})
            )
            self.trivet("dataset", "import", str(path))
            arguments.mkdir()
            for number, url in enumerate(urls):
                (arguments / f"{number}.json").write_text(json.dumps({"zarr_url": url}))
        return name

    def xargs(self, units: int) -> Sample:
        with tempfile.TemporaryDirectory(dir=self.scratch) as out:
            script, arguments = str(self.package / "trivial.py"), str(self.scratch / f"arguments-{units}")
            words = [str(units), sys.executable, script, arguments, out]
            return measure(["sh", "-c", XARGS, "sh", *words], self.environment)

    def job(self, dataset: str, workflow: Path, *more: str) -> Sample:
        return self.trivet("job", "run", str(workflow), "--dataset", dataset, "--slots", "2", "--json", *more)

    def apply(self, updates: int) -> Sample:
        with tempfile.TemporaryDirectory(dir=self.scratch) as home:
            words = [str(HERE / "apply_updates.py"), str(updates), home, str(self.manifest)]
            return measure([sys.executable, "-P", *words], self.environment)

    def trivet(self, *words: str) -> Sample:
        return measure([sys.executable, "-P", "-m", "trivet", *words], self.environment)


if __name__ == "__main__":
    print(table(list(rows("--quick" in sys.argv, "--full" in sys.argv))))
