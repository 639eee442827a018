"""`trivet fractal manifest`: write, check or compare the manifest of a package of tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from trivet.cli import fractal_manifests
from trivet.cli.fractal_manifests import SCHEMA_VERSIONS, TASK_LIST, Wanted


def _wanted(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which package is meant and how its manifest is made: the command gets ``wanted``."""

    @click.option("--package", metavar="NAME", help="The package (default: that of ./pyproject.toml).")
    @click.option(
        "--task-list-path",
        "task_list",
        metavar="MODULE",
        default=TASK_LIST,
        show_default=True,
        help="The module below the package that lists the tasks.",
    )
    @click.option(
        "--schema-version",
        type=click.Choice(SCHEMA_VERSIONS),
        default=SCHEMA_VERSIONS[0],
        show_default=True,
        help="The generation of the argument schemas.",
    )
    @click.option(
        "--compat",
        "compatible",
        is_flag=True,
        help="Write what the public tool writes, to the letter, whatever a server makes of it.",
    )
    @click.option("--static", is_flag=True, help="Import nothing of the package; take the signatures from its source.")
    @wraps(command)
    def wrapped(*words: Any, **options: Any) -> Any:
        names = ("package", "task_list", "schema_version", "compatible", "static")
        return command(*words, wanted=Wanted(**{name: options.pop(name) for name in names}), **options)

    return wrapped


_ignore_order = click.option(
    "--ignore-keys-order",
    "ignore_order",
    is_flag=False,
    flag_value="true",
    default="",
    metavar="[TEXT]",
    help="Do not tell where only the order of keys differs (any text but the empty one means yes).",
)


@click.group()
def command() -> None:
    """Write, check or compare the manifest of a package.

    The manifest is made from the list of tasks of the package and the signatures and docstrings of their functions.
    All that is wrong is told at once; what a server would refuse, or the public form can't show, is never written.

    Needs the extra: pip install 'trivet[fractal]'

    \b
    Example:
      trivet fractal manifest create --package my_tasks
    """


@command.command()
@_wanted
def create(wanted: Wanted) -> int:
    """Write the manifest into the directory of the package.

    The file that is there is replaced at once, or stays as it is. Prints its path. Exit code 1 when something is
    wrong; nothing is written then.

    \b
    Example:
      trivet fractal manifest create --package my_tasks
    """
    return fractal_manifests.create(wanted)


@command.command()
@_wanted
@_ignore_order
@click.option("--verbose", is_flag=True, help="With --compat: print both values of every difference.")
def check(wanted: Wanted, ignore_order: str, verbose: bool) -> int:
    """Say whether the manifest in the package is what `create` would write.

    Differences go to stdout. Exit code 1 when values differ, or something is wrong; the order of keys alone is no
    difference.

    \b
    Example:
      trivet fractal manifest check --package my_tasks
    """
    return fractal_manifests.check(wanted, bool(ignore_order), verbose)


@command.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE]...")
@_wanted
@_ignore_order
def diff(files: tuple[Path, ...], wanted: Wanted, ignore_order: str) -> int:
    """Say what differs between two manifests, task by task.

    Without a FILE, the package's own is compared with what `create` would write; with one FILE, that is; two FILEs are
    compared with each other, and nothing is imported. Exit code 1 when values differ.

    \b
    Example:
      trivet fractal manifest diff old/__FRACTAL_MANIFEST__.json --package my_tasks
    """
    if len(files) > 2:
        raise click.UsageError("at most two files can be compared")
    return fractal_manifests.diff(wanted, files, bool(ignore_order))
