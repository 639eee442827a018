"""A run in one line: what lists show, and what the index keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trivet.records.directory import RunDirectory
from trivet.runs.progress import read
from trivet.tasks.states import RunState


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in one line. Times are ISO 8601 text in UTC; ``done`` and ``failed`` count units. ``message`` tells what
    goes on, or how it ended."""

    id: str
    state: str
    reason: str | None
    message: str
    contract: str
    task: str
    created: str
    ended: str | None
    units: int
    done: int
    failed: int

    @property
    def final(self) -> bool:
        return RunState(self.state).final


def summarise(run: RunDirectory) -> Summary:
    """The summary of a run, whoever drives it. Raises OSError, or ValueError for what this version can't read."""
    record = run.read()
    if "result" in record:
        return _of_record(record)
    progress = read(run)
    machine = progress.machine
    return Summary(
        run.id,
        machine.state.value,
        None,
        str(machine.standing),
        record["task"]["contract"],
        record["task"]["name"],
        record["created"],
        None,
        len(progress.units),
        machine.done,
        machine.failed,
    )


def signature(run: RunDirectory) -> str:
    """Text that changes whenever the run's record or journal does."""
    record = (run.path / "run.json").stat()
    sizes = [path.stat().st_size for path in sorted(run.journal.glob("*.jsonl"))]
    return ":".join(map(str, (record.st_mtime_ns, record.st_size, *sizes)))


def last_lines(run: RunDirectory, count: int = 20) -> list[str]:
    """The last lines that the programs of a run printed, as far as they were kept; decoded with replacement."""
    progress = read(run)
    for unit in sorted(progress.outcomes, key=lambda unit: progress.outcomes[unit].exit_code == 0):
        part = progress.outcomes[unit].log
        if part is not None:
            with (run.path / part.path).open("rb") as stream:
                skipped = max(0, part.length - 64 * 1024)
                stream.seek(part.offset + skipped)
                text = stream.read(part.length - skipped).decode("utf-8", "replace")
            return text.splitlines()[-count:]
    return []


def _of_record(record: dict[str, Any]) -> Summary:
    result, usage = record["result"], record["usage"]
    return Summary(
        record["id"],
        result["state"],
        result.get("reason"),
        result.get("message", ""),
        record["task"]["contract"],
        record["task"]["name"],
        record["created"],
        record["history"][-1]["at"] if record["history"] else None,
        usage["units"],
        usage["done"],
        usage["failed"],
    )
