"""How the end of a run is told, and with which exit code."""

from __future__ import annotations

import json

from trivet.cli.reporting import say
from trivet.records import codec
from trivet.records.directory import RunDirectory
from trivet.runs.summary import last_lines
from trivet.tasks.quantities import format_memory
from trivet.tasks.states import RunState
from trivet.tasks.values import FileRef, Value, to_json
from trivet.tasks.work import RunResult

INTERRUPTED = 130


def exit_code(result: RunResult, interrupted: bool = False) -> int:
    """The task's own exit code where it has one; 130 after Ctrl-C; else 0 or 1."""
    if result.state is RunState.FINISHED:
        return 0
    if interrupted:
        return INTERRUPTED
    return result.exit_code or 1


def print_result(run: RunDirectory, result: RunResult, as_json: bool, log_shown: bool = False) -> None:
    """Outputs on stdout; how it ended, warnings and what to do about a failure on stderr, with the end of the log
    unless all of it was shown."""
    for problem in result.problems:
        say(str(problem))
    if result.state is RunState.FINISHED:
        say(f"{run.id}  FINISHED")
    else:
        reason = f" ({result.reason.value})" if result.reason else ""
        say(f"{run.id}  {result.state.value}{reason}: {result.message}")
        if result.state is RunState.FAILED and not log_shown:
            for line in last_lines(run, 10):
                say(f"  | {line}")
        if result.reason is not None and result.reason.remedy:
            say(f"  hint: {result.reason.remedy.replace('RUN', run.id)}")
    if as_json:
        data = {"id": run.id, "directory": str(run.path), **codec.run_result_to_json(result)}
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    width = max(map(len, result.outputs), default=0)
    for name, value in result.outputs.items():
        print(f"{name:<{width}}  {shown(value)}")


def shown(value: Value) -> str:
    """A value in one line."""
    if isinstance(value, FileRef):
        size = f"  ({format_memory(value.size)})" if value.size is not None else ""
        return f"{value.path}{size}"
    if isinstance(value, list) and value and all(isinstance(item, FileRef) for item in value):
        return f"{len(value)} files: {shown(value[0])} …" if len(value) > 1 else shown(value[0])
    text = value if isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:180]} … ({len(text)} characters; whole in outputs.json)"
