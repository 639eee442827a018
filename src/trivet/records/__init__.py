"""Directories, journals, owners: what happened."""

from __future__ import annotations

import os
from pathlib import Path


class UnreadableError(ValueError):
    """A record or journal that this version can't read: damaged, or written by a later one. The message names it."""


def home() -> Path:
    """Where runs are kept: ``$TRIVET_HOME``, or ``trivet`` in the user's data directory."""
    named = os.environ.get("TRIVET_HOME")
    if named:
        return Path(named).absolute()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "trivet"
