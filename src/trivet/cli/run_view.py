"""What `trivet show` tells of a run: how it went, what came of it, and every unit of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trivet.cli.efficiency_view import efficiency_data, efficiency_lines
from trivet.cli.reporting import printable
from trivet.cli.results import shown
from trivet.cli.tables import table
from trivet.records import codec
from trivet.records.directory import RunDirectory
from trivet.runs import using
from trivet.runs.progress import Progress, read
from trivet.runs.summary import last_lines, summarise
from trivet.tasks.quantities import format_duration, format_memory
from trivet.tasks.states import RunState
from trivet.tasks.values import from_json
from trivet.tasks.work import Outcome


def run_data(run: RunDirectory) -> dict[str, Any]:
    """The record of a run with ``state``, ``units``: name and outcome of each (absent: not over), and ``efficiency``:
    what was asked for and used in each phase."""
    progress = read(run)
    units = [
        {"unit": unit.name} | (codec.outcome_to_json(progress.outcomes[number]) if number in progress.outcomes else {})
        for number, unit in enumerate(progress.units)
    ]
    used = [{"phase": phase, **efficiency_data(found)} for phase, found in using.phases(progress, run.path)]
    told = {"state": summarise(run).state, "directory": str(run.path), "units": units, "efficiency": used}
    return {**run.read(), **told}


def run_lines(run: RunDirectory, limit: int = 50) -> Iterator[str]:
    """The same for people; of many units, the first ``limit`` and those that failed among the rest."""
    record, progress, summary = run.read(), read(run), summarise(run)
    task = record["task"]
    yield f"{run.id}  {summary.state}" + (f" ({summary.reason})" if summary.reason else "")
    if summary.message:
        yield f"  {summary.message}"
    if summary.state == RunState.FAILED:
        yield from (f"  | {printable(line)}" for line in last_lines(run, 10))
    yield ""
    usage = record.get("usage", {})
    peak = usage.get("peak_memory")
    facts = [
        ("task", f"{task['contract']}:{task['name']} {task['version']}".rstrip()),
        ("document", task["document"]["origin"]),
        ("directory", str(run.path)),
        ("created", record["created"]),
        ("ended", summary.ended or ""),
        ("units", f"{summary.done} of {summary.units} over, {summary.failed} failed"),
        ("CPU time", format_duration(usage["cpu"]) if "cpu" in usage else ""),
        ("peak memory", f"{format_memory(peak)} by {usage['measured_by']}" if peak else ""),
        ("images", ", ".join(usage.get("image_digests", []))),
        ("hint", record.get("result", {}).get("remedy", "").replace("RUN", run.id)),
    ]
    yield from table(None, [fact for fact in facts if fact[1]])
    values = [(name, shown(from_json(value))) for name, value in record["values"].items()]
    outputs = [(name, shown(from_json(value))) for name, value in record.get("result", {}).get("outputs", {}).items()]
    notes = [(f"unit {note['unit']}", f"{note['code']} {note['message']}") for note in record.get("unit_notes", [])]
    for heading, rows in (("Inputs", values), ("Outputs", outputs), ("Notes", notes[:limit])):
        if rows:
            yield from ("", heading, *table(None, rows))
    phases = list(using.phases(progress, run.path))
    if phases:
        yield ""
        head = ("PHASE",) if len(phases) > 1 else ()
        yield from efficiency_lines(head, [((str(phase),) if head else (), found) for phase, found in phases])
    yield from ("", "Units")
    yield from table(("unit", "ended", "time", "CPU", "memory", "log"), list(_unit_rows(progress, limit)))
    if len(progress.units) > limit:
        yield f"  … {len(progress.units)} units in all; trivet show run:{run.id} --json tells each"


def _unit_rows(progress: Progress, limit: int) -> Iterator[tuple[str, ...]]:
    for number, unit in enumerate(progress.units):
        outcome = progress.outcomes.get(number)
        bad = outcome is not None and (outcome.reason is not None or outcome.exit_code != 0)
        if number >= limit and not (bad and number < 100 * limit):
            continue
        yield (unit.name, *_outcome_cells(outcome))


def _outcome_cells(outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return ("not yet", "", "", "", "")
    ended = outcome.reason.value if outcome.reason else f"exit {outcome.exit_code}"
    took = outcome.ended - outcome.started if outcome.ended and outcome.started else None
    return (
        ended,
        "" if took is None else format_duration(took),
        "" if outcome.cpu is None else format_duration(outcome.cpu),
        "" if outcome.peak_memory is None else format_memory(outcome.peak_memory),
        "" if outcome.log is None else format_memory(outcome.log.length),
    )
