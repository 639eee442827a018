"""`trivet kaapana merge`: what a task.json makes of its template."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from trivet.cli.options import template_options

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions


@click.command()
@click.argument("target", metavar="TASK")
@click.option("--image", metavar="REF", help="The image to use instead of the one the task names.")
@template_options
def command(target: str, image: str | None, templates: TemplateOptions | None) -> int:
    """Print the task instance: a task.json merged with its template, as JSON.

    Templates in it are filled, channels joined by name, resources merged by key. Passwords are shown as ***. Exit code
    1 when there is an error.

    \b
    Example:
      trivet kaapana merge tasks/dicom-to-nrrd.json
    """
    from trivet.cli.reporting import problem_lines
    from trivet.contracts.kaapana.instance import instance
    from trivet.runs.choosing import one_task
    from trivet.tasks.problem import ProblemsError, has_errors

    task, problems = one_task(target, image=image, templates=templates)
    if has_errors(problems):
        raise ProblemsError(problems)
    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    print(json.dumps(instance(task), indent=2, ensure_ascii=False))
    return 0
