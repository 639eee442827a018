"""Attempts as the worker wants to hear of them, and what it says as events."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.engines import Accepted, Attempt, Ended, EngineEvent, Started
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment
from trivet.tasks.work import AttemptId, Invocation, LogPart, Outcome

BATCH = 500
WORTH = 2
"""So many units of one script make it worth to import its modules ahead."""


def batches(attempts: Sequence[Attempt], directory: str) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Attempts as the worker wants them: what neighbours share is said once."""
    here = str(Path.cwd())
    common: dict[str, Any] = {}
    units: list[Any] = []
    last: Invocation | None = None
    for attempt in attempts:
        invocation = attempt.invocation
        if last is None or not _alike(last, invocation) or len(units) == BATCH:
            if units:
                yield common, units
            common, units, last = _common(invocation), [], invocation
        log = invocation.log and str(Path(directory, invocation.log))
        argv = (*(invocation.command or ()), *invocation.args)
        units.append((attempt.id, argv, invocation.workdir or here, log))
    if units:
        yield common, units


def _alike(one: Invocation, other: Invocation) -> bool:
    return (
        one.environment == other.environment
        and one.program == other.program
        and one.resources == other.resources
        and one.time_limit == other.time_limit
        and one.grace == other.grace
        and one.mounts == other.mounts
        and one.warm == other.warm
        and one.forwards == other.forwards
    )


def _common(invocation: Invocation) -> dict[str, Any]:
    environment = dict(invocation.environment)
    program = invocation.program
    if isinstance(program, Environment) and program.prefix:
        path = environment.get("PATH", os.environ.get("PATH", os.defpath))
        environment |= {"PATH": f"{program.prefix}/bin{os.pathsep}{path}", "VIRTUAL_ENV": program.prefix}
    common: dict[str, Any] = {"env": environment, "grace": invocation.grace}
    if invocation.time_limit is not None:
        common["time"] = invocation.time_limit
    if invocation.resources.memory is not None:
        common["memory"] = invocation.resources.memory
    if invocation.forwards:
        common["forwards"] = True
    if invocation.resources.cpus is not None:
        common["cpus"] = invocation.resources.cpus
    if invocation.resources.gpus:
        common["gpus"] = invocation.resources.gpus
    if invocation.warm:
        common["warm"] = WORTH
    if invocation.mounts:
        common["reads"] = [mount.source for mount in invocation.mounts]
    return common


def _outcome(
    code: int | None,
    started: float | None,
    ended: float | None,
    cpu: float | None,
    peak: int | None,
    log: LogPart | None,
    host: str,
    more: Mapping[str, Any] | None,
) -> Outcome:
    measured = "rusage (largest process)" if peak is not None else ""
    if not more:
        return Outcome(code, None, None, "", started, ended, cpu, peak, measured, log, None, host)
    reason = more.get("reason")
    return Outcome(
        exit_code=code,
        signal=more.get("signal"),
        reason=Reason(reason) if reason else None,
        message=more.get("message", ""),
        started=started,
        ended=ended,
        cpu=cpu,
        peak_memory=peak,
        measured_by=more.get("measured_by", measured),
        log=log,
        host=host,
    )


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A worker had accepted the attempt, and died before it started it: it may be submitted again."""

    id: AttemptId


def events(lines: Sequence[bytes], host: str) -> Iterator[EngineEvent | Forgotten]:
    """What lines of the worker, or of its record, say; an attempt's start may be said more than once."""
    for line in lines:
        try:
            kind, rows = json.loads(line)
        except ValueError:
            continue  # a line of the record that was torn by a crash
        if kind == "ended":
            for id, code, started, ended, cpu, peak, log, more in rows:
                if started is not None:
                    yield Started(id, started)
                part = LogPart(*log) if log else None
                yield Ended(id, _outcome(code, started, ended, cpu, peak, part, host, more))
        elif kind == "started":
            for row in rows:
                yield Started(row[0], row[1])
        elif kind == "accepted":
            for id in rows:
                yield Accepted(id)
        elif kind == "forgotten":
            for id in rows:
                yield Forgotten(id)
