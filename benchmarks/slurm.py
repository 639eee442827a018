"""What a cluster's units cost: Trivet's SLURM engine on a cluster of three pretended nodes, on this machine.

    python benchmarks/slurm.py [--quick]

Units that do nothing, against an array script written by hand that runs the same commands with the same slots; and 50
real Fractal units in two jobs, warm against cold, whose figures have the wall time of the jobs' start in them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import environments
import warm
from measuring import FailedError, Row, Sample, environment, measure, ratio, rounds, table, wall

PART = "slurm"
ROOT = Path(__file__).resolve().parents[1]
UNITS, BOUND, WARM_BOUND = 10_000, 1.3, 0.35
JOBS = 6
SITE = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": 100},
    "batching_config": {
        "target_cpus_per_job": 2,
        "max_cpus_per_job": 2,
        "target_mem_per_job": 4000,
        "max_mem_per_job": 4000,
        "target_num_jobs": JOBS,
        "max_num_jobs": JOBS,
    },
}
BY_HAND = """#!/bin/sh
#SBATCH --array=0-{last} --nodes=1 --ntasks=2 --cpus-per-task=1 --mem=200M --output=/dev/null
seq {units} | xargs -P 2 -n 1 true
"""


def rows(quick: bool = False) -> Iterator[Row]:
    """The ratios, or why there are none."""
    with tempfile.TemporaryDirectory(prefix="trivet-slurm-") as scratch:
        os.environ["TRIVET_SLURM"] = str(Path(scratch) / "cluster")
        said = subprocess.run([ROOT / "scripts/start-slurm.sh"], capture_output=True, text=True, check=False)
        try:
            if said.returncode != 0:
                yield Row(PART, f"{UNITS} units", "by hand", note=said.stderr.strip())
                return
            os.environ["SLURM_CONF"] = said.stdout.partition("=")[2].strip()
            yield from _nothing(Path(scratch), 1 if quick else 3)
            yield from _fractal(Path(scratch), 1 if quick else 3)
        finally:
            subprocess.run([ROOT / "scripts/stop-slurm.sh"], check=False)


def _nothing(scratch: Path, count: int) -> Iterator[Row]:
    calls = scratch / "calls"
    path = f"{_counting(scratch / 'bin', calls)}{os.pathsep}{os.environ['PATH']}"
    place = environment(environments.cache() / "pycache", TRIVET_HOME=str(scratch / "home"), PATH=path)
    site = _site(scratch, SITE)
    task = scratch / "nothing.json"
    task.write_text(json.dumps({"trivet": 1, "name": "nothing", "command": ["true"], "inputs": {"n": "integer"}}))
    values = scratch / "values.json"
    values.write_text(json.dumps({"n": list(range(UNITS))}))
    words = ["-m", "trivet", "run", str(task), "--values", str(values), "--each", "n", "--json"]
    ours = partial(measure, [sys.executable, "-P", *words, "--engine", "slurm", "--site", site], place)
    try:
        samples = rounds({"Trivet": ours, "by hand": partial(_by_hand, scratch)}, count)
    except FailedError as error:
        yield Row(PART, f"{UNITS} units", "by hand", note=str(error))
        return
    note = f"{samples['Trivet'][-1].wall:.1f} against {samples['by hand'][-1].wall:.1f} s, all of `trivet run` included"
    yield Row(PART, f"{UNITS} no-op units", "by hand", ratio(samples["Trivet"], samples["by hand"], wall), BOUND, note)
    peak = max(sample.peak for sample in samples["Trivet"])
    yield Row(PART, "memory of the driver", "200 MB", peak / 200e6, 1.0, f"{peak >> 20} MiB")
    said = calls.read_text().splitlines()
    seconds = sum(sample.wall for sample in samples["Trivet"])
    note = f"{len(said)} calls in {seconds:.1f} s, {sum('PENDING' in one for one in said)} for the place in the queue"
    yield Row(PART, "calls of squeue", "one a second", len(said) / seconds, 1.0, note)


def _counting(directory: Path, calls: Path) -> Path:
    """A directory with a `squeue` that notes its arguments before it does what it should."""
    directory.mkdir()
    counting = directory / "squeue"
    counting.write_text(f'#!/bin/sh\necho "$*" >>{calls}\nexec {shutil.which("squeue")} "$@"\n')
    counting.chmod(0o755)
    return directory


def _by_hand(scratch: Path) -> Sample:
    script = scratch / "by-hand.sh"
    script.write_text(BY_HAND.format(last=JOBS - 1, units=-(-UNITS // JOBS)))
    at, begin = time.time(), time.perf_counter()
    job = subprocess.run(["sbatch", "--parsable", script], capture_output=True, text=True, check=True).stdout.strip()
    while subprocess.run(["squeue", "-h", "-j", job], capture_output=True, text=True, check=False).stdout.strip():
        time.sleep(0.1)
    return Sample(at, time.perf_counter() - begin, 0.0, 0, None)


def _fractal(scratch: Path, count: int) -> Iterator[Row]:
    what = f"Measure Features, {warm.WARM} units in two jobs"
    try:
        bench = warm._Bench(scratch, environments.python("fractal-core", warm.REQUIREMENTS))
        bench.prepare()
        limits = {**SITE["batching_config"], "target_num_jobs": 2, "max_num_jobs": 2}
        site = _site(scratch, {**SITE, "batching_config": limits})
        more = ("--engine", "slurm", "--site", site, "--memory", "1500Mi")
        contestants = {
            "warm": partial(bench.measure, warm.WARM, *more),
            "cold": partial(bench.measure, warm.WARM, *more, "--cold"),
        }
        samples = rounds(contestants, count)
    except (environments.UnavailableError, FailedError) as error:
        yield Row(PART, what, "cold", note=str(error))
        return
    note = f"{samples['warm'][-1].wall:.2f} against {samples['cold'][-1].wall:.2f} s of wall time a unit"
    yield Row(PART, what, "cold", ratio(samples["warm"], samples["cold"], wall), WARM_BOUND, note)


def _site(scratch: Path, configuration: object) -> str:
    path = scratch / "site.json"
    path.write_text(json.dumps(configuration))
    return str(path)


if __name__ == "__main__":
    print(table(list(rows("--quick" in sys.argv))))
