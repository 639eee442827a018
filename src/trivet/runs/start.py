"""Starting runs: here and now, or by a process in the background."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trivet.engines import Engine, EngineError
from trivet.packages import registered
from trivet.records import home as default_home
from trivet.records.directory import RunDirectory
from trivet.runs import record
from trivet.runs.detaching import detached
from trivet.runs.driver import Driver
from trivet.runs.driving import stopped_by_signals
from trivet.runs.options import Options
from trivet.runs.publish import obstacles
from trivet.runs.record import NO_SECRETS
from trivet.runs.refusing import refusals, shortages
from trivet.runs.reporting import Reporter
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import RunResult

KUBERNETES = "kubernetes"
SLURM = "slurm"
ENGINES = ("local", SLURM, KUBERNETES)


def create(call: Call, options: Options, home: Path | None = None) -> RunDirectory:
    """A new run that nobody drives yet. Whatever can be known to be wrong is said here.

    Raises ProblemsError, and OSError when the directory can't be written.
    """
    problems = faults(call, options)
    if options.engine == KUBERNETES:
        hint = "--dry-run prints what would be created"
        problems.append(Problem("B011", "nothing can be run on Kubernetes yet", hint=hint))
    elif options.engine == SLURM:
        from trivet.runs import on_slurm

        if not has_errors(problems):
            problems += on_slurm.problems(call, options)
    else:
        if isinstance(call.task.program, ContainerImage):
            problems += _without_runtime(options.runtime)
        problems += shortages(call.task.program, options.needs(call.task.resources))
    if has_errors(problems):
        raise ProblemsError(problems)
    call = replace(call, notes=tuple(dict.fromkeys((*call.notes, *problems))))
    now = time.time()
    registered.used(home or default_home(), call.task)
    return RunDirectory.create(
        home or default_home(), now, lambda identifier: record.asked(identifier, call, options, now)
    )


def faults(call: Call, options: Options) -> list[Problem]:
    """What can be known to be wrong with a call wherever it is to run."""
    problems = obstacles(call.task, options)
    if options.engine not in ENGINES:
        known = ", ".join(ENGINES)
        problems.append(Problem("B011", f"unknown engine `{options.engine}`", hint=f"known: {known}"))
    program = call.task.program
    if isinstance(program, ContainerImage) and not program.reference and not program.archive:
        problems.append(Problem("B012", f"{call.task.name} names no image", hint="give --image IMAGE"))
    return [*problems, *refusals(call)]


def _without_runtime(runtime: str | None) -> list[Problem]:
    """A problem when nothing on this machine can run an image."""
    from trivet.engines.runtimes import choose

    try:
        choose(runtime)
    except EngineError as error:
        return [Problem("B014", str(error), hint="`trivet doctor` tells what this machine can do")]
    return []


def drive(
    directory: RunDirectory, reporter: Reporter | None = None, secrets: Mapping[str, str] = NO_SECRETS
) -> RunResult:
    """Drive a run to its end in this process; Ctrl-C and SIGTERM cancel it. ``secrets`` are those of the call's
    document.

    Raises NotOwnerError or Superseded when another process drives it, EngineError when the engine can't be used,
    OSError and ValueError when the record can't be read or written.
    """
    _, options = record.restore(directory.read())
    engine = engine_for(options, directory.path, watched=reporter is not None)
    driver = Driver(directory, engine, reporter or Reporter(), secrets)
    with stopped_by_signals(driver):
        return driver.run()


def detach(directory: RunDirectory, secrets: Mapping[str, str] = NO_SECRETS) -> subprocess.Popen[bytes]:
    """Let a process of its own drive a run; it outlives this one and the terminal, and is told the ``secrets`` of the
    call's document by a pipe."""
    process = detached("trivet.runs.background", directory, subprocess.PIPE)
    assert process.stdin is not None  # noqa: S101 (asked for)
    with suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(json.dumps(dict(secrets)).encode())
    return process


def engine_for(options: Options, directory: Path, watched: bool = False) -> Engine:
    """The engine that options name, for one run or job, which keeps what it has to remember in its ``directory``;
    ``watched``: somebody sees what it says of units that wait.

    Raises EngineError when there is no such engine here."""
    if options.engine == SLURM:
        from trivet.runs import on_slurm

        return on_slurm.engine(options, directory, watched)
    from trivet.engines.local import LocalEngine

    slots = options.slots or os.cpu_count() or 1
    return LocalEngine(directory, slots=slots, runtime=options.runtime, sifs=default_home() / "sif")
