"""``trivet fractal packages``: what was collected."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trivet.records.packages import PackageDirectory


@click.command("packages", epilog="Example: trivet fractal packages --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> int:
    """List the packages that were collected, the newest version of each first."""
    from trivet.cli.tables import print_table
    from trivet.records import UnreadableError, home
    from trivet.records.packages import every

    rows, code = [], 0
    for package in every(home()):
        try:
            rows.append(package_data(package))
        except (OSError, UnreadableError) as error:
            print(f"trivet: {error}", file=sys.stderr)
            code = 1
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        header = ("PACKAGE", "VERSION", "TASKS", "FROM", "PYTHON", "ACTIVE", "COLLECTED", "LAST USED")
        print_table(header, [_row(row) for row in rows])
    return code


def package_data(package: PackageDirectory) -> dict[str, Any]:
    """A package as JSON data. Raises UnreadableError, OSError."""
    from trivet.packages.registered import listing
    from trivet.records.codec import iso

    record = package.read()
    keys = (
        "origin", "requested", "editable", "extras", "python", "pins", "freeze", "created", "versions",
    )  # fmt: skip
    return {
        "name": package.name,
        "version": package.version,
        "path": str(package.path),
        **{key: record.get(key) for key in keys},
        "active": package.active,
        "last_used": None if package.last_used is None else iso(package.last_used),
        "tasks": [row["task"] for row in listing(package)],
    }


def found(text: str) -> PackageDirectory:
    """The package that ``NAME==VERSION`` names, or ``NAME`` where there is only one version. Raises ClickException."""
    from trivet.records import home
    from trivet.records.packages import every, find, normal

    name, _, version = text.partition("==")
    mine = [package for package in every(home()) if package.name == normal(name)]
    if not version and len(mine) > 1:
        there = ", ".join(f"{package.name}=={package.version}" for package in mine)
        raise click.ClickException(f"several versions of `{name}` were collected; name one: {there}")
    try:
        return find(home(), name, version or (mine[0].version if mine else None))
    except LookupError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def guarded() -> Iterator[None]:
    """Work on packages; a directory that can't be written is a matter of this machine. Raises ClickException."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the packages'}: {error.strerror or error}") from None


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    used = row["last_used"]
    return (
        row["name"],
        row["version"],
        str(len(row["tasks"])),
        row["origin"] + (", editable" if row["editable"] else ""),
        row["python"],
        "yes" if row["active"] else "no",
        _day(row["created"]),
        _day(used) if used else "never",
    )


def _day(moment: str) -> str:
    return moment[:10]
