"""Tests that third parties' engines pass."""

from trivet.testing.engines import EngineTests

__all__ = ["EngineTests"]
