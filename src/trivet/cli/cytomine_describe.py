"""`trivet cytomine describe`: a descriptor as a page for its users."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("path", metavar="PATH")
def command(path: str) -> int:
    """Print the descriptor of a task (a file, a directory, a bundle) as a page of documentation in Markdown.

    \b
    Example:
      trivet cytomine describe my-task/ > my-task/TASK.md
    """
    from trivet.cli.reporting import problem_lines
    from trivet.contracts.cytomine.describing import markdown
    from trivet.runs.choosing import one_task
    from trivet.tasks.problem import ProblemsError, has_errors

    task, problems = one_task(path)
    if has_errors(problems):
        raise ProblemsError(problems)
    if task.contract != "cytomine":
        raise click.ClickException(f"{path} is a task of {task.contract}; `trivet show` tells of it")
    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    print(markdown(task.document.model), end="")
    return 0
