"""``trivet fractal reactivate``: make an environment again."""

from __future__ import annotations

import click


@click.command("reactivate", epilog="Example: trivet fractal reactivate fractal-tasks-core==2.1.0")
@click.argument("package")
def command(*, package: str) -> int:
    """Make the environment of PACKAGE (NAME==VERSION) again, with exactly the versions it had."""
    from trivet.cli.fractal_packages import found, guarded
    from trivet.cli.reporting import say
    from trivet.packages.keeping import reactivate
    from trivet.records import home

    directory = found(package)
    with guarded():
        reactivate(directory, home(), say)
    print(f"{directory.name} {directory.version} is active")
    return 0
