"""All benchmarks by one command: ratios to the floor and to public engines, with the bounds they must keep.

    python benchmarks/run.py [--only PART]... [--quick] [--full] [--json]

Ends with 1 when a bound was missed. Absolute times mean nothing on a machine that others use too; see
docs/how-to/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

from measuring import FailedError, Row, table


def startup(quick: bool, full: bool) -> Iterable[Row]:
    """What `trivet check` costs before it checks."""
    import startup

    return startup.rows(5 if quick else 15, peer=not quick)


def engine(quick: bool, full: bool) -> Iterable[Row]:
    """The local engine without runs around it."""
    import engine_floor

    return engine_floor.rows(1000 if quick else 10_000, 3)


def units(quick: bool, full: bool) -> Iterable[Row]:
    """Whole runs of no-op processes, against the floor and against other engines."""
    import units

    return units.rows(quick, full)


def containers(quick: bool, full: bool) -> Iterable[Row]:
    """Container units against the bare API of the container engine."""
    import containers

    return containers.rows(quick)


def channels(quick: bool, full: bool) -> Iterable[Row]:
    """Measuring a Kaapana channel for a scale rule, against pathlib."""
    import channels

    return channels.rows(10_000 if quick else channels.FILES, 3 if quick else 5)


def bundles(quick: bool, full: bool) -> Iterable[Row]:
    """Cytomine bundles read to their last byte, and the dimensions of large images."""
    import bundles

    return bundles.rows(0.25 if quick else 15 if full else 4, 1 if quick or full else 3)


def manifests(quick: bool, full: bool) -> Iterable[Row]:
    """Making and checking manifests of Fractal packages, against the public tool."""
    import manifests

    return manifests.rows(5 if quick else 9)


def slurm(quick: bool, full: bool) -> Iterable[Row]:
    """Units on a cluster of three pretended nodes, against an array script by hand; forked units against cold ones."""
    import slurm

    return slurm.rows(quick)


def warm(quick: bool, full: bool) -> Iterable[Row]:
    """Units of a real Fractal task, warm against cold."""
    import warm

    return warm.rows(quick)


def fractal(quick: bool, full: bool) -> Iterable[Row]:
    """Trivial units of a Fractal task, forked or not, against xargs that starts the same script."""
    import fractal_units

    return fractal_units.rows(quick)


def jobs(quick: bool, full: bool) -> Iterable[Row]:
    """Units of a Fractal task in jobs, against xargs; what a large job needs and leaves."""
    import jobs

    return jobs.rows(quick, full)


Part = Callable[[bool, bool], Iterable[Row]]
PARTS: dict[str, Part] = {
    part.__name__: part
    for part in (startup, engine, units, containers, channels, bundles, manifests, fractal, jobs, slurm, warm)
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Trivet and print ratios.")
    parser.add_argument("--only", action="append", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no other engines: about a minute")
    parser.add_argument("--full", action="store_true", help="also a run of 100,000 units")
    parser.add_argument("--json", action="store_true", help="write JSON lines instead of a table")
    chosen = parser.parse_args()
    rows: list[Row] = []
    for name in chosen.only or PARTS:
        print(f"{name}: {PARTS[name].__doc__}", file=sys.stderr)
        for row in _rows(name, chosen.quick, chosen.full):
            rows.append(row)
            if chosen.json:
                print(json.dumps({**asdict(row), "verdict": row.verdict}), flush=True)
    if not chosen.json:
        print(table(rows))
    return 1 if any(row.verdict == "MISSED" for row in rows) else 0


def _rows(name: str, quick: bool, full: bool) -> Iterator[Row]:
    """The rows of a part; one that can't be measured here says so in a row of its own."""
    try:
        yield from PARTS[name](quick, full)
    except (FailedError, ImportError, OSError) as error:
        yield Row(name, "not measured", "floor", note=str(error))


if __name__ == "__main__":
    sys.exit(main())
