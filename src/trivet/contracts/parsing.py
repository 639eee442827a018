"""Text to plain data, with every way that bad text can be bad turned into a problem with a position."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from trivet.tasks.problem import DocumentPath, Problem

MAX_DEPTH = 100
"""Deepest nesting of objects and lists that is read; JSON and YAML parsers crash or crawl far beyond it."""

MAX_EXPANDED = 1_000_000
"""Most values a YAML document may have once its aliases are written out (a bomb has billions)."""


class DuplicateKeys(dict[str, Any]):
    """An object that named a key more than once; the last value counts, as in every JSON reader."""

    duplicates: tuple[str, ...] = ()


def parse_json(text: str) -> tuple[Any, Problem | None]:
    """The data of a JSON text, or None and the first problem. NaN and Infinity are not JSON."""
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (RecursionError, ValueError) as error:
        return None, _json_depth(text) or _json_fault(text, error)
    return (data, None) if sum(1 for _ in _levels(data)) <= MAX_DEPTH else (None, _json_depth(text))


def _json_fault(text: str, error: Exception) -> Problem:
    """What the parser found wrong with a JSON text."""
    if isinstance(error, json.JSONDecodeError):
        at, hint = _json_hint(text, error)
        line, column = line_and_column(text, at)
        return Problem("T005", f"not valid JSON: {error.msg}", hint=hint, line=line, column=column)
    if isinstance(error, _ConstantError):
        constants = (match for match in _JSON_TOKENS.finditer(text) if match[0] == str(error))
        line, column = line_and_column(text, next(constants).start())
        hint = "JSON has no such number; leave it out or write it as text"
        return Problem("T005", f"not valid JSON: {error}", hint=hint, line=line, column=column)
    return Problem("T005", f"not valid JSON: {error}")


def parse_yaml(text: str) -> tuple[Any, Problem | None]:
    """The data of a YAML text (one document, plain types), or None and the first problem."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        problem = _yaml_bomb(yaml.parse(text, base))
        if problem is not None:
            return None, problem
        return yaml.load(text, _plain_loader(base)), None  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        return None, Problem("T005", f"not valid YAML: {error.problem or error}", line=line, column=column)
    except yaml.reader.ReaderError as error:
        # `position` counts bytes or characters, and `character` is a number or text, as the loader likes it.
        character = chr(error.character) if isinstance(error.character, int) else error.character
        line, column = line_and_column(text, max(text.find(character), 0))
        message = f"not valid YAML: the character U+{ord(character):04X} is not allowed"
        return None, Problem("T005", message, line=line, column=column)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return None, Problem("T005", f"not valid YAML: {str(error).splitlines()[0]}")


def duplicate_keys(data: Any, path: DocumentPath = ()) -> Iterator[Problem]:
    """A warning for every object that names a key twice."""
    if not path and not any(isinstance(one, DuplicateKeys) for level in _levels(data) for one in level):
        return  # found out without making the path of every value
    if isinstance(data, DuplicateKeys):
        for key in data.duplicates:
            yield Problem("T009", f"`{key}` is given more than once; the last one counts", "warning", path=(*path, key))
    members: Iterable[tuple[str | int, Any]] = ()
    if isinstance(data, dict | list):
        members = data.items() if isinstance(data, dict) else enumerate(data)
    for step, value in members:
        if isinstance(value, dict | list):
            yield from duplicate_keys(value, (*path, step))


def _levels(data: Any) -> Iterator[list[Any]]:
    """The objects and lists in plain data, those of one depth at a time."""
    level = [data] if isinstance(data, dict | list) else []
    while level:
        yield level
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column (from 1) of a character offset."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


_JSON_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]|-?Infinity|NaN', re.DOTALL)


def _json_depth(text: str) -> Problem | None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return None
    depth = 0
    for match in _JSON_TOKENS.finditer(text):
        if match[0] in ("[", "{"):
            depth += 1
        elif match[0] in ("]", "}"):
            depth -= 1
        if depth > MAX_DEPTH:
            line, column = line_and_column(text, match.start())
            return Problem("T006", f"nested more than {MAX_DEPTH} levels deep", line=line, column=column)
    return None


def _json_hint(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """Where the fault really is (a character offset), and what to do about it."""
    before = text[: error.pos].rstrip()
    found = text[error.pos : error.pos + 2]
    if before.endswith(",") and found[:1] in ("}", "]"):
        return len(before) - 1, "remove the trailing comma"
    if error.msg.startswith("Illegal trailing comma"):  # Python 3.13 and later
        return error.pos, "remove the trailing comma"
    if found in ("//", "/*") or found.startswith("#"):
        return error.pos, "JSON has no comments"
    if found.startswith("'"):
        return error.pos, "JSON texts stand in double quotes"
    if error.msg.startswith("Expecting ',' delimiter") and found:
        return error.pos, "is a comma missing before this, or a quote not closed?"
    if not found:
        return error.pos, "the file ends too early"
    return error.pos, ""


class _ConstantError(ValueError):
    pass


def _no_constant(name: str) -> Any:
    raise _ConstantError(name)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) == len(pairs):
        return data
    marked = DuplicateKeys(data)
    marked.duplicates = _repeated([key for key, _ in pairs])
    return marked


def _repeated(keys: Sequence[str]) -> tuple[str, ...]:
    if len(set(keys)) == len(keys):
        return ()
    return tuple(key for key in dict.fromkeys(keys) if keys.count(key) > 1)


def _plain_loader(base: Any) -> Any:
    """The safe loader with text keys only, so that every contract sees the JSON data model; dates stay text."""
    from yaml.constructor import ConstructorError

    class Loader(base):  # type: ignore[misc]
        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep=deep)
            except (ValueError, LookupError, TypeError, AttributeError):  # PyYAML's own, for `!!bool perhaps`
                kind = node.tag.removeprefix("tag:yaml.org,2002:")
                raise ConstructorError(None, None, f"this is no {kind}", node.start_mark) from None

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            for key, _ in node.value:
                if not isinstance(key.value, str):
                    raise ConstructorError(None, None, "only text can be the key of a value", key.start_mark)
            own = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            self.flatten_mapping(node)
            data = DuplicateKeys((key.value, self.construct_object(item, deep=True)) for key, item in node.value)
            data.duplicates = _repeated(own)  # a key that overrides a merged one is no duplicate
            return data

    def mapping(loader: Any, node: Any) -> Iterator[Any]:
        data = DuplicateKeys()
        yield data
        made = loader.construct_mapping(node)
        data.update(made)
        data.duplicates = made.duplicates

    def integer(loader: Any, node: Any) -> int:
        value: int = base.construct_yaml_int(loader, node)
        str(value)  # raises ValueError for what is too long to be shown, as a decimal number of that length does
        return value

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:int", integer)
    Loader.add_constructor("tag:yaml.org,2002:set", mapping)
    Loader.add_constructor("tag:yaml.org,2002:omap", base.construct_yaml_seq)
    Loader.add_constructor("tag:yaml.org,2002:pairs", base.construct_yaml_seq)
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
