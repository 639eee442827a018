"""``trivet dataset create``: a dataset without images."""

from __future__ import annotations

import click


@click.command("create", epilog="Example: trivet dataset create screen --zarr-dir plates")
@click.argument("name")
@click.option("--zarr-dir", required=True, metavar="DIR", help="Where all its images lie; need not exist yet.")
def command(*, name: str, zarr_dir: str) -> int:
    """Make a dataset without images. Converters of a workflow then fill it."""
    from trivet.cli.dataset_words import made, url_of
    from trivet.datasets.exchange import NAME, Content, name_fault
    from trivet.tasks.problem import Problem, ProblemsError

    fault = name_fault(name)
    if fault:
        raise ProblemsError([Problem(NAME, fault)])
    made(Content(name, url_of(zarr_dir), {}), "dataset create")
    return 0
