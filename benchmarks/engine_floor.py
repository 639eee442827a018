"""How much the local engine costs: `true` through it, against `posix_spawn` and `waitpid` in two threads.

    python benchmarks/engine_floor.py [UNITS] [ROUNDS]

Floor and engine take turns in the same run; what counts is the ratio.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from measuring import Row, table

from trivet.engines import Attempt, Ended
from trivet.engines.local import LocalEngine
from trivet.tasks.task import Environment
from trivet.tasks.work import Invocation


def floor(units: int, threads: int = 2) -> float:
    """Wall seconds for that many `true`, with nothing around them."""
    program = shutil.which("true") or "/bin/true"

    def work() -> None:
        for _ in range(units // threads):
            os.waitpid(os.posix_spawn(program, ["true"], os.environ), 0)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - begin


def engine(units: int, directory: Path) -> tuple[float, float]:
    """Wall seconds for the same through the engine, start to last outcome, and the driver's own CPU seconds."""
    local = LocalEngine(directory, slots=2)
    invocation = Invocation(Environment(), ("true",))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    submitted = ended = 0
    ahead = local.capacity().queue
    while ended < units:
        if submitted < units and submitted - ended <= ahead // 2:
            more = range(submitted, min(units, ended + ahead))
            local.submit([Attempt(f"run/unit-{number}/1", invocation) for number in more])
            submitted = more.stop
        ended += sum(type(event) is Ended for event in local.events.get(timeout=60))
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    local.close()
    return wall, after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime


def rows(units: int = 10_000, rounds: int = 3) -> list[Row]:
    """One row: the median ratio, each round's floor being the mean of one before and one after the engine."""
    ratios, each, cpu = [], [], []
    for _ in range(rounds):
        before = floor(units)
        with tempfile.TemporaryDirectory() as directory:
            wall, driver = engine(units, Path(directory))
        least = (before + floor(units)) / 2
        ratios.append(wall / least)
        each.append(f"{wall / units * 1e3:.3f} against {least / units * 1e3:.3f}")
        cpu.append(driver / units * 1e6)
    note = f"{', '.join(each)} ms a unit; driver {statistics.median(cpu):.0f} µs CPU a unit"
    return [Row("engine", f"{units:,} units, wall", "floor", statistics.median(ratios), note=note)]


def main() -> None:
    print(table(rows(*map(int, sys.argv[1:]))))


if __name__ == "__main__":
    main()
