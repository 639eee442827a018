"""From the names in a workflow file to its tasks: those of collected packages, and of packages in an environment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trivet.contracts import contract, examine
from trivet.contracts.fractal.description import PREFIXES
from trivet.contracts.fractal.environment import identity, normalized
from trivet.contracts.fractal.manifest import METADATA, PARALLEL, PARTS, V1, entry_of, type_of
from trivet.contracts.fractal.versions import newest_first
from trivet.contracts.fractal.workflows import Entry, WorkflowFile
from trivet.contracts.source import Source
from trivet.packages import manifests, registered
from trivet.records import UnreadableError
from trivet.records import packages as collected
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, ProblemsError, closest
from trivet.tasks.values import Value
from trivet.workflows.by_source import named
from trivet.workflows.workflow import Step, Workflow

UNKNOWN_PACKAGE, UNKNOWN_VERSION, UNKNOWN_TASK = "W020", "W021", "W022"
UNREADABLE = "W023"

_PROGRAM = "F020"
"""Code of a problem: a script, or the program of a command, that does not exist."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a task that was found: what its package says of it, and what the workflow gives.

    ``suffix`` ends the keys in the manifest; ``key`` is where its arguments stand in the workflow file.
    """

    suffix: str
    key: str
    schema: Mapping[str, Any] | None
    args: Mapping[str, Any]
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A task of a workflow file that was found: its entry there, the step it makes, and its manifest's own words.

    ``path`` leads to the entry in the file. Without ``active``, its package has no environment now.
    """

    entry: Entry
    path: tuple[str | int, ...]
    step: Step
    declared: Mapping[str, Any]
    parts: tuple[Part, ...]
    active: bool = True
    schema_version: str | None = None


@dataclass(frozen=True, slots=True)
class _Offer:
    """A version of a package that is there, and its documents, once they are asked for."""

    name: str
    version: str
    active: bool
    package: collected.PackageDirectory | None
    installed: Sequence[Source] = ()

    def sources(self) -> Sequence[Source]:
        return self.installed if self.package is None else registered.sources(self.package)


def resolve(file: WorkflowFile, home: Path, python: str | None = None) -> tuple[list[Found], list[Problem]]:
    """The tasks of a workflow file in their order, and what is wrong with those that are missing (Fractal, import).

    Packages are looked for in the environment that ``python`` names, then among the collected ones; without such a
    word last in Trivet's own environment. The problems' paths lead into the file. Raises ProblemsError when ``python``
    names no environment.
    """
    if python is not None:
        manifests.prefix_of(python)
    shelf = Shelf(home, python)
    found, problems = [], list[Problem]()
    for index, entry in enumerate(file.entries):
        path = file.entry_path(index)
        try:
            found.append(_found(named(entry, (*path, "task", "source"), shelf), path, shelf))
        except ProblemsError as error:
            problems += error.problems
    return found, problems


def workflow(file: WorkflowFile, found: Iterable[Found]) -> Workflow:
    """The workflow of a file all of whose tasks were found."""
    return Workflow(file.name, tuple(one.step for one in found), file.description)


def _found(entry: Entry, path: tuple[str | int, ...], shelf: Shelf) -> Found:
    offers = shelf.offers(entry.pkg_name)
    wanted = [offer for offer in offers if entry.version is not None and offer.version == entry.version]
    for offer in sorted(wanted, key=lambda offer: not offer.active):
        for document, problems in shelf.documents(offer, (*path, "task")):
            if entry.name in _names(document):
                faulty = _of_task(problems, _names(document).index(entry.name))
                if faulty:
                    raise ProblemsError(faulty)
                return _made(entry, path, document, offer)
    raise ProblemsError([_missing(entry, (*path, "task"), offers, shelf)])


def _of_task(problems: Iterable[Problem], position: int) -> list[Problem]:
    """The errors of a document that concern one of its tasks. Whether its programs are there is looked at later."""
    return [
        problem
        for problem in problems
        if problem.severity == "error"
        and problem.code != _PROGRAM
        and (problem.path[:1] != ("task_list",) or problem.path[1:2] in ((), (position,)))
    ]


