"""Measuring a channel for a scale rule: one pass over its files, each looked at once (Kaapana Task API, ScaleRule).

A channel holds data of others: nothing outside it is ever measured, whatever links it contains.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from trivet.contracts.kaapana.model import ScaleRule

DEEP = 64
"""Levels below which a directory's entries are read at once, so that no tree can use up the process's open files."""

Test = Callable[[str], object]

Matcher = Callable[[str, str], bool]
"""Whether a file counts, by its name and its path below the target directory."""


class Size(NamedTuple):
    """The measured size of a channel: ``n`` in bytes, of ``files`` files.

    ``largest`` is what decided: the item in mode ``max_item_sum``, the file in mode ``max_file_size``. ``foreign``
    counts links that lead out of the channel, ``unreadable`` directories and files that could not be looked at;
    neither are in ``n``.
    """

    n: int
    files: int = 0
    largest: str = ""
    foreign: int = 0
    unreadable: int = 0


def measure(channel: str, rule: ScaleRule) -> Size:
    """The size of a channel's directory as a rule wants it; 0 when it is missing or holds nothing that counts.

    Memory does not grow with the number of files, only with that of links. Raises ValueError for targets that leave
    the channel.
    """
    for target in (rule.target_dir, rule.target_glob):
        if target.startswith("/") or ".." in target.split("/"):
            raise ValueError(f"{target!r} leads out of the channel")
    pass_over = _Pass(os.path.realpath(channel), matcher(rule.target_glob, rule.target_regex))
    if rule.mode != "max_item_sum":
        total, top, name = pass_over.walk("", rule.target_dir)
        return pass_over.size(top, name) if rule.mode == "max_file_size" else pass_over.size(total, "")
    largest, chosen = 0, ""
    for item in pass_over.items():
        total, _, _ = pass_over.walk(item, rule.target_dir)
        if total > largest:
            largest, chosen = total, item
    return pass_over.size(largest, chosen)


def measure_listed(files: Sequence[tuple[str, int]], rule: ScaleRule) -> int:
    """What `measure` would have found in a channel of these files, given by their paths and sizes."""
    counts = matcher(rule.target_glob, rule.target_regex)
    start = "".join(f"{part}/" for part in rule.target_dir.split("/") if part not in ("", "."))
    sums: dict[str, int] = {}
    top = 0
    for path, size in files:
        item, below = "", path
        if rule.mode == "max_item_sum":
            item, slash, below = path.partition("/")
            if not slash:
                continue
        relative = below.removeprefix(start)
        if below.startswith(start) and (counts is None or counts(relative.rpartition("/")[2], relative)):
            sums[item] = sums.get(item, 0) + size
            top = max(top, size)
    return top if rule.mode == "max_file_size" else max(sums.values(), default=0)


def matcher(glob: str, regex: str) -> Matcher | None:
    """The test for a recursive glob and a regular expression on the whole relative path; None when all files count."""
    parts = [part for part in glob.split("/") if part not in ("", ".")]
    with warnings.catch_warnings(action="ignore"):  # of what later versions of Python may read differently
        whole = None if regex == ".*" else re.compile(regex).fullmatch
    if parts in (["*"], ["**"]):
        if whole is None:
            return None
        return lambda name, path: whole(path) is not None
    if len(parts) == 1:
        alone = re.compile(translate(parts[0])).match
        if whole is None:
            return lambda name, path: alone(name) is not None
        return lambda name, path: alone(name) is not None and whole(path) is not None
    last = _by_directory(parts)

    def counts(name: str, path: str) -> bool:
        fits = any(test is None or test(name) for test in last(path[: -len(name)]))
        return fits and (whole is None or whole(path) is not None)

    return counts


def _by_directory(parts: Sequence[str]) -> Callable[[str], Sequence[Test | None]]:
    """For a directory (``a/b/``), the tests of which a file's name must pass one; None passes every name."""
    tests = [None if part == "**" else re.compile(translate(part)).match for part in ("**", *parts)]

    def skipping(places: set[int]) -> set[int]:
        """The places in the glob that are also reached because ``**`` may stand for no directory at all."""
        for place in sorted(places):
            while place < len(tests) and tests[place] is None:
                place += 1
                places.add(place)
        return places - {len(tests)}

    @lru_cache(maxsize=DEEP)
    def last(directory: str) -> Sequence[Test | None]:
        places = skipping({0})
        for name in directory.split("/")[:-1]:
            stay = {place for place in places if tests[place] is None}
            places = skipping(stay | {place + 1 for place in places - stay if _passes(tests[place], name)})
        return [
            tests[place]
            for place in places
            if place == len(tests) - 1 or (tests[place] is None and not any(tests[place:]))
        ]

    return last


