"""`trivet job`: workflows on datasets, each command loaded when it is used."""

from __future__ import annotations

import click

from trivet.cli.group import Commands

COMMANDS = {
    "run": ("trivet.cli.job_run", "Run a workflow on a dataset."),
    "list": ("trivet.cli.job_list", "List jobs."),
    "status": ("trivet.cli.job_status", "Say in a few words how far a job is."),
    "show": ("trivet.cli.job_show", "Show the steps of a job, their units, or the status of images."),
    "logs": ("trivet.cli.job_logs", "Print what the units of a job printed."),
    "stop": ("trivet.cli.job_stop", "End a job; what is done stays."),
    "continue": ("trivet.cli.job_continue", "Go on where a job failed or was stopped."),
    "rm": ("trivet.cli.job_rm", "Remove jobs that are over."),
}


@click.group(cls=Commands, table=COMMANDS)
def command() -> None:
    """Workflows of Fractal's tasks on datasets, here or on a cluster.

    \b
    Example:
      trivet job run workflow.json --dataset screen
    """
