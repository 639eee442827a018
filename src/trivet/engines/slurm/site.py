"""The configuration of a site: what jobs ask for unless a task says otherwise, limits, exports; read and checked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trivet.engines.slurm.batching import Limits
from trivet.engines.slurm.memory import megabytes
from trivet.tasks.problem import DocumentPath, Problem, closest

MISSING, UNKNOWN, VALUE = "S001", "S002", "S003"
"""Codes of problems: a field is missing, unknown, or has a value it can't have."""


@dataclass(frozen=True, slots=True)
class Site:
    """A checked configuration. ``default`` and ``gpu`` hold only what was written, ``mem`` in megabytes.

    ``exports`` are variables with paths below each user's cache directory. ``python`` starts the runner of a job on a
    compute node (3.9 or later), after ``modules`` were loaded and the lines of ``setup`` run.

    ``host``: the cluster is elsewhere, where `ssh` finds it by this name; ``folder`` takes the files of runs there
    (relative to the home), ``paths`` are directories of this machine with what is the same there. Without ``default``,
    the cluster's own word counts instead.
    """

    default: Mapping[str, Any]
    gpu: Mapping[str, Any]
    limits: Limits
    exports: Mapping[str, str]
    python: str = "python3"
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    host: str | None = None
    folder: str = "trivet"
    paths: Mapping[str, str] = field(default_factory=dict)


def read_site(data: Any, problems: list[Problem]) -> Site | None:
    """A site's configuration from plain data (public server, SLURM runners; ``python``, ``modules`` and ``setup`` are
    additions).

    Never raises: all faults are noted with their paths, and the result is None where there was one.
    """
    before = len(problems)
    elsewhere = isinstance(data, dict) and "host" in data and not data.keys() & set(_PARTS[:3])
    required = () if elsewhere else _PARTS[:2]
    parts = _values(data, (), problems, {**dict.fromkeys(_PARTS, _as_it_is), **_ADDITIONS}, required)
    sections = {name: _values(parts.get(name, {}), (name,), problems, _SET) for name in (_PARTS[0], _PARTS[2])}
    limits = _values(parts.get(_PARTS[1], {}), (_PARTS[1],), problems, _LIMITS, _LIMITS if _PARTS[1] in parts else ())
    exports = parts.get(_PARTS[3], {})
    relative = dict.fromkeys(exports, _relative) if isinstance(exports, dict) else {}
    exports = _values(exports, (_PARTS[3],), problems, relative)
    for name in exports:
        if not _VARIABLE.fullmatch(str(name)):
            message = f"{name!r} is not the name of a variable"
            problems.append(Problem(VALUE, message, path=(_PARTS[3], name)))
    if len(problems) > before:
        return None
    additions = {name: parts[name] for name in _ADDITIONS if name in parts}
    numbers = Limits(*(limits.get(name, 1) for name in _LIMITS))
    return Site(sections[_PARTS[0]], sections[_PARTS[2]], numbers, exports, **additions)


def positive(value: Any) -> int:
    """A whole number above 0, also as text. Raises ValueError."""
    if isinstance(value, int | str) and not isinstance(value, bool) and str(value).isascii():
        text = str(value).strip()
        if text.isdigit() and int(text) > 0:
            return int(text)
    raise ValueError(f"{value!r} is not a whole number above 0")


def text(value: Any) -> str:
    """A line of text. Raises ValueError for anything that can't stand in one line of a job's script."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    raise ValueError(f"{value!r} is not a line of text")


def word(value: Any) -> str:
    """The value of an option of SLURM's. Raises ValueError for what a line ``#SBATCH`` would not give as one word."""
    found = text(value)
    if set(found) & set(" '\"\\#"):
        raise ValueError(f"{found!r} has a blank, a quote, a backslash or a `#`")
    return found


def lines(value: Any) -> list[str]:
    """Lines of a job's script, each once, in their order. Raises ValueError, also for options that are the engine's."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is not a list of lines")
    found = list(dict.fromkeys(text(line) for line in value))
    for line in found:
        taken = _taken(line)
        if taken:
            raise ValueError(f"`{taken}` in {line!r} is what Trivet gives to each of its jobs itself; remove it")
    return found


def count_or_text(value: Any) -> int | str:
    """A number or a word, as SLURM takes either. Raises ValueError."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else word(value)


