"""Bringing outputs from the directories of attempts to where the caller wants them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path

from trivet.records import files
from trivet.runs.moving import merge, move
from trivet.runs.options import Options
from trivet.tasks.problem import Problem
from trivet.tasks.task import Task
from trivet.tasks.values import FileRef, Value, to_json


def places(task: Task, options: Options, own: Path) -> dict[str, Path]:
    """Where each output goes: below the output directory, or where its document wants it, or below the run's own."""
    if options.output:
        return {port.name: Path(options.output) / port.name for port in task.outputs}
    return {port.name: Path(port.place) if port.place else own / port.name for port in task.outputs}


def listing(options: Options, own: Path) -> Path:
    """The file that takes the values of all outputs: in the output directory, or in the run's own."""
    return (Path(options.output) if options.output else own) / "outputs.json"


def obstacles(task: Task, options: Options) -> list[Problem]:
    """A problem for every place that holds something already, or where nothing can be written; nothing is ever
    overwritten, unless the options ask for it. So is every output that its document ought to place and does not, when
    nobody else does."""
    lacking = [port.name for port in task.outputs if port.place is None and not options.output]
    hint = "bind it in the document, or give --output DIR"
    problems = [Problem("B018", f"output `{name}` is bound to no path", hint=hint) for name in lacking]
    values = listing(options, Path())
    if options.output and task.outputs and values.exists():
        hint = "another run has its results there; choose another --output"
        problems.append(Problem("B010", f"the values of the outputs would overwrite {values}", hint=hint))
    wanted = places(task, options, Path())
    problems += [] if options.into_existing else _shared(wanted)
    for name, place in wanted.items():
        if not place.is_absolute():
            continue  # in the run's own directory, which is new
        for path in _taken(place, options.into_existing):
            hint = "remove it, or choose another --output"
            problems.append(Problem("B010", f"output `{name}` would overwrite {path}", hint=hint))
        above = (place, *place.parents) if options.into_existing and place.is_dir() else place.parents
        parent = next(parent for parent in above if parent.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            why = "can't be written" if parent.is_dir() else "is not a directory"
            problems.append(Problem("B013", f"output `{name}` can't go to {place}: {parent} {why}"))
    return problems


def _shared(places: Mapping[str, Path]) -> list[Problem]:
    """A problem for every two outputs of which one would get into the other."""
    named = [(name, Path(os.path.normpath(place))) for name, place in places.items()]
    return [
        Problem("B010", f"outputs `{one}` and `{other}` both go to {place}", hint="each needs a place of its own")
        for number, (other, place) in enumerate(named)
        for one, before in named[:number]
        if place.is_relative_to(before) or before.is_relative_to(place)
    ]


def _taken(place: Path, into_existing: bool) -> list[Path]:
    """What stands in the way of an output: anything of its name, whatever its suffix, but an empty directory."""
    if into_existing:
        return [place] if place.exists() and not place.is_dir() else []
    found = [place, *place.parent.glob(f"{escape(place.name)}.*")] if place.parent.is_dir() else []
    return [path for path in found if path.exists() and not (path.is_dir() and not any(path.iterdir()))]


def publish(
    outputs: Mapping[str, Value],
    places: Mapping[str, Path],
    values: Path,
    work: Path,
    units: Sequence[str],
    into_existing: bool = False,
) -> dict[str, Value]:
    """Move every file that lies below ``work`` to its output's place and measure it; may be repeated.

    All of it is told in the file ``values``, which no run without outputs gets.
    A list of one element for each of ``units`` (a repeated call) is named by the units, any other by position.
    ``into_existing``: a directory whose place is there already is merged into it, and measured only when that was
    empty. Raises OSError.
    """
    published = {}
    for name, value in outputs.items():
        place = places.get(name)
        published[name] = value if place is None else _publish(value, place, work, units, into_existing)
    if published:
        values.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(values, to_json(published))
    return published


def _publish(value: Value, place: Path, work: Path, names: Sequence[str], into_existing: bool) -> Value:
    if isinstance(value, FileRef):
        return _move(value, place, work, into_existing)
    if isinstance(value, Mapping):
        return {key: _publish(item, place / key, work, (), into_existing) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        named = names if len(names) == len(value) else [str(index) for index in range(len(value))]
        paired = zip(value, named, strict=True)
        return [_publish(item, place / name, work, (), into_existing) for item, name in paired]
    return value


def _move(ref: FileRef, place: Path, work: Path, into_existing: bool) -> FileRef:
    source = Path(ref.path)
    if not source.is_relative_to(work):
        return ref
    target = place.with_name(place.name + Path(ref.name).suffix) if ref.name and not place.suffix else place
    if into_existing and source.is_dir() and target.is_dir():
        empty = not any(target.iterdir())
        merge(source, target)
        if not empty:
            return FileRef(str(target), name=ref.name)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        move(source, target)
    measured = files.measure(target)
    return FileRef(str(target), measured["size"], measured["sha256"], ref.name)
