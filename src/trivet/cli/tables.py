"""Aligned columns of text."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap

from trivet.cli.reporting import printable


def table(header: Sequence[str] | None, rows: Sequence[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Lines of a table; columns that are empty everywhere are left out, the last one is wrapped on a terminal."""
    cells = [[printable(cell) for cell in row] for row in rows]
    kept = [index for index, column in enumerate(zip(*cells, strict=True)) if any(column)]
    if not kept:
        return
    lines = [[row[index] for index in kept] for row in ([list(header), *cells] if header else cells)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(kept) - 1)]
    start = len(indent) + sum(width + 2 for width in widths)
    room = max(width_of_terminal() - start, 24)
    for line in lines:
        before = "".join(cell.ljust(width) + "  " for cell, width in zip(line, widths, strict=False))
        first, *rest = wrap(line[-1], room) or [""]
        yield (indent + before + first).rstrip()
        yield from (" " * start + more for more in rest)


def width_of_terminal() -> int:
    """Columns to write in; unlimited where the reader is a program."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else 10_000


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout, from the first column on."""
    for line in table(header, rows, indent=""):
        print(line)
