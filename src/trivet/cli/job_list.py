"""``trivet job list``: the list of jobs."""

from __future__ import annotations

import json
import sys

import click


@click.command("list", epilog="Example: trivet job list --limit 5")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the newest.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, limit: int, everything: bool, as_json: bool) -> int:
    """List jobs, newest first. LOST is one whose process died: trivet job continue goes on with it."""
    from trivet.cli.job_view import current, job_data
    from trivet.cli.tables import print_table
    from trivet.records import home
    from trivet.workflows import history

    jobs = list(history.all_jobs(home()))[::-1]
    read, code = [], 0
    for job in jobs if everything else jobs[:limit]:
        try:
            read.append(history.read(job))
        except (OSError, ValueError) as error:
            print(f"{job.id}: {error}", file=sys.stderr)
            code = 1
    if as_json:
        print(json.dumps([job_data(one) for one in read], indent=2, ensure_ascii=False))
        return code
    rows = []
    for one in read:
        now = current(one)
        steps = "" if now is None else f"{sum(step.state == 'done' for step in one.steps)}/{len(one.steps)}"
        rows.append((one.id, one.state, steps, one.workflow, one.dataset.name, one.created))
    if rows:
        print_table(("JOB", "STATE", "STEPS", "WORKFLOW", "DATASET", "CREATED"), rows)
    return code
