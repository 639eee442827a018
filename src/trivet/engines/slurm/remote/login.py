"""What a user finds after logging in to a cluster: a home, SLURM's commands, rsync; and how commands run there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from trivet.engines.slurm.commands import ENVIRONMENT, PATIENCE, SlurmError
from trivet.engines.slurm.remote.connection import Connection, told
from trivet.engines.slurm.remote.transfer import new_enough
from trivet.engines.slurm.submission import save

# SLURM's commands are often found by interactive logins only: these are asked when the plain PATH has none.
_LOOK = (
    "has() { command -v sbatch >/dev/null 2>&1; }; "
    'has || for shell in "${SHELL:-sh}" bash sh; do '
    'found=$("$shell" -l -c \'command -v sbatch >/dev/null && echo "trivet-path $PATH"\' 2>/dev/null '
    "| sed -n 's/^trivet-path //p' | tail -n 1); "
    'if [ -n "$found" ]; then PATH=$found; break; fi; done; '
    'cd -- "$1" 2>/dev/null || { mkdir -p -- "$1" && cd -- "$1"; } || exit 3; '
    'echo "home=$HOME"; echo "user=$(id -u)"; echo "folder=$(pwd -P)"; echo "path=$PATH"; '
    'echo "rsync=$(command -v rsync)"; rsync --version 2>/dev/null | head -n 1; '
    '[ -w . ] || { echo "$1: the folder is not writable" >&2; exit 3; }'
)


@dataclass(frozen=True, slots=True)
class Login:
    """``folder`` is the project folder as an absolute path, ``user`` a number, ``rsync`` a program (None: none that is
    new enough)."""

    home: str
    user: int
    folder: str
    path: str
    rsync: str | None

    def words(self, words: Sequence[str], environment: Mapping[str, str] = ENVIRONMENT) -> list[str]:
        """A command as it is to be started there."""
        variables = {**environment, "PATH": self.path}
        return ["env", *(f"{name}={value}" for name, value in variables.items()), *words]


def login(connection: Connection, folder: str) -> Login:
    """Log in, and have the project folder, which is made when it is absent. Raises SlurmError."""
    done = connection.run(["sh", "-c", _LOOK, "sh", folder])
    if done.returncode != 0:
        said = told(done.stderr.decode(errors="replace"))
        raise SlurmError(f"{connection.host}: the folder {folder} can't be used: {said}", False)
    text = done.stdout.decode(errors="replace")
    facts = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    rsync = facts.get("rsync") or None
    if rsync is not None and not new_enough(text):
        rsync = None
    return Login(facts["home"], int(facts["user"]), facts["folder"], facts["path"], rsync)


_MEMORY = "slurm/login.json"


def _memory(directory: Path) -> tuple[str, Login] | None:
    try:
        host, found = json.loads((directory / _MEMORY).read_bytes())
        return str(host), Login(**found)
    except (OSError, ValueError, TypeError):
        return None


class Runner:
    """Runs SLURM's commands on the cluster, as `Commands` wants it. The login is looked at when it is needed first, and
    remembered in ``directory``, that of a run, if there is one."""

    def __init__(self, connection: Connection, folder: str, directory: Path | None = None) -> None:
        self.connection = connection
        self._folder, self._directory = folder, directory
        self._login: Login | None = None

    @classmethod
    def remembered(cls, directory: Path) -> Self | None:
        """The one that a run's directory remembers, if any."""
        found = _memory(directory)
        if found is None:
            return None
        runner = cls(Connection(found[0]), found[1].folder)
        runner._login = found[1]
        return runner

    @property
    def login(self) -> Login:
        """Raises SlurmError."""
        if self._login is None:
            found = None if self._directory is None else _memory(self._directory)
            if found is not None and found[0] == self.connection.host:
                self._login = found[1]  # a run goes on as it began, and while the cluster is out of reach
            else:
                self._login = login(self.connection, self._folder)
                self._remember(self._login)
        return self._login

    def _remember(self, found: Login) -> None:
        if self._directory is not None:
            with suppress(OSError):
                (self._directory / _MEMORY).parent.mkdir(exist_ok=True)
                save(self._directory / _MEMORY, json.dumps([self.connection.host, asdict(found)]).encode())

    def say(self, words: Sequence[str], data: bytes = b"", patience: float = PATIENCE) -> str:
        """What a command prints that has to work. Raises SlurmError with what it says otherwise."""
        done = self.connection.run(words, data, patience)
        if done.returncode != 0:
            said = told(done.stderr.decode(errors="replace"))
            raise SlurmError(f"{self.connection.host}: {said or f'{words[0]} ended with {done.returncode}'}", False)
        return done.stdout.decode(errors="replace")

    def __call__(self, arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        done = self.connection.run(self.login.words(arguments), given.encode())
        if done.returncode == 127:
            message = f"`{arguments[0]}` is not found on {self.connection.host}: is it a login node of the cluster?"
            raise SlurmError(message, False)
        out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(arguments, done.returncode, out, err)
