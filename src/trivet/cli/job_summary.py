"""How the end of a job is told."""

from __future__ import annotations

import json

from trivet.cli.job_view import facts, failure_lines, job_data, step_lines
from trivet.cli.reporting import say
from trivet.cli.tables import table
from trivet.records.directory import JobDirectory
from trivet.tasks.states import RunState
from trivet.workflows import history
from trivet.workflows.reporting import JobResult


def print_result(job: JobDirectory, result: JobResult, as_json: bool) -> None:
    """A table of the steps, how it ended, and the failed units with the end of their logs, all on stderr; with
    ``as_json`` the same as JSON on stdout."""
    read = history.read(job)
    for line in step_lines(read.steps):
        say(line)
    for line in table(None, list(facts(job, read))):
        say(line)
    if result.state is RunState.FINISHED:
        say(f"{job.id}  FINISHED")
    else:
        reason = f" ({result.reason.value})" if result.reason else ""
        say(f"{job.id}  {result.state.value}{reason}: {result.message}")
        if result.step is not None:
            for line in failure_lines(job, result.step):
                say(f"  {line}")
        say(f"  hint: trivet job continue {job.id} goes on there; a changed workflow is run on the same dataset")
    if as_json:
        print(json.dumps({**job_data(read), "directory": str(job.path)}, indent=2, ensure_ascii=False))
