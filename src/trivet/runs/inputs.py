"""What a user gave, as words of a command line or as Python values, turned into values of ports."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trivet.contracts.parsing import parse_json
from trivet.runs.adoption import find
from trivet.runs.refusing import refusals
from trivet.tasks import types
from trivet.tasks.call import Call, bind
from trivet.tasks.problem import Problem, ProblemsError, closest, has_errors
from trivet.tasks.task import Port, Task
from trivet.tasks.types import ValueType
from trivet.tasks.values import FileRef, Value, from_json

_NO_TEXT = types.Boolean | types.Integer | types.Number | types.Datetime | types.Geometry | types.Array
_MAX_DIGITS = 3_500
"""Longest integer read, whatever its base: Python refuses to show more than 4,300 decimal digits."""

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def bound(
    task: Task,
    words: Iterable[tuple[str, str]],
    home: Path,
    each: str | None = None,
    given: Mapping[str, Value] | None = None,
) -> Call:
    """A call from ``(name, text)`` pairs, in the order given; the same name twice makes a list.

    A text is read by the type of its port; ``@PATH`` takes a file's content (for a file, the file itself),
    ``run:RUN/PORT`` an output of an earlier run, and ``null`` unsets what is no text. ``given`` are values from
    elsewhere, which words replace. Raises ProblemsError with everything that is wrong.
    """
    gathered: dict[str, list[Value]] = {}
    problems: list[Problem] = []
    refused: set[str] = set()
    for name, text in words:
        port = task.input(name) or Port(name, types.String())
        try:
            value = _from_text(port, text, home, repeated=name in (each, task.repeats))
            gathered.setdefault(name, []).append(value)
        except ValueError as error:
            refused.add(name)
            hint = f"write {name}=@{text} for what the file holds" if os.path.isfile(text) else ""  # noqa: PTH113
            problems.append(Problem("B003", f"input `{name}`: {error}", hint=hint))
    values: dict[str, Value] = {}
    for name, found in gathered.items():
        if name not in refused:
            try:
                values[name] = _joined(task, name, found, each)
            except ValueError as error:
                refused.add(name)
                problems.append(Problem("B003", f"input `{name}` {error}", hint=f"--each {name} repeats the task"))
    return _bind(task, {**(given or {}), **values}, each, problems, refused)


Given = tuple[dict[str, Value], Sequence[Problem]]
"""Values by input, and what is to be said of them that does not prevent using them."""


def in_file(task: Task, path: Path, each: str | None = None) -> Given:
    """Values from a JSON or YAML file: inputs by name, paths relative to the file. Raises ProblemsError."""
    from trivet.contracts.parsing import duplicate_keys
    from trivet.contracts.source import load

    source = load(path)
    data, unread = source.parsed
    try:
        if unread is not None:
            raise ProblemsError([unread])
        return in_data(task, data, source.base, each), source.place(duplicate_keys(data))
    except ProblemsError as error:
        raise ProblemsError(source.place(error.problems)) from None


def in_data(task: Task, data: Any, base: Path, each: str | None = None) -> dict[str, Value]:
    """Values from plain data: inputs by name, paths relative to ``base``. Raises ProblemsError."""
    if not isinstance(data, Mapping):
        raise ProblemsError([Problem("B003", 'values are an object of inputs by name, such as {"min_area": 30}')])
    problems: list[Problem] = []
    values: dict[str, Value] = {}
    for name, value in data.items():
        port = task.input(name)
        try:
            repeated = name in (each, task.repeats)
            values[str(name)] = value if port is None else _from_python(port, port.type, value, repeated, base)
        except ValueError as error:
            problems.append(Problem("B003", f"input `{name}`: {error}", path=(name,)))
    if problems:
        raise ProblemsError(problems)
    return values


def in_directory(task: Task, folder: Path) -> Given:
    """Values that lie in a directory as the program would find them. Raises ProblemsError, also for a contract whose
    programs find their inputs in another way."""
    from trivet.contracts import contract

    room = contract(task.contract)
    if not hasattr(room, "read_inputs"):
        hint = "give them by name, or with --values FILE"
        raise ProblemsError(
            [Problem("B017", f"inputs of {task.contract} tasks are not read from a directory", hint=hint)]
        )
    try:
        values, problems = room.read_inputs(task, folder.absolute())
    except OSError as error:
        message = f"the directory can't be read: {error.strerror or error}"
        raise ProblemsError([Problem("T001", message, file=str(folder))]) from None
    if has_errors(problems):
        raise ProblemsError(problems)
    return values, problems


def bound_python(task: Task, values: Mapping[str, Any], each: str | None = None) -> Call:
    """A call from Python objects: paths become references where a port takes a file. Raises ProblemsError."""
    problems: list[Problem] = []
    good: dict[str, Value] = {}
    for name, value in values.items():
        port = task.input(name)
        try:
            repeated = name in (each, task.repeats)
            good[name] = value if port is None else _from_python(port, port.type, value, repeated)
        except ValueError as error:
            problems.append(Problem("B003", f"input `{name}`: {error}"))
    return _bind(task, good, each, problems, values.keys() - good.keys())


def _bind(
    task: Task, values: dict[str, Value], each: str | None, problems: list[Problem], refused: Collection[str]
) -> Call:
    """Bind what could be read, and tell what is wrong with it beside what could not."""
    try:
        call = bind(task, values, each)
    except ProblemsError as error:
        absent = {f"input `{name}` " for name in refused}
        more = [item for item in error.problems if item.code != "B002" or not item.message.startswith(tuple(absent))]
        raise ProblemsError([*problems, *more, *_beyond_types(task, values, each)]) from None
    if problems:
        raise ProblemsError([*problems, *_beyond_types(task, values, each)])
    return call


def _beyond_types(task: Task, values: Mapping[str, Value], each: str | None) -> Sequence[Problem]:
    """What the contract has against the values that their types have nothing against, so that all is said at once."""
    repeated = each or task.repeats
    given = {
        port.name: value
        for port in task.inputs
        if port.name != repeated and (value := values.get(port.name)) is not None and not any(port.type.faults(value))
    }
    return refusals(Call(task, given))


def reference(port: Port, text: str | Path, base: Path | None = None) -> FileRef:
    """A reference to what exists at a path (relative to ``base``), with its size when it is a file. Raises ValueError
    when it is not there or not what the port takes; a place that is written in may be absent."""
    path = ((base or Path()) / Path(text).expanduser()).absolute()
    try:
        status = path.stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and port.access == "inout":
            return FileRef(str(path))
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from None
    if isinstance(types.innermost(port.type), types.Directory) and not path.is_dir():
        raise ValueError(f"{path} is not a directory")
    if (
        isinstance(types.innermost(port.type), types.File)
        and path.is_dir()
        and not isinstance(types.innermost(port.type), types.Image)
    ):
        raise ValueError(f"{path} is a directory, not a file")
    return FileRef(str(path), None if path.is_dir() else status.st_size)


def _from_text(port: Port, text: str, home: Path, repeated: bool) -> Value:
    if text.startswith("run:"):
        return _from_run(text[4:], home)
    kind = port.type
    if text == "null" and isinstance(kind, _NO_TEXT):
        return None
    if repeated and text.startswith("["):
        items = _json(text)
        return [_from_python(port, kind, item, False) for item in items]
    if text.startswith("@") and not types.innermost(kind).is_file:
        path = Path(text[1:]).expanduser()
        try:
            text = path.read_bytes().decode()  # as text, line ends would be changed
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} can't be read as text: {error}") from None
        if not isinstance(kind, types.String):
            text = text.strip()
    return _parsed(port, kind, text)


def _parsed(port: Port, kind: ValueType, text: str) -> Value:
    match kind:
        case types.Boolean():
            if text.lower() in (*_TRUE, *_FALSE):
                return text.lower() in _TRUE
            raise ValueError(f"{text!r} is not true or false")
        case types.Integer():
            if len(text) > _MAX_DIGITS:
                raise ValueError(f"a whole number of {len(text)} digits is too long; at most {_MAX_DIGITS} are read")
            try:
                return int(text, 0) if text.lower().lstrip("+-").startswith(("0x", "0b", "0o")) else int(text)
            except ValueError:
                raise ValueError(f"{text!r} is not a whole number") from None
        case types.Number():
            return _number(text)
        case types.Enumeration(values=choices):
            return next((choice for choice in choices if str(choice) == text), text)
        case types.File() | types.Directory():
            return reference(port, text.removeprefix("@"))
        case types.Zarr():
            return _place(text)
        case types.Array(of=inner) if (
            inner.is_file or isinstance(inner, types.Zarr | types.String)
        ) and not text.lstrip().startswith("["):
            return _parsed(port, inner, text)
        case types.Array() | types.Geometry():
            return _from_python(port, kind, _json(text), False)
        case types.Json():
            data, problem = parse_json(text)
            if problem is not None and problem.code == "T006":
                raise ValueError(f"{text[:40]!r} is {problem.message}")
            return text if problem is not None else from_json(data)
        case _:
            return text


def _from_python(port: Port, kind: ValueType, value: Any, repeated: bool, base: Path | None = None) -> Value:
    if isinstance(value, list | tuple) and (repeated or isinstance(kind, types.Array)):
        inner = kind.of if isinstance(kind, types.Array) and not repeated else kind
        return [_from_python(port, inner, item, False, base) for item in value]
    if kind.is_file and isinstance(value, str | Path):
        return reference(port, value, base)
    if kind.is_file and isinstance(value, dict) and isinstance(value.get("$file"), str):
        return reference(port, value["$file"], base)  # as in the outputs.json of a run
    if isinstance(kind, types.Zarr) and isinstance(value, str | Path):
        return _place(str(value), base)
    if isinstance(kind, types.Number) and isinstance(value, str) and value.lower().lstrip("+-") in ("nan", "inf"):
        return float(value)  # JSON has no other way to write them
    if isinstance(kind, types.Geometry) and isinstance(value, str):
        return _json(value)  # type: ignore[no-any-return]
    return str(value) if isinstance(value, Path) else value


def _place(text: str, base: Path | None = None) -> str:
    """The URL of data that is used in place: as it is, or an absolute path without ``..``."""
    return text if "://" in text else os.path.abspath((base or Path()) / Path(text).expanduser())  # noqa: PTH100


def _from_run(text: str, home: Path) -> Value:
    name, _, port = text.partition("/")
    try:
        run = find(home, name)
        record = run.read()
    except (LookupError, OSError) as error:
        raise ValueError(str(error)) from None
    result = record.get("result")
    if result is None:
        raise ValueError(f"run {run.id} is not over yet")
    outputs = from_json(result.get("outputs", {}))
    if not isinstance(outputs, Mapping) or port not in outputs:
        names = outputs if isinstance(outputs, Mapping) else ()
        raise ValueError(
            f"run {run.id} ({result['state']}) has no output `{port}`; {closest(port, names)}".rstrip("; ")
        )
    return outputs[port]


def _joined(task: Task, name: str, values: Sequence[Value], each: str | None) -> Value:
    """One value, or the list of all where a list is wanted. Raises ValueError for several values of one."""
    port = task.input(name)
    if len(values) == 1 and values[0] is None:
        return None
    wants_list = name in (each, task.repeats) or (port is not None and isinstance(port.type, types.Array))
    if len(values) == 1 and (not wants_list or isinstance(values[0], list)):
        return values[0]
    if not wants_list and port is not None and not isinstance(port.type, types.Json):
        # The last word counts would be silent.
        raise ValueError(f"takes one value, and {len(values)} are given")
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _number(text: str) -> int | float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if math.isfinite(value) and text.lstrip("+-").isdigit():
        return int(text)
    return value


def _json(text: str) -> Any:
    data, problem = parse_json(text)
    if problem is not None:
        raise ValueError(f"{text[:40]!r} is {problem.message}")
    return data
