"""Paths here and there: which directory of this machine is which of the cluster. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PathMap:
    """Directories here, and what they are there; of two that lie in each other the inner one counts."""

    pairs: tuple[tuple[str, str], ...]
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _there: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pairs = {here.rstrip("/"): there.rstrip("/") for here, there in self.pairs if here.rstrip("/")}
        object.__setattr__(self, "_there", pairs)
        object.__setattr__(self, "_pattern", _paths(pairs))

    def there(self, text: str) -> str:
        """The text with every path that is known here as it is there; a word like ``--out=/a/b`` holds one, too."""
        return self._pattern.sub(lambda match: self._there[match[0]], text)

    def known(self, text: str) -> bool:
        """Whether a path lies below one of the directories."""
        return self._pattern.match(text) is not None

    def here(self, path: str) -> str:
        """The path here of one there; one that lies below none of the directories stays as it is."""
        found = [pair for pair in self._there.items() if path == pair[1] or path.startswith(f"{pair[1]}/")]
        if not found:
            return path
        here, there = max(found, key=lambda pair: len(pair[1]))
        return here + path[len(there) :]


def below(directory: str, texts: Iterable[str]) -> Iterator[str]:
    """The paths below a directory that texts hold, relative to it, each from its begin to the end of the text."""
    pattern = _paths([directory.rstrip("/")])
    for text in texts:
        for match in pattern.finditer(text):
            rest = text[match.end() :].strip("/")
            if rest:
                yield rest


def _paths(directories: Iterable[str]) -> re.Pattern[str]:
    """Where one of the directories stands in a text, and is not the begin or the end of another name."""
    names = sorted(directories, key=len, reverse=True)
    either = "|".join(map(re.escape, names)) or r"(?!)"
    return re.compile(rf"(?<![\w./~-])(?:{either})(?![\w.~-])")
