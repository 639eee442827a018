"""The convention for what is inside a channel: one directory for each item, named by its identifier."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from trivet.tasks.problem import Problem

_SHELL = frozenset("*?[]{}()<>|&;$`'\"\\!#~")
_SHOWN = 5


def findings(directory: str, channel: str) -> Iterator[Problem]:
    """Everything about a channel that departs from the convention, as warnings; one for each kind.

    One pass over the channel's root and one look into every item.
    """
    files: list[str] = []
    empty: list[str] = []
    leaving: list[str] = []
    unreadable: list[str] = []
    items: list[str] = []
    root = os.path.realpath(directory)
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink() and not os.path.realpath(entry.path).startswith(root + os.sep):
                leaving.append(entry.name)
            elif not entry.is_dir():
                files.append(entry.name)
            else:
                items.append(entry.name)
                try:
                    with os.scandir(entry.path) as inside:
                        if next(inside, None) is None:
                            empty.append(entry.name)
                except OSError:
                    unreadable.append(entry.name)
    odd = [name for name in items if is_odd(name)]
    folded: dict[str, str] = {}
    alike = [name for name in sorted(items) if folded.setdefault(name.casefold(), name) != name]
    kinds: Sequence[tuple[str, str, list[str]]] = (
        ("K050", "files outside any item", files),
        ("K051", "identifiers that scripts stumble over", odd),
        ("K052", "empty items", empty),
        ("K053", "links that lead out of the channel", leaving),
        ("K054", "identifiers that differ from others in case only", alike),
        ("K055", "items that can't be read", unreadable),
    )
    for code, words, names in kinds:
        if names:
            message = f"channel `{channel}` has {words}: {_listed(names)}"
            yield Problem(code, message, "warning", hint=_HINTS.get(code, ""))


def is_odd(name: str) -> bool:
    """True for an identifier with spaces, control or shell characters, a leading dash, or no valid text."""
    return (
        name.startswith("-")
        or any(character.isspace() or not character.isprintable() or character in _SHELL for character in name)
        or len(os.fsencode(name)) > 255
    )


_HINTS = {
    "K050": "put every result into a directory named by its item",
    "K051": "later tasks may fail on them; letters, digits, dot, dash and underscore are safe",
}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) if is_odd(name) else name for name in sorted(names)[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
