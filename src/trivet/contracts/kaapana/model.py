"""What the documents say, whichever published form they are written in.

Named tuples: they are made ten times faster than dataclasses, and checking a file waits for them. ``path`` is where
the thing stands in its document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trivet.tasks.problem import DocumentPath, Problem

Amounts = Mapping[str, Mapping[str, Any]]
"""``limits`` and ``requests``, as written."""

NOTHING: Mapping[str, Any] = {}


class ScaleRule(NamedTuple):
    """How memory grows with the measured size n of a channel, in bytes: ``coefficient * n ** exponent``.

    The coefficient stays text (a decimal number), since its value is exact. The targets are relative to the channel,
    in mode ``max_item_sum`` to each item. ``headroom`` (decimal text, at least 1) multiplies the result; it is an
    extension that other readers ignore.
    """

    coefficient: str
    exponent: int
    kind: str
    mode: str
    target_dir: str = ""
    target_regex: str = ".*"
    target_glob: str = "*"
    path: DocumentPath = ()
    headroom: str = "1.1"


class Relation(NamedTuple):
    """What holds between the items of a channel and those of another one of the template (an extension).

    ``each``: an output's items are among an input's. ``combine``: they are new ones. ``match``: both are the same.
    """

    kind: str
    channel: str


class Channel(NamedTuple):
    """A directory that a template reads or writes at ``mounted_path`` (IOMount of the contract)."""

    name: str
    mounted_path: str
    description: str = ""
    scale_rule: ScaleRule | None = None
    path: DocumentPath = ()
    relations: tuple[Relation, ...] = ()


class Variable(NamedTuple):
    """An environment variable of a template; ``choices`` empty means unrestricted. ``kind``: boolean, string, int."""

    name: str
    value: str
    kind: str = "string"
    choices: tuple[str, ...] = ()
    adjustable: bool = True
    description: str = ""
    path: DocumentPath = ()
    declared: bool = True


class Template(NamedTuple):
    """One use of a container; ``command`` None is the image's own."""

    identifier: str
    description: str = ""
    inputs: tuple[Channel, ...] = ()
    outputs: tuple[Channel, ...] = ()
    variables: tuple[Variable, ...] = ()
    command: tuple[str, ...] | None = None
    resources: Amounts = NOTHING
    path: DocumentPath = ()


class Container(NamedTuple):
    """A processing-container.json."""

    name: str
    description: str = ""
    templates: tuple[Template, ...] = ()


class Binding(NamedTuple):
    """What a task.json mounts as a channel (IOVolume): a path of the host, or a volume of Kubernetes."""

    name: str
    host_path: str | None = None
    volume: Mapping[str, Any] | None = None
    scale_rule: ScaleRule | None = None
    path: DocumentPath = ()


class Setting(NamedTuple):
    """A variable's value in a task.json (BaseEnv)."""

    name: str
    value: str
    path: DocumentPath = ()


class TaskFile(NamedTuple):
    """A task.json. ``template`` is an identifier in the image's container file, or the template itself."""

    name: str
    image: str
    template: str | Template
    inputs: tuple[Binding, ...] = ()
    outputs: tuple[Binding, ...] = ()
    settings: tuple[Setting, ...] = ()
    command: tuple[str, ...] | None = None
    resources: Amounts = NOTHING
    config: Mapping[str, Any] = NOTHING


class Reading(NamedTuple):
    """A document as read: its content as far as it can be understood, and what is wrong with its shape.

    ``image`` is the image the document was read from, where it came from one, ``archive`` the file that holds this
    image; ``data`` the plain data, templates filled, passwords and all (what a record keeps of it is in the document's
    own data and texts).
    """

    content: Container | TaskFile | None
    problems: tuple[Problem, ...] = ()
    image: str | None = None
    data: Any = None
    archive: str | None = None
