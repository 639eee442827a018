"""Tests that third parties' engines pass."""
