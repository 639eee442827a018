"""Tasks in workflow files of version 1: known by their `source`, with one set of arguments and of meta data."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.contracts.fractal.naming import slug


@dataclass(frozen=True, slots=True)
class TaskSource:
    """What a task was known by: a task of a package (``slug`` is its name, shortened), or any text for a single one."""

    text: str
    package: str | None = None
    version: str | None = None
    slug: str | None = None

    def is_of(self, name: str, source: str | None) -> bool:
        """Whether a task of that name, with a source of its own or without, is meant."""
        return source == self.text or (self.slug is not None and slug(name) == slug(self.slug))


def read_source(text: str) -> TaskSource:
    """A source in its parts: ``pip_remote:<package>:<version>:<extras>:py<version>::<slug>``, ``pip_local:…``.

    Older servers left out the version of Python, or the extras (Fractal version 1, source).
    """
    head, separator, name = text.rpartition("::")  # without extras, another :: comes first
    kind, *fields = head.split(":")
    if kind not in ("pip_remote", "pip_local") or not separator or not name or len(fields) < 2 or not all(fields[:2]):
        return TaskSource(text)
    return TaskSource(text, fields[0], fields[1], name)
