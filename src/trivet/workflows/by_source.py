"""Tasks of workflow files of version 1, which name them by `source`: found among the packages that are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trivet.contracts.fractal.manifest import V1
from trivet.contracts.fractal.v1.workflows import read_source
from trivet.contracts.fractal.workflows import Entry
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.workflows.resolving import Shelf


def named(entry: Entry, path: tuple[str | int, ...], shelf: Shelf) -> Entry:
    """The entry with the name and the package of the task that its source means; as it is when it has no source.

    Raises ProblemsError when no single task is known by it; of a package that is not here, the entry tells the rest.
    """
    if entry.source is None:
        return entry
    source = read_source(entry.source)
    for package in shelf.names() if source.package is None else [source.package]:
        for offer in shelf.offers(package):
            if source.version in (None, offer.version):
                for name in _meant(shelf.documents(offer, path), entry.source):
                    return replace(entry, pkg_name=offer.name, version=offer.version, name=name)
    if source.package is not None:
        return entry
    hint = "trivet fractal collect --v1 --command COMMAND --name TEXT --source SOURCE registers it"
    raise ProblemsError([Problem("W022", f"no task is known by the source `{source.text}`", hint=hint, path=path)])


def _meant(documents: Iterable[tuple[Document, Sequence[Problem]]], source: str) -> Iterator[str]:
    wanted = read_source(source)
    for document, _ in documents:
        if document.contract == "fractal" and document.kind == V1:
            for task in document.data["task_list"]:
                if wanted.is_of(task["name"], task.get("source")):
                    yield task["name"]