def _missing(entry: Entry, path: tuple[str | int, ...], offers: Sequence[_Offer], shelf: Shelf) -> Problem:
    """Why a task is not there, and what is there instead (Fractal, workflow import: ``available_tasks``)."""
    name = entry.pkg_name
    collect = f"trivet fractal collect {name}" + (f"=={entry.version}" if entry.version else "")
    if not offers:
        near = closest(normalized(name), shelf.names())
        hint = f"{near} Or: " if near.startswith("did") else ""
        message = f"no package `{name}` was collected, and none is installed"
        return Problem(
            UNKNOWN_PACKAGE,
            message,
            hint=f"{hint}{collect}, or --python names its environment",
            path=(*path, "pkg_name"),
        )
    having = [offer for offer in offers if any(entry.name in _names(one) for one, _ in shelf.documents(offer, path))]
    if not having:
        names = [task for offer in offers for document, _ in shelf.documents(offer, path) for task in _names(document)]
        message = f"no version of `{name}` that is here ({_told(offers)}) has a task `{entry.name}`"
        hint = closest(entry.name, dict.fromkeys(names))
        return Problem(UNKNOWN_TASK, message, hint=hint, path=(*path, "name"))
    there = _told(having)
    if entry.version is None:
        message = f"the version of `{name}` is not said; `{entry.name}` is here in: {there}"
        hint = f'choose one: "version": "{having[0].version}"'
        return Problem(UNKNOWN_VERSION, message, hint=hint, path=(*path, "version"))
    if any(offer.version == entry.version for offer in offers):
        message = f"`{name}` {entry.version} has no task `{entry.name}`; it is in: {there}"
        return Problem(UNKNOWN_TASK, message, hint="take one of these versions", path=(*path, "name"))
    message = f"`{name}` {entry.version} is not here; `{entry.name}` is in: {there}"
    return Problem(UNKNOWN_VERSION, message, hint=f"{collect}, or take one of these", path=(*path, "version"))


def _told(offers: Sequence[_Offer]) -> str:
    versions: dict[str, bool] = {}
    for offer in offers:
        versions[offer.version] = versions.get(offer.version, False) or offer.active
    return ", ".join(version if active else f"{version} (inactive)" for version, active in versions.items())


_Examined = tuple[Document, list[Problem]]
"""A document, and what is wrong with it."""


class Shelf:
    """What packages there are; each is looked at once, however many tasks name it."""

    def __init__(self, home: Path, python: str | None) -> None:
        self._python = python
        self._collected = collected.every(home)
        self._offers: dict[str, list[_Offer]] = {}
        self._documents: dict[tuple[str, str, Any], list[_Examined]] = {}

    def names(self) -> list[str]:
        """The packages that were collected."""
        return list(dict.fromkeys(package.name for package in self._collected))

    def offers(self, name: str) -> list[_Offer]:
        """All versions of a package, newest first; of equal ones that in the named environment before collected ones,
        and before that in Trivet's own."""
        key = collected.normal(name)
        if key not in self._offers:
            registry = [_collected(package) for package in self._collected if package.name == key]
            installed = list(_installed(name, self._python))
            offers = [*installed, *registry] if self._python is not None else [*registry, *installed]
            order = newest_first(dict.fromkeys(offer.version for offer in offers))
            self._offers[key] = sorted(offers, key=lambda offer: order.index(offer.version))
        return self._offers[key]

    def documents(self, offer: _Offer, path: tuple[str | int, ...]) -> list[_Examined]:
        """The documents of a package. Raises ProblemsError when they can't be read."""
        key = (offer.name, offer.version, offer.package)
        if key not in self._documents:
            try:
                examined = [examine(source) for source in offer.sources()]
            except (OSError, UnreadableError) as error:
                message = f"the record of package `{offer.name}` {offer.version} can't be read: {error}"
                raise ProblemsError([Problem(UNREADABLE, message, path=path)]) from None
            self._documents[key] = [(document, problems) for document, problems in examined if document is not None]
        return self._documents[key]


