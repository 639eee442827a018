"""All benchmarks by one command: ratios to the floor and to public engines, with the bounds they must keep.

    python benchmarks/run.py [--only PART]... [--quick] [--full] [--json]

Ends with 1 when a bound was missed. Absolute times mean nothing on a machine that others use too; see
docs/how-to/benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from measuring import FailedError, Row, table

PARTS = {
    "startup": "what `trivet check` costs before it checks",
    "engine": "the local engine alone",
    "units": "whole runs of no-op processes, against the floor and other engines",
    "containers": "container units against the bare API",
}
MODULES = {"engine": "engine_floor"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Trivet and print ratios.")
    parser.add_argument("--only", action="append", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no other engines: about a minute")
    parser.add_argument("--full", action="store_true", help="also a run of 100,000 units")
    parser.add_argument("--json", action="store_true", help="write JSON lines instead of a table")
    chosen = parser.parse_args()
    rows: list[Row] = []
    for part in chosen.only or PARTS:
        print(f"{part}: {PARTS[part]} …", file=sys.stderr)
        for row in _rows(part, chosen.quick, chosen.full):
            rows.append(row)
            if chosen.json:
                print(json.dumps({**asdict(row), "verdict": row.verdict}), flush=True)
    if not chosen.json:
        print(table(rows))
    return 1 if any(row.verdict == "MISSED" for row in rows) else 0


def _rows(part: str, quick: bool, full: bool) -> Iterator[Row]:
    """The rows of a part; one that can't be measured here says so in a row of its own."""
    try:
        module = importlib.import_module(MODULES.get(part, part))
        yield from module.rows(quick, full)
    except (FailedError, ImportError, OSError) as error:
        yield Row(part, "everything", "the floor", note=str(error))


if __name__ == "__main__":
    sys.exit(main())
