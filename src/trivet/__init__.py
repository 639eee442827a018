"""Trivet: read, check and run image-analysis tasks of Kaapana, Cytomine and Fractal."""

from __future__ import annotations

__version__ = "0.1.0"
