"""``trivet job rm``: remove jobs that are over."""

from __future__ import annotations

import sys

import click

from trivet.records import UnreadableError
from trivet.records.directory import JobDirectory


@click.command("rm", epilog="Example: trivet job rm 20261120-223501-7f3a")
@click.argument("jobs", nargs=-1, required=True)
@click.option("--keep-remote", is_flag=True, help="Leave what is in the folder of a cluster that is elsewhere.")
@click.option("--force", is_flag=True, help="Also one that lost its driver and can't be stopped; its units may run on.")
def command(jobs: tuple[str, ...], keep_remote: bool, force: bool) -> int:
    """Remove the directories of jobs that are over, with arguments, outputs and logs of their units.

    The dataset and its images stay; what is known of the status of images by these jobs is lost. A job that goes on
    is refused: stop it first.
    """
    from trivet.cli.job_words import found
    from trivet.cli.removing import removed

    code = 0
    for directory in dict.fromkeys([found(name) for name in jobs]):
        if _goes_on(directory) and not (force and not directory.owner_alive()):
            print(f"{directory.id} is not over; end it first: trivet job stop {directory.id}", file=sys.stderr)
            code = 1
            continue
        if removed(directory, keep_remote):
            print(directory.id)
        else:
            code = 1
    return code


def _goes_on(job: JobDirectory) -> bool:
    """True for a job that is not over; when its driver died, its units may still run."""
    try:
        return "result" not in job.read()
    except (OSError, UnreadableError):
        return False