def _collected(package: collected.PackageDirectory) -> _Offer:
    try:
        active = package.active
    except (OSError, UnreadableError):
        active = False
    return _Offer(package.name, package.version, active, package)


def _installed(name: str, python: str | None) -> Iterator[_Offer]:
    """A package that is merely installed in an environment; one without tasks is none."""
    if not manifests.is_name(name):
        return
    try:
        sources = manifests.installed(name, python)
    except ProblemsError:
        return
    if sources:
        first = sources[0]
        found, versions = identity(str(first.base), str(first.prefix), first.attachments.get(METADATA, ""))
        yield _Offer(found, versions.get(found, ""), True, None, tuple(sources))


def _names(document: Document) -> list[str]:
    if document.contract != "fractal" or not isinstance(document.data, dict):
        return []
    entries = document.data.get("task_list")
    return [str(one.get("name")) for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _made(entry: Entry, path: tuple[str | int, ...], document: Document, offer: _Offer) -> Found:
    declared = entry_of(document, entry.name)
    parts = tuple(_parts(entry, declared, document.kind == V1))
    narrowed = _narrowed(document, declared, parts)
    tasks = contract("fractal").tasks(narrowed)
    if not tasks:
        message = (
            f"task `{entry.name}` of `{offer.name}` {offer.version} can't be run: its executables don't fit its type"
        )
        raise ProblemsError([Problem(UNREADABLE, message, path=(*path, "task", "name"))])
    step = Step(tasks[0], _values(parts), entry.type_filters, entry.alias, entry.description)
    return Found(entry, path, step, declared, parts, offer.active, document.data.get("args_schema_version"))


def _parts(entry: Entry, declared: Mapping[str, Any], first_version: bool) -> Iterator[Part]:
    """The parts of a task; what the workflow says of meta data is put upon what its package says (Fractal, import)."""
    if first_version:  # one part, whatever the workflow calls it
        args = {name: value for given in entry.args.values() for name, value in (given or {}).items()}
        meta = {name: value for given in entry.meta.values() for name, value in (given or {}).items()}
        meta = {**(declared.get("meta") or {}), **meta}
        yield Part("", f"args_{PARALLEL}" if entry.source is None else "args", declared.get("args_schema"), args, meta)
        return
    for part in PARTS[type_of(declared) or ""]:
        yield Part(
            f"_{part}",
            f"args_{part}",
            declared.get(f"args_schema_{part}"),
            entry.args.get(part) or {},
            {**(declared.get(f"meta_{part}") or {}), **(entry.meta.get(part) or {})},
        )


def _narrowed(document: Document, declared: Mapping[str, Any], parts: Sequence[Part]) -> Document:
    """The manifest of this one task as the workflow has it: with its meta data, and exactly the arguments it gives.

    These may be of any type and need not be declared: they were checked against the package's own schemas, or not, as
    the user wanted. So a unit is given what the file says and nothing else, as by the public server.
    """
    task = {key: value for key, value in declared.items() if key not in ("docs_info", "docs_link")}
    for part in parts:
        task[f"meta{part.suffix}"] = dict(part.meta)
        task[f"args_schema{part.suffix}"] = {"type": "object", "properties": {name: {} for name in part.args}}
    data = {"manifest_version": document.data["manifest_version"], "task_list": [task]}
    texts = dict(document.texts)
    texts.pop(document.origin, None)
    if METADATA in texts:  # the header says who it is; a whole README may follow
        texts[METADATA] = texts[METADATA].partition("\n\n")[0] + "\n"
    source = Source(document.origin, json.dumps(data), Path(document.base), texts, prefix=document.model.prefix)
    return replace(contract("fractal").read(source), model=document.model)


def _values(parts: Sequence[Part]) -> dict[str, Value]:
    """The arguments by the names of their ports: those that two parts have, by the part's name and theirs."""
    names = [name for part in parts for name in part.args]
    values: dict[str, Value] = {}
    for part in parts:
        for name, value in part.args.items():
            prefix = PREFIXES[part.suffix.removeprefix("_")] if names.count(name) > 1 else ""
            values[prefix + name] = value
    return values
