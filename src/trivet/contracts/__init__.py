"""Contracts: the public ways to write a task down, each in a package of its own with the same rooms.

A contract reads, checks, plans, stages, collects and concludes; it never starts anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # checking a document needs none of these, and each dataclass costs half a millisecond at import
    from pathlib import Path

    from trivet.contracts.source import Source
    from trivet.contracts.written import Written
    from trivet.tasks.call import Call
    from trivet.tasks.document import Document
    from trivet.tasks.problem import Problem
    from trivet.tasks.task import Task
    from trivet.tasks.values import Value
    from trivet.tasks.work import AttemptDirectory, Invocation, Outcome, RunResult, Unit, UnitResult

CONTRACTS = ("kaapana", "cytomine", "fractal", "command")
"""Names of all contracts, in the order in which they are asked whether a document is theirs."""

TARGETS = {
    "kaapana": ("kaapana", "current"),
    "kaapana:guide": ("kaapana", "guide"),
    "cytomine": ("cytomine", "v0"),
    "fractal": ("fractal", "2"),
}
"""What a task can be written as: contract and form. Within a contract its `write` does it, else a conversion."""

LOOKED_FOR = "a Kaapana container or task, a Cytomine descriptor or bundle, a Fractal manifest, a Trivet command"
"""What they describe, for messages."""


class Contract(Protocol):
    """What every contract package offers as its module-level functions."""

    def detect(self, source: Source) -> bool:
        """True when the content looks like a document of this contract, good or bad."""

    def read(self, source: Source) -> Document:
        """The parsed document. Bad content never raises: `check` tells about it."""

    def check(self, document: Document) -> Sequence[Problem]:
        """Every problem of the document, in the order of the file, each with its path."""

    def tasks(self, document: Document) -> Sequence[Task]:
        """The tasks of a document without errors, in the order of the file."""

    def plan(self, call: Call, phase: int, before: Sequence[UnitResult]) -> Sequence[Unit] | None:
        """The units of a phase (0, 1, …) given the results of the phase before; None after the last. Pure."""

    def stage(self, call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
        """Write what the unit reads, below ``where`` only, and say how to start it. May be repeated."""

    def collect(self, call: Call, unit: Unit, where: AttemptDirectory, outcome: Outcome) -> UnitResult:
        """Read and check what the unit wrote. May be repeated; starts nothing."""

    def conclude(self, call: Call, results: Sequence[UnitResult]) -> RunResult:
        """Fold the results, given in the order of the units of all phases. Pure."""

    def write(self, document: Document | Task, form: str) -> Written:
        """The files that say the same in a form of this contract, and what they can't say; for those in `TARGETS`.

        Raises ProblemsError for what can't be written in it at all.
        """

    # What follows is offered only by contracts that have something to say there.

    def refusals(self, call: Call) -> Sequence[Problem]:
        """What is wrong with a call beyond the types of its values (or is only warned of), before a run exists."""

    def limit(self, task: Task) -> int | None:
        """How many units of a run may run at once on one machine; None for as many as it can."""

    def verify(self, document: Document) -> Sequence[Problem]:
        """What is wrong with the archive a document came in, read to its last byte; placed in its file."""

    def read_inputs(self, task: Task, folder: Path) -> tuple[dict[str, Value], Sequence[Problem]]:
        """Values of inputs that lie in a directory as the program finds them, and what is wrong with them."""


def contract(name: str) -> Contract:
    """The contract of that name. Raises KeyError for an unknown one."""
    if name not in CONTRACTS:
        raise KeyError(name)
    return import_module(f"trivet.contracts.{name}")


def detect(source: Source) -> str | None:
    """The name of the contract a document is written in, by looking at its content; None when it is none."""
    # The only contract written in YAML is asked first about YAML, so that the others need not even be loaded.
    order = sorted(CONTRACTS, key=lambda name: name != "cytomine") if source.is_yaml else CONTRACTS
    return next((name for name in order if contract(name).detect(source)), None)


def examine(source: Source) -> tuple[Document | None, list[Problem]]:
    """Recognise, read and check a document: the document and all its problems, placed in its file.

    Without a contract that knows it, the document is None and the only problem says so.
    """
    name = detect(source)
    data, unparsed = source.parsed
    if name is None:
        return None, source.place([unparsed or _unknown()])
    from trivet.contracts.parsing import duplicate_keys

    module = contract(name)
    document = module.read(source)
    problems = list(module.check(document))
    if unparsed is not None and not any(problem.code == unparsed.code for problem in problems):
        problems.insert(0, unparsed)
    problems += duplicate_keys(data)
    return document, list(dict.fromkeys(source.place(problems)))


def _unknown() -> Problem:
    from trivet.tasks.problem import Problem

    return Problem("T010", "this is not a task document of any known contract", hint=f"looked for {LOOKED_FOR}")
