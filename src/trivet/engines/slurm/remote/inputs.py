"""Inputs that are not of the run's own: each state of a file or directory is in the folder once, and never changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from trivet.engines.slurm.remote.login import Runner
from trivet.engines.slurm.remote.transfer import Transfer, expanded

_HAS = 'cd -- "$1" && mkdir -p inputs && shift && for key; do if [ -e "inputs/$key" ]; then echo "$key"; fi; done'
_BEGIN = 'cd -- "$1/inputs" && mkdir -p -- "$2.part/$3"'
_DONE = 'cd -- "$1/inputs" && { [ -e "$2" ] || mv -- "$2.part" "$2"; }'


class Inputs:
    """Files and directories in ``<folder>/inputs/<key>/``; the key says path, names, sizes and times of what is in it.
    What was sent half goes on under its hidden name."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._keys: dict[str, str] = {}
        self._sent: set[str] = set()

    def there(self, source: str) -> str:
        """Where an input will be. Raises OSError when it can't be read, SlurmError."""
        return f"{self._runner.login.folder}/inputs/{self._key(source)}/{Path(source).name}"

    def send(self, sources: Iterable[str], transfer: Transfer) -> None:
        """Have inputs there. Raises SlurmError."""
        wanted = {self._key(source): source for source in sources}
        missing = [key for key in wanted if key not in self._sent]
        if missing:
            has = set(self._say(_HAS, *missing).split())
            for key in missing:
                if key not in has:
                    self._send(key, Path(wanted[key]), transfer)
                self._sent.add(key)

    def _send(self, key: str, source: Path, transfer: Transfer) -> None:
        directory = source.is_dir()
        self._say(_BEGIN, key, source.name if directory else "")
        target = f"{self._runner.login.folder}/inputs/{key}.part"
        if directory:
            names = [str(Path(name)) for name in expanded(source, ["."]) if name != "."]
            transfer.up(source, names, f"{target}/{source.name}")
        else:
            transfer.up(source.parent, [source.name], target)
        self._say(_DONE, key)

    def _key(self, source: str) -> str:
        key = self._keys.get(source)
        if key is None:
            key = self._keys[source] = state_of(Path(source))
        return key

    def _say(self, script: str, *words: str) -> str:
        return self._runner.say(["sh", "-c", script, "sh", self._runner.login.folder, *words])


def state_of(source: Path) -> str:
    """A word for a file or directory as it is now, by path, names, sizes and times. Raises OSError."""
    digest = sha256(os.fsencode(source))
    for name in [".", *sorted(expanded(source, ["."]))] if source.is_dir() else [""]:
        found = (source / name).lstat()
        # The time of a directory changes with what is in it, which is said by the rest.
        said = (name, found.st_mode, *(() if (source / name).is_dir() else (found.st_size, found.st_mtime_ns)))
        digest.update(repr(said).encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
