"""A run's directory and its image in the cluster's folder: what jobs need goes there, what they leave comes back.

<folder>/<run or job>/   as the run's directory here, as far as its units need it or write to it
<folder>/inputs/<key>/   files and directories from elsewhere, each state of them once (`remote.inputs`)
<folder>/cache/          what tasks keep beyond a run
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from trivet.engines import Attempt
from trivet.engines.slurm import submission as submissions
from trivet.engines.slurm.commands import SlurmError
from trivet.engines.slurm.job import Job
from trivet.engines.slurm.remote import growing
from trivet.engines.slurm.remote.inputs import Inputs
from trivet.engines.slurm.remote.login import Runner
from trivet.engines.slurm.remote.paths import PathMap, below
from trivet.engines.slurm.remote.transfer import Transfer, expanded
from trivet.engines.slurm.submission import Submission
from trivet.tasks.task import ContainerImage, Environment
from trivet.tasks.work import AttemptId, Invocation, Mount

FILES = "files.jsonl"
LIVE = 64
"""So many logs of running units are followed."""


@dataclass(frozen=True, slots=True)
class Files:
    """What belongs to an attempt, by paths relative to the run's directory: ``up`` goes there before it starts,
    ``down`` comes back when it has ended, like its ``log``. ``inputs`` are paths of this machine, ``made`` directories
    that have to exist there."""

    up: tuple[str, ...]
    down: tuple[str, ...]
    log: str | None
    inputs: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


class Mirror:
    """The image of the run's ``directory`` in the folder that ``runner`` logs in to. ``cache`` is the directory here
    in which tasks keep things, ``paths`` are pairs of directories that the site says are the same here and there."""

    looks = (1.0, 10.0)

    def __init__(self, directory: Path, runner: Runner, cache: Path, paths: Iterable[tuple[str, str]]) -> None:
        self._directory, self.runner, self._cache = directory, runner, str(cache)
        self._site = tuple(paths)
        self._map: PathMap | None = None
        self._moved: dict[AttemptId, Files] = {}
        self._files: dict[str, dict[AttemptId, Files]] = {}
        self._parallel: dict[str, int] = {}
        self._wishes: dict[tuple[str, int], Submission] = {}
        self._transfer: Transfer | None = None
        self._made = False
        self.inputs = Inputs(runner)

    # --- Paths ----------------------------------------------------------------------------------------------------

    @property
    def root(self) -> str:
        """The image of the run's directory. Raises SlurmError."""
        return f"{self.runner.login.folder}/{self._directory.name}"

    @property
    def map(self) -> PathMap:
        """Raises SlurmError."""
        if self._map is None:
            folder = self.runner.login.folder
            pairs = ((str(self._directory), self.root), (self._cache, f"{folder}/cache"), *self._site)
            self._map = PathMap(pairs)
        return self._map

    @property
    def transfer(self) -> Transfer:
        """Raises SlurmError."""
        if self._transfer is None:
            self._transfer = Transfer(self.runner.connection, self.runner.login.rsync)
        return self._transfer

    def there(self, path: Path) -> str:
        return self.map.there(str(path))

    def here(self, path: str) -> str:
        return self.map.here(path)

    def exists(self, path: str) -> bool:
        return True  # told before the run by what asks the cluster once for everything

    def moved(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        shared = _shared(attempts)
        moved = []
        for attempt in attempts:
            invocation = attempt.invocation
            self._moved[attempt.id] = self._belonging(invocation, shared)
            moved.append(replace(attempt, invocation=self._invocation(invocation)))
        return moved

    def makes(self, id: AttemptId, place: Path) -> str:
        """A directory below the run's that an attempt needs there, too; what it is called there."""
        there = self.map.there(str(place))
        self._moved[id] = replace(self._moved[id], made=(*self._moved[id].made, there))
        return there

    def _belonging(self, invocation: Invocation, shared: frozenset[str]) -> Files:
        """The files of an attempt. A directory that several attempts work in comes back file by file, by name."""
        root = str(self._directory)
        texts = [*(invocation.command or ()), *invocation.args, *invocation.environment.values()]
        named = list(below(root, texts))
        mounted = list(below(root, (mount.source for mount in invocation.mounts)))
        written = list(below(root, (mount.source for mount in invocation.mounts if mount.writable)))
        own = list(below(root, [invocation.workdir or ""]))
        private = [] if invocation.workdir in shared else own
        there = [name for name in named if (self._directory / name).exists()]
        absent = [name for name in named if name not in there]
        folders = [name for name in there if (self._directory / name).is_dir()]
        log = None
        if invocation.log is not None:
            log = next(below(root, [str(self._directory / invocation.log)]), None)
        made = [*(own if not private else ()), *(os.path.dirname(name) for name in (*absent, log or "") if "/" in name)]  # noqa: PTH120
        caches = [text for text in invocation.environment.values() if text.startswith(f"{self._cache}/")]
        return Files(
            up=tuple(dict.fromkeys([*mounted, *private, *there])),
            down=tuple(dict.fromkeys([*written, *private, *absent, *folders])),
            log=log,
            inputs=tuple(one.source for one in invocation.mounts if not self.map.known(one.source)),
            made=tuple(dict.fromkeys([*(f"{self.root}/{name}" for name in made), *map(self.map.there, caches)])),
        )

    def _invocation(self, invocation: Invocation) -> Invocation:
        there, environment = self.map.there, dict(invocation.environment)
        program = invocation.program
        if isinstance(program, Environment) and program.prefix:
            program = replace(program, prefix=there(program.prefix))
            environment.setdefault("PATH", self.runner.login.path)
        workdir = invocation.workdir and there(invocation.workdir)
        if workdir is None and not isinstance(program, ContainerImage):
            workdir = self.root  # where this process is, is nowhere there
        return replace(
            invocation,
            program=program,
            command=invocation.command and tuple(map(there, invocation.command)),
            args=tuple(map(there, invocation.args)),
            environment={name: there(value) for name, value in environment.items()},
            mounts=tuple(map(self._mount, invocation.mounts)),
            workdir=workdir,
            log=invocation.log and there(str(self._directory / invocation.log)),
        )

    def _mount(self, mount: Mount) -> Mount:
        source = self.map.there(mount.source) if self.map.known(mount.source) else self.inputs.there(mount.source)
        return replace(mount, source=source)

    # --- There ----------------------------------------------------------------------------------------------------

    def note(self, found: Submission) -> None:
        files = {id: self._moved.pop(id) for ids in found.elements for id in ids}
        lines = (json.dumps([id, one.up, one.down, one.log, one.inputs, one.made]) for id, one in files.items())
        submissions.save(found.place / FILES, "".join(f"{line}\n" for line in lines).encode())
        self._files[found.token] = files

    def send(self, found: Submission) -> None:
        files = self._of(found).values()
        self._make(dict.fromkeys(name for one in files for name in one.made))
        self.inputs.send(dict.fromkeys(source for one in files for source in one.inputs), self.transfer)
        place = found.place.relative_to(self._directory)
        names = [str(place), *(f"{place.parent}/{path.name}" for path in found.place.parent.glob("runner-*.pyz"))]
        names += [name for one in files for name in one.up]
        own = (f"{place}/record-", f"{place}/slots-")
        self.transfer.up(
            self._directory,
            [name for name in expanded(self._directory, names) if not name.startswith(own)],
            self.root,
        )

    def _make(self, directories: Iterable[str]) -> None:
        made = [*directories, *([] if self._made else [f"{self.root}/slurm"])]
        if made:
            self.runner.say(["xargs", "-0", "mkdir", "-p", "--"], b"".join(os.fsencode(name) + b"\0" for name in made))
            self._made = True

    # --- Back -----------------------------------------------------------------------------------------------------

    def look(self, jobs: Iterable[Job]) -> None:
        with suppress(SlurmError):  # a full disk there must not keep news back; jobs are ended by force then
            self._hand_on()
        names: list[str] = []
        places: dict[str, None] = {}
        followed = 0
        for job in jobs:
            found = job.submission
            if found.job is None:
                continue
            place = str(found.place.relative_to(self._directory))
            places[place] = None
            names += [f"{place}/record-{job.element}.jsonl", f"{place}/{job.element}.out"]
            names += [f"{place}/slots-{job.element}/logs/slot-{number}.log" for number in range(self._slots(found))]
            for id in job.started:
                log = self._of(found)[id].log if id in job.open else None
                if log is not None and followed < LIVE:
                    followed += 1
                    names.append(log)
        if names:
            growing.fetch(self.runner.connection, self.root, self._directory, names, places)

    def bring(self, ended: Sequence[tuple[Job, AttemptId]]) -> None:
        names: dict[str, None] = {}
        for job, id in ended:
            files = self._of(job.submission).get(id)
            if files is None:
                continue
            names.update(dict.fromkeys(files.down))
            if files.log is not None:
                names[files.log] = None
            elif id in job.open and id in job.started:  # its job is over, and nobody has put its log by
                place = job.submission.place.relative_to(self._directory)
                names[f"{place}/slots-{job.element}/slot-{job.started[id][1]}.log"] = None
        self.transfer.down(self.root, list(names), self._directory)

    def wish(self, found: Submission, element: int) -> None:
        self._wishes[found.token, element] = found
        with suppress(SlurmError):
            self._hand_on()

    def _hand_on(self) -> None:
        """What runners are asked to end, as a whole each time: they read on from where they were."""
        names = {key: f"cancel-{key[1]}.jsonl" for key in self._wishes}
        if names:
            wished = [str((self._wishes[key].place / name).relative_to(self._directory)) for key, name in names.items()]
            self.transfer.up(self._directory, list(expanded(self._directory, wished)), self.root)
            for key in names:
                del self._wishes[key]

    def _slots(self, found: Submission) -> int:
        """How many units of a job run at once."""
        if found.token not in self._parallel:
            head = json.loads((found.place / "submission.json").read_bytes())
            self._parallel[found.token] = head["parallel"]
        return self._parallel[found.token]

    def close(self) -> None:
        self.runner.connection.close()

    def _of(self, found: Submission) -> dict[AttemptId, Files]:
        files = self._files.get(found.token)
        if files is None:
            files = {}
            with suppress(FileNotFoundError):
                for line in (found.place / FILES).read_text(encoding="utf-8").splitlines():
                    id, up, down, log, inputs, made = json.loads(line)
                    files[id] = Files(tuple(up), tuple(down), log, tuple(inputs), tuple(made))
            self._files[found.token] = files
        return files


def _shared(attempts: Sequence[Attempt]) -> frozenset[str]:
    """Directories in which several attempts work."""
    seen: set[str] = set()
    twice: set[str] = set()
    for attempt in attempts:
        workdir = attempt.invocation.workdir
        if workdir is not None:
            (twice if workdir in seen else seen).add(workdir)
    return frozenset(twice)
