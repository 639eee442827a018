"""``trivet job status``: how far a job is, in a few words."""

from __future__ import annotations

import json

import click


@click.command("status", epilog="Example: trivet job status last --json")
@click.argument("job")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the job with its steps.")
def command(job: str, as_json: bool) -> int:
    """Print one line about a job; how it went is told by `trivet job show`.

    JOB is its identifier, a clear part of it, or `last`. Exit code 1 when it failed, was stopped, or lost its driver.
    """
    from trivet.cli.job_view import headline, job_data
    from trivet.cli.job_words import found
    from trivet.workflows import history

    read = history.read(found(job))
    print(json.dumps(job_data(read), indent=2, ensure_ascii=False) if as_json else headline(read))
    return 0 if read.state in ("FINISHED", "RUNNING") else 1
