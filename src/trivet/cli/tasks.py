"""``trivet tasks``: what can be run by name."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


@click.command("tasks", epilog="Example: trivet tasks --category Segmentation --search nuclei")
@click.option("--package", metavar="NAME", help="Only of this package.")
@click.option("--name", metavar="TEXT", help="Only with this in the task's name.")
@click.option("--type", "kind", metavar="TYPE", help="Only of this type: parallel, non_parallel, compound …")
@click.option("--category", metavar="TEXT", help="Only of this category.")
@click.option("--search", metavar="TEXT", help="Only with this in the name, the description or a tag.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool, **filters: str | None) -> int:
    """List the tasks of the packages that were collected with `trivet fractal collect`.

    `trivet show PACKAGE#TASK` tells all of one, `trivet run PACKAGE#TASK` runs it; PACKAGE==VERSION names a version
    other than the newest. Case does not matter in filters.
    """
    from trivet.cli.tables import print_table
    from trivet.packages.registered import listing
    from trivet.records import UnreadableError, home
    from trivet.records.packages import every

    rows: list[dict[str, Any]] = []
    code = 0
    for package in every(home()):
        try:
            rows += [row for row in listing(package) if _fits(row, filters)]
        except (OSError, UnreadableError) as error:
            print(f"trivet: {error}", file=sys.stderr)
            code = 1
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        header = ("PACKAGE", "VERSION", "TASK", "TYPE", "CATEGORY", "MODALITY", "TAGS", "ACTIVE")
        print_table(header, [_cells(row) for row in rows])
    else:
        print("there is no such task; `trivet fractal collect PACKAGE` gets some", file=sys.stderr)
    return code


def _fits(row: dict[str, Any], filters: dict[str, str | None]) -> bool:
    from trivet.records.packages import normal

    def says(value: str | None, wanted: str | None, within: bool = False) -> bool:
        if wanted is None:
            return True
        text = (value or "").casefold()
        return wanted.casefold() in text if within else wanted.casefold() == text

    everything = "\n".join([row["task"], row["description"] or "", *row["tags"]])
    return (
        (filters["package"] is None or row["package"] == normal(filters["package"]))
        and says(row["task"], filters["name"], within=True)
        and says(row["type"], filters["kind"])
        and says(row["category"], filters["category"])
        and says(everything, filters["search"], within=True)
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    kind = row["type"] + (" (v1)" if row["manifest_version"] == "1" else "")
    active = "yes" if row["active"] else "no"
    words = (row["category"] or "", row["modality"] or "", ", ".join(row["tags"]))
    return (row["package"], row["version"], row["task"], kind, *words, active)
