"""Where a value stands in a text: looked up by its path, and only when there is a problem to report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trivet.contracts.parsing import line_and_column
from trivet.tasks.problem import DocumentPath

Position = tuple[int, int]
"""Line and column, both from 1."""

_SPACE = re.compile(r"[ \t\r\n]*")


def json_positions(text: str, paths: Sequence[DocumentPath]) -> list[Position]:
    """Where each path leads in a valid JSON text: the key of a member, the start of an item.

    Where a path leads nowhere, its nearest parent is meant. One pass, whatever the number of paths.
    """
    found: dict[DocumentPath, int] = {(): _skip(text, 0)}
    _find_json(text, found[()], (), _tree(paths), found)
    return [line_and_column(text, found[_nearest(path, found)]) for path in paths]


def yaml_positions(text: str, paths: Sequence[DocumentPath]) -> list[Position]:
    """Where each path leads in a valid YAML text; otherwise as `json_positions`."""
    import yaml

    root = yaml.compose(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [_find_yaml(root, path) for path in paths]


Tree = Mapping[str | int, "Tree"]


def _tree(paths: Sequence[DocumentPath]) -> Tree:
    root: dict[str | int, Any] = {}
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(step, {})
    return root


def _nearest(path: DocumentPath, found: Mapping[DocumentPath, int]) -> DocumentPath:
    while path not in found:
        path = path[:-1]
    return path


def _find_json(text: str, at: int, path: DocumentPath, wanted: Tree, found: dict[DocumentPath, int]) -> int:
    """Note where the wanted parts of the value at an offset start; returns the offset behind the value."""
    from json import JSONDecoder
    from json.decoder import scanstring  # type: ignore[attr-defined]

    skip_value: Callable[[str, int], tuple[Any, int]] = JSONDecoder().raw_decode
    kind = text[at]
    if not wanted or kind not in "{[":
        return skip_value(text, at)[1]
    step: str | int = -1
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        start = at
        if kind == "{":
            step, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)
        else:
            step = int(step) + 1
        if step in wanted:
            found[(*path, step)] = start
            at = _find_json(text, at, (*path, step), wanted[step], found)
        else:
            at = skip_value(text, at)[1]
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _find_yaml(node: Any, path: DocumentPath) -> Position:
    mark = node.start_mark if node is not None else None
    for step in path:
        inner = _child(node, step)
        if inner is None:
            break
        mark, node = inner
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    value: Any = node.value
    if isinstance(step, int) and node.id == "sequence" and step < len(value):
        return value[step].start_mark, value[step]
    if isinstance(step, str) and node.id == "mapping":
        for key, item in reversed(value):
            if key.value == step:
                return key.start_mark, item
    return None
