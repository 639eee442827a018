"""``trivet dataset list``: all datasets."""

from __future__ import annotations

import json
import time
from typing import Any

import click


@click.command("list", epilog="Example: trivet dataset list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> int:
    """List datasets by name: how many images, which version, where."""
    from trivet.cli.dataset_words import UNUSABLE, tell
    from trivet.cli.tables import print_table
    from trivet.records import home
    from trivet.records.datasets import every
    from trivet.tasks.problem import Problem

    rows: list[dict[str, Any]] = []
    code = 0
    for dataset in every(home()):
        try:
            head, zarr_dir = dataset.heads()[-1], dataset.zarr_dir
        except (OSError, ValueError) as error:
            tell([Problem(UNUSABLE, str(error))])
            code = 1
            continue
        changed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(head.at))
        rows.append(
            {
                "name": dataset.path.name,
                "images": head.images,
                "version": head.number,
                "changed": changed,
                "zarr_dir": zarr_dir,
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        lines = [tuple(str(value) for value in row.values()) for row in rows]
        print_table(("DATASET", "IMAGES", "VERSION", "CHANGED", "DIRECTORY"), lines)
    return code