_OWN = frozenset(
    ("-a", "--array", "--comment", "-D", "--chdir", "-n", "--ntasks", "-o", "--output", "--open-mode", "--requeue")
)
"""Options by which jobs are known and their units are shared out."""


def _taken(line: str) -> str:
    """The option of a line ``#SBATCH`` that a site or task can't have; empty if there is none."""
    if not line.startswith("#SBATCH"):
        return ""
    names = (option.partition("=")[0] for option in line.split()[1:] if option.startswith("-"))
    return next((name for name in names if name in _OWN or (name[1:2] != "-" and name[:2] in _OWN)), "")


def _command(value: Any) -> str:
    """Words of a command line. Raises ValueError."""
    command = text(value)
    shlex.split(command)
    return command


def _shebang(value: Any) -> str:
    line = text(value)
    if not line.startswith("#!/"):
        raise ValueError(f"{line!r} does not begin with `#!/`, as the first line of a script does")
    return line


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is not true or false")


def _relative(value: Any) -> str:
    path = text(value)
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path!r} must be a path below the user's cache directory")
    return path


def _host(value: Any) -> str:
    host = text(value)
    if not re.fullmatch(r"[^-\s:/'\"\\][^\s:/'\"\\]*", host):  # rsync reads what comes after a colon as a path
        expected = "user@cluster, or a name of ~/.ssh/config, where also a port belongs"
        raise ValueError(f"{host!r} is not a host as `ssh` takes it: {expected}")
    return host


def _folder(value: Any) -> str:
    path = text(value).removeprefix("~/").rstrip("/")
    if not path or path.startswith(("~", "-")) or ".." in path.split("/"):
        raise ValueError(f"{value!r} is not a folder of the cluster: a path from the root, or from your home there")
    if strange := sorted(set(re.findall(r"[^\w/.~+@=% -]", path))):  # tasks put paths into shells' words, and mounts
        raise ValueError(f"{value!r} has {' '.join(strange)}, which not every task can take in a path")
    return path


def _pairs(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not a table of directories here and there")
    for path in (*value, *value.values()):
        if not text(path).startswith("/") or len(path.rstrip("/")) < 2:
            raise ValueError(f"{path!r} is not the absolute path of a directory")
    return dict(value)


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
Reader = Callable[[Any], Any]
_SET: Mapping[str, Reader] = {
    "partition": word, "cpus_per_task": positive, "mem": megabytes, "constraint": word, "gres": word, "exclude": word,
    "nodelist": word, "nodes": count_or_text, "time": word, "account": word, "gpus": count_or_text,
    "extra_lines": lines, "shebang_line": _shebang, "use_mem_per_cpu": _boolean,
}  # fmt: skip
_LIMITS: Mapping[str, Reader] = {
    "target_cpus_per_job": positive, "max_cpus_per_job": positive,
    "target_mem_per_job": megabytes, "max_mem_per_job": megabytes,
    "target_num_jobs": positive, "max_num_jobs": positive,
}  # fmt: skip
_ADDITIONS: Mapping[str, Reader] = {
    "python": _command,
    "modules": lambda value: tuple(lines(value)),
    "setup": lambda value: tuple(lines(value)),
    "host": _host,
    "folder": _folder,
    "paths": _pairs,
}
_PARTS = ("default_slurm_config", "batching_config", "gpu_slurm_config", "user_local_exports")


def _as_it_is(value: Any) -> Any:
    return value


def _values(
    data: Any,
    path: DocumentPath,
    problems: list[Problem],
    readers: Mapping[str, Reader],
    required: Iterable[str] = (),
) -> dict[str, Any]:
    """The values that were written, read each by its reader; null counts as not written."""
    if not isinstance(data, dict):
        problems.append(Problem(VALUE, f"an object is needed, not {data!r:.40}", path=path))
        return {}
    for name in required:
        if data.get(name) is None:
            problems.append(Problem(MISSING, f"`{name}` is missing", path=path))
    values = {}
    for name, value in data.items():
        if name not in readers:
            hint = closest(name, readers)
            problems.append(Problem(UNKNOWN, f"`{name}` is not known here", hint=hint, path=(*path, name)))
        elif value is not None:
            try:
                values[name] = readers[name](value)
            except ValueError as error:
                problems.append(Problem(VALUE, f"`{name}`: {error}", path=(*path, name)))
    return values
