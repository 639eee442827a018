"""What can be run, neutral of contract: a task, its ports, its program, what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trivet.tasks.document import Document
from trivet.tasks.types import ValueType
from trivet.tasks.values import Value

__all__ = [
    "MISSING",
    "UNLIMITED",
    "ContainerImage",
    "Document",
    "Environment",
    "Port",
    "Program",
    "Resources",
    "Task",
]


class _Missing:
    """No default: not the same as a default of None."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Port:
    """One named, typed input or output of a task.

    ``access`` is ``inout`` for data that is changed in place. ``optional`` means that a run may start (or end) without
    it; ``adjustable`` False means that only the default is accepted. ``location`` says where the program sees it (a
    path in the container, the name of a variable), for people; ``place`` is the absolute path where the document
    itself wants an output, empty when it has no wish, None when it ought to say and does not.
    """

    name: str
    type: ValueType
    access: Literal["in", "out", "inout"] = "in"
    description: str = ""
    title: str = ""
    default: Value | _Missing = MISSING
    optional: bool = False
    adjustable: bool = True
    location: str = ""
    place: str | None = ""

    @property
    def required(self) -> bool:
        return not self.optional and self.default is MISSING


@dataclass(frozen=True, slots=True)
class Resources:
    """What a unit may use: CPUs (1.5 is allowed), memory in bytes, whole GPUs. None means no word about it."""

    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None


UNLIMITED = Resources()


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """A program in a container image.

    ``reference`` is what an engine is asked for; ``archive`` is a file it can be loaded from instead of pulled (where
    that is a zip, ``member`` names the image's tar in it); ``digest`` is known once somebody looked. An empty
    ``reference`` means that the caller must name an image.
    """

    reference: str
    archive: str | None = None
    digest: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """A program in an environment of this machine.

    ``prefix`` is a virtual environment whose ``bin`` comes first on PATH (None: the caller's own); ``versions`` holds
    the packages that matter, by name.
    """

    prefix: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


Program = ContainerImage | Environment


@dataclass(frozen=True, slots=True)
class Task:
    """A task of any contract.

    ``name`` is unique within its document. ``repeats`` names the input the task is by its nature repeated over, one
    unit for each element. ``open_inputs``: names that are not declared are accepted as text (with a word about it).
    """

    contract: str
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    program: Program
    document: Document
    resources: Resources = UNLIMITED
    title: str = ""
    description: str = ""
    namespace: str = ""
    version: str = ""
    command: tuple[str, ...] = ()
    network: bool = False
    repeats: str | None = None
    open_inputs: bool = False

    def input(self, name: str) -> Port | None:
        """The input of that name, or None."""
        return next((port for port in self.inputs if port.name == name), None)
