"""``trivet logs``: what the programs of a run printed."""

from __future__ import annotations

import sys

import click


@click.command("logs", epilog="Example: trivet logs last --follow")
@click.argument("run")
@click.option("--unit", "only", metavar="NAME", help="Only the log of this unit.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on while the run does.")
def command(run: str, only: str | None, following: bool) -> int:
    """Print the log of a run, byte by byte as the programs wrote it.

    RUN is its identifier, a clear part of it, or `last`. Logs of several units are each headed by the unit's name.
    """
    from trivet.cli.finding import found
    from trivet.runs import follow
    from trivet.runs.progress import read

    if following and only is not None:
        raise click.UsageError("--follow shows the log of the whole run; leave one of --follow and --unit out")
    directory = found(run)
    out = sys.stdout.buffer
    if following and "result" not in directory.read():

        def write(data: bytes) -> None:
            out.write(data)
            out.flush()

        live = follow.LiveLogs(directory, write)
        try:
            follow.wait_until_over(directory)
        finally:
            live.close()
        return 0
    progress = read(directory)
    names = [unit.name for unit in progress.units]
    if only is not None and only not in names:
        from trivet.tasks.problem import closest

        raise click.ClickException(f"run {directory.id} has no unit `{only}`; {closest(only, names)}")
    for name, text in follow.parts(directory, progress):
        if only is not None and name != only:
            continue
        if len(names) > 1 and only is None:
            out.write(f"==> {name} <==\n".encode())
        out.write(text)
        if not text.endswith(b"\n"):
            out.write(b"\n")
    return 0
