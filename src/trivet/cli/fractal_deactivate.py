"""``trivet fractal deactivate``: give an environment up, for a while."""

from __future__ import annotations

import click


@click.command("deactivate", epilog="Example: trivet fractal deactivate fractal-tasks-core==2.1.0")
@click.argument("package")
def command(*, package: str) -> int:
    """Remove the environment of PACKAGE (NAME==VERSION), and keep what is needed to make it again.

    Its tasks are still listed, but can't be run until the package is reactivated. Refused for what could not be made
    again: directories under development, and tasks whose environment is not Trivet's.
    """
    from trivet.cli.fractal_packages import found, guarded
    from trivet.packages.keeping import deactivate

    directory = found(package)
    with guarded():
        deactivate(directory)
    print(f"{directory.name} {directory.version} is not active any more")
    return 0
