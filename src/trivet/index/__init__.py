"""The database that lists runs. Their directories are the truth: it only lists them, and can be rebuilt."""

from __future__ import annotations

from pathlib import Path


def default_url(home: Path) -> str:
    """The index of a home that nobody named another for: SQLite, beside the runs."""
    return f"sqlite:///{home / 'index.db'}"
