"""The tasks of collected packages: their documents, as contracts read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.contracts.fractal.manifest import IDENTITY, NON_PARALLEL, PARALLEL, type_of
from trivet.contracts.source import Source, load
from trivet.records.packages import PackageDirectory, every, find, normal
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.task import Task


def sources(package: PackageDirectory) -> list[Source]:
    """The documents of a package, for `trivet.contracts.examine`; of one under development as they are today.

    Raises UnreadableError, FileNotFoundError; ProblemsError for a document under development that is gone.
    """
    record = package.read()
    identity = identity_of(record)
    prefix = None if record["prefix"] is None else package.path / record["prefix"]
    found = []
    for document in record["documents"]:
        path = package.path / document["path"]
        text = load(path).text if record.get("editable") else document["text"]
        found.append(Source(str(path), text, Path(path).parent, {IDENTITY: identity}, prefix=prefix))
    return found


def identity_of(record: Mapping[str, Any]) -> str:
    """What is attached to the documents of a package: its name and version, and the versions that matter."""
    return json.dumps({key: record[key] for key in ("name", "version", "versions")})


def named(home: Path, text: str) -> list[Source] | None:
    """The documents of ``NAME`` (its newest active version) or ``NAME==VERSION``; None when no such name is known.

    Raises ProblemsError when it is known, but not in an active version, or not in that one.
    """
    name, _, version = text.partition("==")
    if "/" in text or ":" in text or not any(package.name == normal(name) for package in every(home)):
        return None
    try:
        package = find(home, name.strip(), version.strip() or None)
    except LookupError as error:
        raise ProblemsError([Problem("P005", str(error))]) from None
    if not package.active:
        hint = f"`trivet fractal reactivate {package.name}=={package.version}` makes its environment again"
        raise ProblemsError([Problem("P005", f"{package.name} {package.version} is not active", hint=hint)])
    return sources(package)


def listing(package: PackageDirectory) -> list[dict[str, Any]]:
    """The tasks of a package as its manifests have them, for lists; its environment is not needed for that.

    Raises UnreadableError, FileNotFoundError.
    """
    record = package.read()
    rows = []
    for document in record["documents"]:
        data = json.loads(document["text"])
        for entry in data["task_list"]:
            legacy = data["manifest_version"] == "1"
            level = (entry.get("meta") or {}).get("parallelization_level") if legacy else None
            rows.append(
                {
                    "package": package.name,
                    "version": package.version,
                    "task": entry["name"],
                    "type": (PARALLEL if level else NON_PARALLEL) if legacy else type_of(entry),
                    "manifest_version": data["manifest_version"],
                    "category": entry.get("category"),
                    "modality": entry.get("modality"),
                    "tags": entry.get("tags") or [],
                    "description": entry.get("docs_info"),
                    "active": package.active,
                }
            )
    return rows


def used(home: Path, task: Task) -> None:
    """Keep in mind that a task is run now, if its package was collected."""
    identity = task.document.texts.get(IDENTITY)
    if identity is not None:
        data = json.loads(identity)
        PackageDirectory(home / "packages" / normal(data["name"]) / data["version"]).touch()
