"""What past runs of a home measured: the files they read, and the memory they took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trivet.runs.adoption import all_runs
from trivet.runs.progress import read
from trivet.tasks.states import Reason, RunState


class Past(NamedTuple):
    """One unit that is over.

    ``inputs`` holds path and size (bytes) of every file below each input directory. ``peak_memory`` in bytes is None
    where nobody could measure it; ``measured_by`` says how it was. ``reason`` None: it ended well.
    """

    run: str
    inputs: Mapping[str, Sequence[tuple[str, int]]]
    peak_memory: int | None
    measured_by: str
    reason: Reason | None


def units(home: Path, wanted: Callable[[Mapping[str, Any]], bool]) -> Iterator[Past]:
    """Every unit of the finished runs whose record (``run.json``) is wanted, oldest first; what can't be read is
    passed over."""
    for run in all_runs(home):
        try:
            record = run.read()
            if "result" not in record or not wanted(record):
                continue
            if record["each"] is None:
                yield _single(record)
            else:
                outcomes = read(run).outcomes
                for number, outcome in sorted(outcomes.items()):
                    reason = outcome.reason or (Reason.EXIT_CODE if outcome.exit_code else None)
                    inputs = _inputs(record, number)
                    yield Past(record["id"], inputs, outcome.peak_memory, outcome.measured_by, reason)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            continue


def _single(record: Mapping[str, Any]) -> Past:
    result, usage = record["result"], record["usage"]
    reason = Reason(result["reason"]) if "reason" in result else None
    if result["state"] != RunState.FINISHED and reason is None:
        reason = Reason.EXIT_CODE
    return Past(record["id"], _inputs(record, 0), usage.get("peak_memory"), usage.get("measured_by", ""), reason)


def _inputs(record: Mapping[str, Any], number: int) -> dict[str, list[tuple[str, int]]]:
    """The files of each input directory of a unit; only the input a run is repeated over differs between units."""
    found = {}
    for name, measured in record["inputs"].items():
        one = measured[number if name == record["each"] else 0]
        if "files" in one:
            found[name] = [(file["path"], int(file["size"])) for file in one["files"]]
    return found
