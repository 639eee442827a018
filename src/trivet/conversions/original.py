"""What a conversion is told beside the task: how its image starts, and what the new document wants to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Original:
    """The image of a task: ``argv`` is what it starts (its entrypoint and command), ``user`` as whom (empty: root)."""

    image: str
    argv: tuple[str, ...]
    user: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who is to be asked about a task."""

    first_name: str
    last_name: str
    organization: str
    email: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller wants of a conversion; what is left open gets a placeholder that the result tells about.

    ``channels`` says what a channel holds (`CHANNELS`), ``files`` where nothing is said. ``shell_from`` is an image
    with a static ``/bin/busybox``, for an original without a shell.
    """

    namespace: str = ""
    version: str = ""
    authors: tuple[Author, ...] = ()
    channels: Mapping[str, str] = field(default_factory=dict)
    shell_from: str = ""


CHANNELS = ("files", "file", "image")
"""What each item of a channel is: any number of files, exactly one file, exactly one image."""
