"""Recognising a descriptor: apart from reading one, so that other contracts' documents load nothing else of this."""

from __future__ import annotations

import re

from trivet.contracts.source import Source

_DESCRIPTOR = re.compile(r"(?:.*[/\\])?descriptor\.ya?ml", re.IGNORECASE)
_MARKS = ("name_short", "namespace", "version", "authors", "configuration", "inputs", "outputs", "$schema")
_OTHERS = ("cwlVersion", "runs", "jobs", "task_list", "templates", "trivet", "services")
"""Keys of other kinds of files that have inputs and outputs as well."""


def detect(source: Source) -> bool:
    """True for what looks like a Cytomine descriptor, good or bad."""
    data, problem = source.parsed
    if problem is not None:
        return _DESCRIPTOR.fullmatch(source.name) is not None
    if not isinstance(data, dict):
        return False
    if "cytomine" in str(data.get("$schema", "")).lower():
        return True
    if any(key in data for key in _OTHERS):
        return False
    if _DESCRIPTOR.fullmatch(source.name):
        return any(key in data for key in _MARKS)
    return ("inputs" in data or "outputs" in data) and sum(key in data for key in _MARKS) >= 4
