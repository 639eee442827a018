"""``trivet job show``: the steps of a job, the units of one, or what became of every image."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivet.records.directory import JobDirectory
    from trivet.workflows.history import JobHistory


@click.command(
    "show",
    epilog="""\b
Examples:
  trivet job show last
  trivet job show last --units 1 --failed
  trivet job show last --images 1
  trivet job show last --efficiency
""",
)
@click.argument("job")
@click.option("--units", metavar="STEP", help="The units of a step, by its number or name.")
@click.option("--failed", is_flag=True, help="With --units: only those that failed, with the end of their logs.")
@click.option("--images", metavar="STEP", help="The status of every image at a step.")
@click.option("--efficiency", is_flag=True, help="What units asked for and what they used, with advice for a next job.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(job: str, units: str | None, failed: bool, images: str | None, efficiency: bool, as_json: bool) -> int:
    """Show how a job went, or goes.

    JOB is its identifier, a clear part of it, or `last`. WARNINGS counts units in whose log the word stands.
    """
    from trivet.cli import job_view
    from trivet.cli.job_words import dataset_of, found, step_of
    from trivet.workflows import history

    if (units is not None) + (images is not None) + efficiency > 1:
        raise click.UsageError("--units, --images and --efficiency show different things; give one of them")
    if failed and units is None:
        raise click.UsageError("--failed goes with --units STEP")
    directory = found(job)
    if efficiency:
        return _efficiency(directory, as_json)
    read = history.read(directory)
    names = [step.name for step in read.steps]
    if images is not None:
        with dataset_of(directory):
            return _images(directory, read, step_of(images, names, names), as_json)
    if units is not None:
        order = step_of(units, names, names)
        with dataset_of(directory):
            shown = [unit for unit in history.units(directory, order) if not failed or unit.state == "failed"]
        if as_json:
            print(json.dumps([job_view.unit_data(unit) for unit in shown], indent=2, ensure_ascii=False))
        elif failed:
            print(*job_view.failure_lines(directory, order, limit=len(shown)), sep="\n")
        else:
            print(*job_view.unit_lines(shown), sep="\n")
        return 0
    if as_json:
        data = {**job_view.job_data(read), "directory": str(directory.path)}
        print(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        print(*job_view.job_lines(directory, read), sep="\n")
    return 0


def _images(directory: JobDirectory, read: JobHistory, order: int, as_json: bool) -> int:
    from trivet.cli.tables import print_table
    from trivet.datasets.statuses import UNSET
    from trivet.records.datasets import DatasetDirectory
    from trivet.workflows import history

    step = read.steps[order]
    statuses = history.statuses(read.dataset, read.workflow, order, step.task)
    listed = DatasetDirectory(read.dataset).read().images
    known = {url: statuses.get(url, UNSET) for url in listed}
    if as_json:
        print(json.dumps(known, indent=2, ensure_ascii=False))
    else:
        print_table(("STATUS", "IMAGE"), [(status, url) for url, status in known.items()])
        counts = Counter(known.values())
        print(", ".join(f"{count} {status}" for status, count in counts.items()), file=sys.stderr)
    return 0


def _efficiency(directory: JobDirectory, as_json: bool) -> int:
    from trivet.cli.efficiency_view import efficiency_data, efficiency_lines
    from trivet.workflows import using

    steps = list(using.steps(directory))
    if as_json:
        rows = [
            {"order": one.order, "name": one.name, "part": one.part, **efficiency_data(one.efficiency)} for one in steps
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    compound = {one.order for one in steps if one.part > 0}
    named = [
        ((str(one.order), f"{one.name}, part {one.part + 1}" if one.order in compound else one.name), one.efficiency)
        for one in steps
    ]
    print(*efficiency_lines(("STEP", "NAME"), named), sep="\n")
    return 0
