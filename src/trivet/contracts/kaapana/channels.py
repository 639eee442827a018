"""The convention for what is inside a channel: one directory for each item, named by its identifier."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from trivet.tasks.problem import Problem

_SHELL = frozenset("*?[]{}()<>|&;$`'\"\\!#~")
_SHOWN = 5


class Contents(NamedTuple):
    """The identifiers of a channel's items, and every departure from the convention as a warning, one for each kind."""

    items: frozenset[str]
    problems: tuple[Problem, ...]


def examine(directory: str, channel: str) -> Contents:
    """Look at a whole channel in one pass, opening no file. Raises OSError when its root can't be read."""
    root = os.path.realpath(directory)
    items: list[str] = []
    files: list[str] = []
    empty: list[str] = []
    leaving: list[str] = []
    unreadable: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if _leaves(entry, root):
                leaving.append(entry.name)
            elif not entry.is_dir():
                files.append(entry.name)
            else:
                items.append(entry.name)
                if not _walk(entry.path, entry.name, root, leaving, unreadable):
                    empty.append(entry.name)
    odd = [name for name in items if is_odd(name)]
    folded: dict[str, str] = {}
    alike = [name for name in sorted(items) if folded.setdefault(name.casefold(), name) != name]
    kinds: Sequence[tuple[str, str, list[str]]] = (
        ("K050", "files outside any item", files),
        ("K051", "identifiers that scripts stumble over", odd),
        ("K052", "items without any file", empty),
        ("K053", "links that lead out of the channel", leaving),
        ("K054", "identifiers that differ from others in case only", alike),
        ("K055", "directories that can't be read", unreadable),
    )
    problems = [
        Problem(code, f"channel `{channel}` has {words}: {listed(names)}", "warning", hint=_HINTS.get(code, ""))
        for code, words, names in kinds
        if names
    ]
    if not items:
        problems.insert(0, Problem("K056", f"channel `{channel}` has no items", "warning", hint=_HINTS["K050"]))
    return Contents(frozenset(items), tuple(problems))


def identifiers(directory: str) -> frozenset[str]:
    """The identifiers of a channel's items alone. Raises OSError."""
    root = os.path.realpath(directory)
    with os.scandir(directory) as entries:
        return frozenset(entry.name for entry in entries if entry.is_dir() and not _leaves(entry, root))


def compare(kind: str, channel: str, items: Collection[str], other: str, others: Collection[str]) -> Iterator[Problem]:
    """What does not hold of a relation between the items of a channel and those of another (see `Relation`)."""
    extra = [name for name in items if name not in others]
    missing = [name for name in others if name not in items]
    if kind == "each":
        if extra:
            hint = "with `each`, a result keeps the identifier of the item it was made from"
            message = f"channel `{channel}` has items that `{other}` does not: {listed(extra)}"
            yield Problem("K057", message, "warning", hint=hint)
        if missing:
            message = f"{len(missing)} of {len(others)} items of `{other}` have no result in `{channel}`"
            yield Problem("K058", f"{message}: {listed(missing)}", "warning")
    elif kind == "combine":
        shared = [name for name in items if name in others]
        if shared:
            message = f"results in `{channel}` bear identifiers of items of `{other}`: {listed(shared)}"
            hint = "with `combine`, a result made from several items takes a new identifier"
            yield Problem("K059", message, "warning", hint=hint)
    elif extra or missing:
        sides = [(channel, extra), (other, missing)]
        parts = [f"only in `{name}`: {listed(names)}" for name, names in sides if names]
        message = f"channels `{channel}` and `{other}` should have the same items; {'; '.join(parts)}"
        yield Problem("K060", message, "warning")


def is_odd(name: str) -> bool:
    """True for an identifier with spaces, control or shell characters, a leading dash, or no valid text."""
    return (
        name.startswith("-")
        or any(character.isspace() or not character.isprintable() or character in _SHELL for character in name)
        or len(os.fsencode(name)) > 255
    )


def listed(names: Sequence[str]) -> str:
    """The first few names in order, odd ones quoted, and how many more there are."""
    shown = ", ".join(repr(name) if is_odd(name) else name for name in sorted(names)[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


_HINTS = {
    "K050": "put every result into a directory named by its item",
    "K051": "later tasks may fail on them; letters, digits, dot, dash and underscore are safe",
}


def _walk(item: str, name: str, root: str, leaving: list[str], unreadable: list[str]) -> bool:
    """Whether there is any file in an item; what is odd below it is noted."""
    filled = False
    pending = [(item, name)]
    while pending:
        directory, path = pending.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    below = f"{path}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, below))
                    elif _leaves(entry, root):
                        leaving.append(below)
                    else:
                        filled = True
        except OSError:
            unreadable.append(path)
            filled = True  # nobody knows
    return filled


def _leaves(entry: os.DirEntry[str], root: str) -> bool:
    return entry.is_symlink() and not os.path.realpath(entry.path).startswith(root.rstrip("/") + "/")
