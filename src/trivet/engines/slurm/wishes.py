"""What the jobs of one task ask SLURM for: the site's configuration, overridden by the meta data of the task."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trivet.engines.slurm.batching import Limits
from trivet.engines.slurm.memory import megabytes
from trivet.engines.slurm.site import MISSING, VALUE, Site, count_or_text, lines, positive, word
from trivet.tasks.problem import Problem, ProblemsError

SHEBANG = "#!/bin/sh"

_UNSAFE = re.compile(r"[^\w.,:;+=@()\[\]{}-]")
"""What has a meaning in a line of a job's script, or ends it, and so can't stand in the name of a job."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of a task's jobs, named as those of ``sbatch``; ``mem`` of one unit in SLURM's megabytes.

    ``tasks_per_job`` and ``parallel_tasks_per_job`` are the user's own choice for the batching. ``exports`` are
    variables with paths below the user's cache directory. None stands for an option that is not given.
    """

    job_name: str
    partition: str
    cpus_per_task: int
    mem: int
    limits: Limits
    constraint: str | None = None
    gres: str | None = None
    gpus: int | str | None = None
    time: str | None = None
    account: str | None = None
    exclude: str | None = None
    nodelist: str | None = None
    nodes: int | str | None = None
    use_mem_per_cpu: bool = False
    shebang_line: str = SHEBANG
    extra_lines: tuple[str, ...] = ()
    exports: Mapping[str, str] | None = None
    tasks_per_job: int | None = None
    parallel_tasks_per_job: int | None = None


def wishes(site: Site, task: str, meta: Mapping[str, Any] | None) -> Wishes:
    """The options for a task of that name with these meta data (public server, SLURM configuration).

    The site's defaults are overridden by its set for GPUs where ``needs_gpu`` is true, then by the meta data; extra
    lines of these come behind the others, each line once. Other meta data, the partition among them, are ignored.
    Raises ProblemsError, with every reason.
    """
    problems: list[Problem] = []
    given = _read(meta or {}, problems)
    options = {**site.default, **(site.gpu if given.pop("needs_gpu", False) else {})}
    more = given.pop("extra_lines", [])
    options.update(given)
    options["extra_lines"] = tuple(dict.fromkeys([*options.get("extra_lines", ()), *more]))
    for name in ("partition", "cpus_per_task", "mem"):
        if name not in options:
            message = f"`{name}` of task {task} is given neither by the site nor by the task"
            problems.append(Problem(MISSING, message, hint=f"add `{name}` to default_slurm_config", path=(name,)))
    if problems:
        raise ProblemsError(problems)
    return Wishes(job_name=_UNSAFE.sub("_", task), limits=site.limits, exports=site.exports, **options)


def truth(value: Any) -> bool:
    """True or false, also as those words. Raises ValueError."""
    if value in ("true", "True", "false", "False"):
        return bool(value.lower() == "true")
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is not true or false")


def _read(meta: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    values = {}
    if "account" in meta:
        message = "an account can't be set for a task: it is the user's or the job's"
        problems.append(Problem(VALUE, message, hint="remove `account` from the meta data", path=("account",)))
    for name, reader in _READERS.items():
        if meta.get(name) is not None:
            try:
                values[name] = reader(meta[name])
            except ValueError as error:
                problems.append(Problem(VALUE, f"`{name}`: {error}", path=(name,)))
    return values


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "cpus_per_task": positive, "mem": megabytes, "needs_gpu": truth, "time": word, "gres": word, "gpus": count_or_text,
    "constraint": word, "nodelist": word, "nodes": count_or_text, "exclude": word, "extra_lines": lines,
    "tasks_per_job": positive, "parallel_tasks_per_job": positive,
}  # fmt: skip