def _passes(test: Test | None, name: str) -> bool:
    return test is None or test(name) is not None


class _Pass:
    """One pass over a channel. Links to directories are never entered; a linked file counts once."""

    def __init__(self, root: str, counts: Matcher | None) -> None:
        self._root = root
        self._counts = counts
        self._files = self._foreign = self._unreadable = 0

    def size(self, n: int, largest: str) -> Size:
        return Size(n, self._files, largest, self._foreign, self._unreadable)

    def items(self) -> Iterator[str]:
        """The directories right below the channel's root."""
        for entry in self._entries(self._root, 0):
            if entry.is_dir(follow_symlinks=False):
                yield entry.name

    def walk(self, item: str, target: str) -> tuple[int, int, str]:
        """Sum and maximum of the sizes of the files that count below a directory, and the name of the largest."""
        start = f"{self._root}/{item}" if item else self._root
        if target:
            start = os.path.realpath(f"{start}/{target}")
            if not self._inside(start):
                self._foreign += 1
                return 0, 0, ""
        counts = self._counts
        total, top, name = 0, -1, ""
        links: dict[str, tuple[str, int]] = {}
        stack = [(self._entries(start, 0), "")]
        while stack:
            entries, prefix = stack[-1]
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    if counts is not None and not counts(entry.name, prefix + entry.name):
                        continue
                    try:
                        size = entry.stat(follow_symlinks=False).st_size
                    except OSError:
                        self._unreadable += 1
                        continue
                elif entry.is_dir(follow_symlinks=False):
                    stack.append((self._entries(entry.path, len(stack)), f"{prefix}{entry.name}/"))
                    break
                else:
                    if entry.is_symlink() and (counts is None or counts(entry.name, prefix + entry.name)):
                        self._look_up(entry.path, prefix + entry.name, links)
                    continue
                self._files += 1
                total += size
                if size > top:
                    top, name = size, prefix + entry.name
            else:
                stack.pop()
        for path, size in (links[file] for file in links if not self._counted(start, file)):
            self._files += 1
            total += size
            if size > top:
                top, name = size, path
        return total, max(top, 0), name

    def _entries(self, directory: str, depth: int) -> Iterator[os.DirEntry[str]]:
        try:
            entries = os.scandir(directory)
        except FileNotFoundError:
            return iter(())
        except OSError:
            self._unreadable += 1
            return iter(())
        if depth < DEEP:
            return entries
        with entries:
            return iter(list(entries))

    def _look_up(self, link: str, path: str, links: dict[str, tuple[str, int]]) -> None:
        """Note the file a link leads to, when it lies in the channel."""
        target = os.path.realpath(link)
        if not self._inside(target):
            self._foreign += 1
            return
        try:
            status = os.stat(target)  # noqa: PTH116
        except OSError:
            return  # leads nowhere
        if stat.S_ISREG(status.st_mode):
            links.setdefault(target, (path, status.st_size))

    def _counted(self, start: str, file: str) -> bool:
        """True for a file that the walk from ``start`` meets and counts by itself."""
        if not file.startswith(f"{start}/"):
            return False
        path = file[len(start) + 1 :]
        return self._counts is None or self._counts(path.rpartition("/")[2], path)

    def _inside(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root.rstrip("/") + "/")
