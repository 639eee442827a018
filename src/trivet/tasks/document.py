"""A file of a contract, parsed: apart from `task`, so that checking a document loads no value types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Document:
    """A file of a contract, parsed.

    ``kind`` is the contract's own word for it (``task``, ``descriptor``, ``manifest`` …); ``texts`` holds the text of
    the file and of everything else that was read with it, by name, the main one first: a document can be read again
    from these alone, but for its ``secrets``: attachments, by name, that no record may hold. ``base`` is the directory
    that relative paths are resolved against, ``origin`` what the user named. ``data`` is the plain parsed content,
    ``model`` the contract's own reading of it.
    """

    contract: str
    kind: str
    texts: Mapping[str, str]
    base: str
    origin: str
    data: Any = None
    model: Any = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
