"""Text to plain data, with every way that bad text can be bad turned into a problem with a position."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from trivet.tasks.problem import DocumentPath, Problem

MAX_DEPTH = 200
"""Deepest nesting of objects and lists that is read; json and YAML parsers crash or crawl far beyond it."""

MAX_EXPANDED = 1_000_000
"""Most values a YAML document may have once its aliases are written out (a bomb has billions)."""


class DuplicateKeys(dict[str, Any]):
    """An object that named a key more than once; the last value counts, as in every JSON reader."""

    duplicates: tuple[str, ...] = ()


def parse_json(text: str) -> tuple[Any, Problem | None]:
    """The data of a JSON text, or None and the first problem. NaN and Infinity are not JSON."""
    depth = _json_depth(text)
    if depth > MAX_DEPTH:
        return None, Problem("T006", f"nested {depth} levels deep; at most {MAX_DEPTH} are read")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant), None
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        hint = ""
        before = text[: error.pos].rstrip()
        if before.endswith(",") and text[error.pos : error.pos + 1] in ("}", "]"):
            hint = "remove the trailing comma"
            line, column = line_and_column(text, len(before) - 1)
        return None, Problem("T005", f"not valid JSON: {error.msg}", hint=hint, line=line, column=column)
    except _ConstantError as error:
        at = text.find(str(error))
        line, column = line_and_column(text, max(at, 0))
        return None, Problem("T005", f"not valid JSON: {error} is not a JSON number", line=line, column=column)
    except (RecursionError, ValueError) as error:
        return None, Problem("T005", f"not valid JSON: {error}")


def parse_yaml(text: str) -> tuple[Any, Problem | None]:
    """The data of a YAML text (one document, plain types), or None and the first problem."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        problem = _yaml_bomb(yaml.parse(text, loader))
        if problem is not None:
            return None, problem
        return yaml.load(text, _plain_loader(loader)), None  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        return None, Problem("T005", f"not valid YAML: {error.problem or error}", line=line, column=column)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return None, Problem("T005", f"not valid YAML: {str(error).splitlines()[0]}")


def duplicate_keys(data: Any, path: DocumentPath = ()) -> Iterator[Problem]:
    """A warning for every object that names a key twice."""
    if isinstance(data, DuplicateKeys):
        for key in data.duplicates:
            yield Problem("T009", f"`{key}` is given more than once; the last one counts", "warning", path=(*path, key))
    if isinstance(data, dict):
        for key, value in data.items():
            yield from duplicate_keys(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from duplicate_keys(value, (*path, index))


def position(text: str, path: DocumentPath) -> tuple[int, int] | None:
    """Line and column (from 1) of what stands at a path in a JSON or YAML text: the key of a member, the start of an
    item. Where the path leads nowhere, its nearest parent is meant; None when the text can't be read."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # YAML reads nearly all JSON; tabs are the exception and never matter outside strings.
        node = yaml.compose(text.replace("\t", " "), loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    mark = node.start_mark if node is not None else None
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        mark, node = found
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column (from 1) of a character offset."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    value: Any = getattr(node, "value", None)
    if isinstance(step, int) and node.id == "sequence" and step < len(value):
        return value[step].start_mark, value[step]
    if isinstance(step, str) and node.id == "mapping":
        for key, item in reversed(value):
            if key.value == step:
                return key.start_mark, item
    return None


_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _json_depth(text: str) -> int:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for character in re.findall(r"[\[\]{}]", _STRINGS.sub("", text)):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


class _ConstantError(ValueError):
    pass


def _no_constant(name: str) -> Any:
    raise _ConstantError(name)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) == len(pairs):
        return data
    marked = DuplicateKeys(data)
    seen: set[str] = set()
    marked.duplicates = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return marked


def _plain_loader(base: Any) -> Any:
    """The safe loader with text keys only, so that every contract sees the JSON data model; dates stay text."""

    class Loader(base):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            self.flatten_mapping(node)
            pairs = [(str(key.value), self.construct_object(item, deep=True)) for key, item in node.value]
            return _object(pairs)

    def mapping(loader: Any, node: Any) -> Iterator[Any]:
        data = DuplicateKeys()
        yield data
        made = loader.construct_mapping(node)
        data.update(made)
        data.duplicates = getattr(made, "duplicates", ())

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", base.construct_yaml_str)
    Loader.add_constructor("tag:yaml.org,2002:binary", base.construct_yaml_str)
    return Loader


def _yaml_bomb(events: Any) -> Problem | None:
    """Refuse deep, cyclic and exploding documents by their events alone, before anything is built."""
    import yaml

    sizes: dict[str, int] = {}
    open_anchors: list[tuple[str | None, int]] = []
    total = depth = 0
    for event in events:
        start: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            line, column = start.line + 1, start.column + 1
            if any(anchor == event.anchor for anchor, _ in open_anchors):
                return Problem("T007", f"alias *{event.anchor} contains itself", line=line, column=column)
            total += sizes.get(str(event.anchor), 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            total += 1
            open_anchors.append((event.anchor, total))
            if depth > MAX_DEPTH:
                line, column = start.line + 1, start.column + 1
                message = f"nested more than {MAX_DEPTH} levels deep"
                return Problem("T006", message, line=line, column=column)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = open_anchors.pop()
            if anchor is not None:
                sizes[anchor] = total - before + 1
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        if total > MAX_EXPANDED:
            return Problem("T007", f"aliases expand it to more than {MAX_EXPANDED:,} values")
    return None
