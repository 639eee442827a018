"""What Trivet tells of every unit after a run: exit code, times and peak memory; prints a summary and how it took."""

import json
import sys
import time
from pathlib import Path

from trivet.api import Run
from trivet.records.directory import RunDirectory


def main() -> None:
    begin = time.perf_counter()
    units = Run(RunDirectory(Path(sys.argv[1]))).units()
    seconds = time.perf_counter() - begin
    outcomes = [outcome for _, outcome in units if outcome is not None]
    complete = [
        outcome
        for outcome in outcomes
        if outcome.exit_code == 0
        and outcome.started is not None
        and outcome.ended is not None
        and outcome.started <= outcome.ended
        and outcome.peak_memory
    ]
    first = min((outcome.started for outcome in complete if outcome.started is not None), default=None)
    print(json.dumps({"units": len(units), "complete": len(complete), "first": first, "seconds": seconds}))


if __name__ == "__main__":
    main()
