"""How what was asked for and what was used are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from trivet.cli.tables import table
from trivet.runs.efficiency import MIB, Cpu, Efficiency, Memory, Time
from trivet.tasks.quantities import format_duration

HEADER = ("UNITS", "MEMORY", "CPU", "LONGEST")


def efficiency_data(found: Efficiency) -> dict[str, Any]:
    """Asked for and used as JSON data: memory in bytes, times in seconds."""
    return asdict(found)


def efficiency_lines(head: Sequence[str], rows: Iterable[tuple[Sequence[str], Efficiency]]) -> Iterator[str]:
    """A table, the first columns as ``head`` names them, and the suggestions below it."""
    rows = list(rows)
    cells = [(*first, *_cells(found)) for first, found in rows]
    yield from table((*head, *HEADER), cells, indent="")
    names = [" ".join(first) for first, _ in rows]
    said = [(name, words) for name, (_, found) in zip(names, rows, strict=True) for words in found.suggestions]
    if said:
        yield from ("", "For the next run")
        yield from table(None, said)


def _cells(found: Efficiency) -> tuple[str, ...]:
    return str(found.units), _memory(found.memory), _cpu(found.cpu), _time(found.time)


def _memory(memory: Memory | None) -> str:
    if memory is None:
        return ""
    asked = "" if memory.asked is None else f" of {memory.asked // MIB}"
    return f"{-(-memory.largest // MIB)}{asked} MB"


def _cpu(cpu: Cpu | None) -> str:
    return "" if cpu is None else f"{cpu.busy:.1f} of {cpu.asked or 1:g}"


def _time(time: Time | None) -> str:
    if time is None:
        return ""
    return format_duration(time.longest) + ("" if time.asked is None else f" of {format_duration(time.asked)}")
