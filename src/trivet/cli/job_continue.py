"""``trivet job continue``: go on where a job failed, was stopped, or lost its driver."""

from __future__ import annotations

import json
import sys

import click


@click.command("continue", epilog="Example: trivet job continue last")
@click.argument("job")
@click.option("--watch/--detach", default=True, help="Stay and show how it goes, or let it run in the background.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(job: str, watch: bool, as_json: bool) -> int:
    """Go on with a job.

    One whose process was killed is taken up where it was: units that are done are not done again. After a failure, or
    a stop, a new job begins at that step with the same workflow, as it was then, and the images that are not done.
    """
    from trivet.cli.job_run import begin, drive
    from trivet.cli.job_words import dataset_of, found
    from trivet.workflows import history, start

    directory = found(job)
    read = history.read(directory)
    if read.state == "RUNNING":
        raise click.ClickException(f"job {read.id} goes on already; trivet job status {read.id}")
    if read.result is None:
        if watch:
            return drive(directory, as_json)
        start.detach(directory)
        print(json.dumps({"id": directory.id, "directory": str(directory.path)}) if as_json else directory.id)
        return 0
    with dataset_of(directory):
        request = start.continued(directory)
    print(f"{read.id} goes on at step {request.first} {request.workflow.steps[request.first].name}", file=sys.stderr)
    return begin(request, watch, as_json)
