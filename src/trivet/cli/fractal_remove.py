"""``trivet fractal remove``: forget a package."""

from __future__ import annotations

import click


@click.command("remove", epilog="Example: trivet fractal remove fractal-tasks-core==2.1.0")
@click.argument("package")
def command(*, package: str) -> int:
    """Remove PACKAGE (NAME==VERSION): its tasks, and the environment that was made for them.

    What is recorded of runs stays readable, but can't be repeated. Don't remove a package whose tasks are running.
    """
    from trivet.cli.fractal_packages import found, guarded

    directory = found(package)
    with guarded():
        directory.remove()
    print(f"{directory.name} {directory.version} was removed")
    return 0
