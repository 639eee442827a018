"""The tasks of collected packages: their documents, as contracts read them."""

from __future__ import annotations

import json
from pathlib import Path

from trivet.contracts.source import Source
from trivet.records.packages import PackageDirectory

IDENTITY = "package.json"
"""The attachment by which a document says of which package, and in which versions, its tasks are."""


def sources(package: PackageDirectory) -> list[Source]:
    """The documents of a package, for `trivet.contracts.examine`. Raises UnreadableError, FileNotFoundError."""
    record = package.read()
    identity = json.dumps({"name": record["name"], "version": record["version"], "versions": record["versions"]})
    prefix = None if record["prefix"] is None else package.path / record["prefix"]
    return [
        Source(
            str(package.path / document["path"]),
            document["text"],
            (package.path / Path(document["path"])).parent,
            {IDENTITY: identity},
            prefix=prefix,
        )
        for document in record["documents"]
    ]
