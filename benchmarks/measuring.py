"""How the benchmarks measure: whole processes, taking turns, compared by ratios.

A machine that others use as well gives no absolute times worth writing down. So every contestant is a process of its
own, contestants take turns within a round, and what counts is the median over the rounds of the ratio to the floor of
the same round.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

RSS_UNIT = 1 if sys.platform == "darwin" else 1024

Verdict = Literal["", "ok", "MISSED", "skipped"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ``ratio`` of ``what`` to ``against``, at most ``bound`` where there is one."""

    part: str
    what: str
    against: str = ""
    ratio: float | None = None
    bound: float | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.ratio is None:
            return "skipped" if self.against else ""
        if self.bound is None:
            return ""
        return "ok" if self.ratio <= self.bound else "MISSED"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process took, with all the children it waited for.

    ``wall`` and ``cpu`` in seconds; ``peak`` is the resident memory of its largest process in bytes; ``begin`` in
    seconds since the epoch; ``said`` is what it printed: its last line read as JSON, or else the text (None: nothing).
    """

    begin: float
    wall: float
    cpu: float
    peak: int
    said: Any


class FailedError(RuntimeError):
    """A contestant did not end well; the message holds what it printed."""


def environment(cache: Path, **more: str) -> dict[str, str]:
    """This process's environment, changed so that every contestant runs from compiled bytecode kept in ``cache``."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")}
    return {**kept, "PYTHONPYCACHEPREFIX": str(cache), **more}


def measure(argv: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None) -> Sample:
    """Run a program to its end. Raises FailedError."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin, clock = time.time(), time.perf_counter()
        process = subprocess.Popen(list(argv), stdout=out, stderr=err, env=dict(environment), cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - clock
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text = out.read().decode("utf-8", "replace")
        if process.returncode != 0:
            words = (text + err.read().decode("utf-8", "replace")).strip()[-2000:]
            raise FailedError(f"{' '.join(argv)} ended with {process.returncode}: {words}")
    return Sample(begin, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT, _said(text))


def _said(text: str) -> Any:
    lines = text.splitlines()
    try:
        return json.loads(lines[-1]) if lines else None
    except ValueError:
        return text


def rounds(contestants: Mapping[str, Callable[[], Sample]], count: int) -> dict[str, list[Sample]]:
    """Let contestants take turns ``count`` times, every other time in reverse, so that none profits from its place."""
    samples: dict[str, list[Sample]] = {name: [] for name in contestants}
    for number in range(count):
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            samples[name].append(contestants[name]())
    return samples


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """The median over the rounds of the ratio within a round."""
    return statistics.median(of(one) / of(other) for one, other in zip(ours, theirs, strict=True))


def mean(one: Sample, other: Sample) -> Sample:
    """What lies between two samples."""
    return replace(one, wall=(one.wall + other.wall) / 2, cpu=(one.cpu + other.cpu) / 2)


def wall(sample: Sample) -> float:
    return sample.wall


def cpu(sample: Sample) -> float:
    return sample.cpu


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text, each note on a line of its own."""
    cells = [("part", "what", "against", "ratio", "bound", "verdict")]
    for row in rows:
        ratio_text = "" if row.ratio is None else f"{row.ratio:.2f}"
        bound = "" if row.bound is None else f"{row.bound:g}"
        cells.append((row.part, row.what, row.against, ratio_text, bound, row.verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for line, note in zip(cells, ["", *(row.note for row in rows)], strict=True):
        sides = (str.ljust, str.ljust, str.ljust, str.rjust, str.rjust, str.ljust)
        padded = [side(text, width) for side, text, width in zip(sides, line, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
        lines += wrap(note, 110, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
