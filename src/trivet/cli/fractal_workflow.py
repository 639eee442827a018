"""``trivet fractal workflow``: a workflow file in the form the public server writes today."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command("workflow", epilog="Example: trivet fractal workflow old.json > workflow.json")
@click.argument("file")
def command(file: str) -> int:
    """Check a workflow file and print it as the public server of Fractal exports it.

    Older forms (`input_filters`) become the one of today, and what is absent is null. A template stays one.
    """
    from trivet.cli.reporting import problem_lines
    from trivet.contracts.fractal.workflows import parse, to_json
    from trivet.contracts.source import load
    from trivet.tasks.problem import ProblemsError

    workflow, problems = parse(load(Path(file)))
    if workflow is None:
        raise ProblemsError(problems)
    for problem in problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    print(json.dumps(to_json(workflow), indent=2, ensure_ascii=False))
    return 0
