"""What a descriptor says, with every default applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivet.tasks.problem import Problem
from trivet.tasks.task import UNLIMITED, Port, Resources

Member = tuple[str, str]
"""A parameter as dependencies name it: ``inputs`` or ``outputs``, and its id."""

Link = tuple[Member, Member]
"""Two arrays that must match."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A Cytomine task descriptor (v0), read.

    ``links`` are the arrays that must have one size, as declared: once suffices for both sides. ``derived_from`` gives
    the input an output is relative to. ``image_file`` is the place of the image's tar in a bundle, where the
    descriptor names one. ``image`` and ``archive`` are what the caller named: a reference to use, the bundle it came in
    (``archive_image``: the tar in it).
    """

    problems: tuple[Problem, ...] = ()
    name: str = ""
    short_name: str = ""
    namespace: str = ""
    version: str = ""
    description: str = ""
    authors: tuple[Mapping[str, Any], ...] = ()
    source_code: str = ""
    dois: tuple[str, ...] = ()
    input_folder: str = "/inputs"
    output_folder: str = "/outputs"
    image_file: str = ""
    resources: Resources = UNLIMITED
    internet: bool = False
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    links: tuple[Link, ...] = ()
    derived_from: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    archive: Path | None = None
    archive_image: str | None = None

    @property
    def reference(self) -> str:
        """The image's name as the contract builds it: the namespace as a path, the version as its tag."""
        return f"{self.namespace.replace('.', '/')}:{self.version.replace('+', '_')}"
