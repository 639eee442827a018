"""Trivet: read, check and run image-analysis tasks of Kaapana, Cytomine and Fractal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trivet.api import Run, call, command, load, run
    from trivet.tasks.problem import ProblemsError

__version__ = "0.1.0"
__all__ = ["ProblemsError", "Run", "__version__", "call", "command", "load", "run"]


def __getattr__(name: str) -> Any:
    # Importing trivet must cost nothing: the interface is loaded when it is first used.
    if name in __all__:
        from trivet import api

        return getattr(api, name)
    raise AttributeError(f"module 'trivet' has no attribute {name!r}")
