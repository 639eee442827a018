"""How a configured cluster is reached: its commands and file system here, or both elsewhere by SSH."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trivet.engines.slurm.cluster import Cluster, from_json, to_json
from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.place import Place, Shared
from trivet.engines.slurm.programs import ApptainerPrograms, Programs
from trivet.engines.slurm.remote.connection import Connection, UnreachableError
from trivet.engines.slurm.remote.login import Runner
from trivet.engines.slurm.remote.paths import PathMap
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.site_file import completed, default_site, load_site, site_file
from trivet.engines.slurm.submission import save
from trivet.records import home
from trivet.runs.options import Options
from trivet.tasks.problem import Problem, ProblemsError

UNUSABLE, OUT_OF_REACH, FOLDER, ABSENT = "S009", "S010", "S011", "S012"
"""Codes of problems: SLURM can't be asked; the cluster can't be reached; its folder can't be used; what a unit needs is
not there."""

# What stands in lines of stdin and is not there.
_ABSENT = 'while IFS= read -r path; do [ -e "$path" ] || echo "$path"; done'


@dataclass(frozen=True, slots=True)
class Reach:
    """A cluster with its configuration. ``runner``: it is elsewhere (None: this machine is one of its own)."""

    site: Site
    commands: Commands
    runner: Runner | None = None

    def place(self, directory: Path) -> tuple[Place, Programs]:
        """Where the files of a run are for jobs, and how they start what it needs."""
        if self.runner is None:
            return Shared(), ApptainerPrograms(directory, home() / "sif")
        from trivet.engines.slurm.remote.mirror import Mirror
        from trivet.engines.slurm.remote.programs import FarPrograms

        mirror = Mirror(directory, self.runner, home() / "cache", self.site.paths.items())
        return mirror, FarPrograms(directory, mirror)

    def absent(self, paths: Iterable[str]) -> dict[str, str]:
        """Absolute paths of which the cluster has nothing, each with what it is called there; asked by one command.
        Raises SlurmError."""
        assert self.runner is not None  # noqa: S101 (asked by the caller)
        there = PathMap(tuple(self.site.paths.items())).there
        named = {path: there(path) for path in paths if "\n" not in path}
        if not named:
            return {}
        text = "".join(f"{path}\n" for path in dict.fromkeys(named.values()))
        said = self.runner.say(["sh", "-c", _ABSENT], text.encode(errors="surrogateescape"))
        lacking = set(said.split("\n"))
        return {path: name for path, name in named.items() if name in lacking}


def reach(options: Options, directory: Path | None = None) -> Reach:
    """The cluster that options name, by a file or because this machine belongs to it.

    ``directory`` is the run's own, which remembers what a login found, and what the cluster said of itself: so a run
    can be taken up while nobody answers. Raises ProblemsError.
    """
    path = site_file(options.site, home())
    configured = None if path is None else load_site(path)
    try:
        if configured is None:
            commands = Commands()
            return Reach(default_site(_said(commands, directory)), commands)
        if configured.host is None:
            return Reach(configured, Commands())
        runner = Runner(Connection(configured.host), configured.folder, directory)
        commands = Commands(runner, lambda: str(runner.login.user))
        if not configured.default:
            configured = completed(configured, _said(commands, directory))
        return Reach(configured, commands, runner)
    except SlurmError as error:
        raise ProblemsError([unusable(error)]) from None


def _said(commands: Commands, directory: Path | None) -> Cluster:
    """What the cluster says of itself, once for each run. Raises SlurmError."""
    memory = None if directory is None else directory / "slurm/cluster.json"
    if memory is not None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return from_json(memory.read_bytes())
    found = commands.cluster()
    if memory is not None:
        with suppress(OSError):
            memory.parent.mkdir(exist_ok=True)
            save(memory, to_json(found))
    return found


def connected(options: Options) -> Reach:
    """The same, with a connection: `ssh` may ask for a password where a terminal is. Raises ProblemsError."""
    path = site_file(options.site, home())
    host = None if path is None else load_site(path).host
    try:
        if host is not None:
            Connection(host).open(ask=sys.stdin is not None and sys.stdin.isatty())
        found = reach(options)
        if found.runner is not None:
            _ = found.runner.login
    except SlurmError as error:
        raise ProblemsError([unusable(error)]) from None
    return found


def elsewhere(options: Options) -> bool:
    """Whether options name a cluster whose files are not this machine's."""
    path = site_file(options.site, home()) if options.engine == "slurm" else None
    try:
        return path is not None and load_site(path).host is not None
    except ProblemsError:  # told by what makes the engine
        return False


def unusable(error: SlurmError) -> Problem:
    """Why a cluster is of no use, and what to do."""
    if isinstance(error, UnreachableError):
        return Problem(OUT_OF_REACH, str(error), hint=error.hint)
    if "the folder " in str(error):
        return Problem(FOLDER, str(error), hint="name another `folder` in the site's configuration")
    hint = "name a configuration of the site with --site FILE, or run it on a login node of the cluster"
    return Problem(UNUSABLE, f"SLURM can't be asked: {error}", hint=hint)
