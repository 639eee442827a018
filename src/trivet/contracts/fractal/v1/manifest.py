"""A task of version 1 as its manifest has it: what the runner supplies, where it is repeated, what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESERVED = ("input_paths", "output_path", "metadata", "component")
"""Arguments that a runner of version 1 supplies; nobody else may."""

LEVELS = ("plate", "well", "image")
"""The usual levels of parallelization: keys of the metadata under which components are listed."""

GATHER = "gather-parallel-output"
"""The input by which the output of parallel units is not ignored; no argument of a function can be called so."""

METADATA = "metadata"
"""What earlier tasks said of a dataset, an input and an output; lists of components stand in it by level."""


def level_of(entry: Mapping[str, Any]) -> str | None:
    """The key of the metadata whose components a parallel task is repeated for; None for a task that is run once."""
    level = (entry.get("meta") or {}).get("parallelization_level")
    return str(level) if level else None


def meta_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a task says of the resources it needs.

    ``executor`` named a part of a server's own configuration, which is gone with it: the defaults are taken.
    """
    meta = entry.get("meta") or {}
    return {key: value for key, value in meta.items() if key not in ("parallelization_level", "executor")}
