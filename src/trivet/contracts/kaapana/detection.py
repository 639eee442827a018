"""Recognising a container or a task: apart from reading them, so that other contracts' documents load nothing else."""

from __future__ import annotations

from typing import Any

from trivet.contracts.kaapana import CONTAINER_FILE
from trivet.contracts.source import Source


def detect(source: Source) -> bool:
    """True for a container or a task in any published form, and for a broken file that was meant to be one."""
    if source.name.endswith((".yml", ".yaml")):
        return False
    if source.name.rpartition("/")[2] == CONTAINER_FILE:
        return True
    data, problem = source.parsed
    if problem is not None:
        return '"mounted_path"' in source.text or '"taskTemplate"' in source.text
    return isinstance(data, dict) and (is_task(data) or _is_container(data))


def is_task(data: Any) -> bool:
    """True for the data of a task.json in any published form."""
    if not isinstance(data, dict) or isinstance(data.get("templates"), list):
        return False
    if "taskTemplate" in data:
        return True
    return "image" in data and _has_lists(data)


def _is_container(data: dict[str, Any]) -> bool:
    if isinstance(data.get("templates"), list) or {"name", "description", "templates"} <= data.keys():
        return True
    if not _has_lists(data):  # a descriptor of another contract has objects, not lists, under these names
        return False
    from trivet.contracts.kaapana import forms

    return forms.is_flat(data)  # the oldest form


def _has_lists(data: dict[str, Any]) -> bool:
    return any(isinstance(data.get(key), list) for key in ("inputs", "outputs"))
