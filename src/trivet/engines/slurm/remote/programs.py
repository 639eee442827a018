"""Containers on a cluster that is elsewhere: their images are made SIF files there, in the folder's ``sif``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from trivet.engines import Attempt
from trivet.engines.runtimes.api import ApiError, UnreachableError
from trivet.engines.runtimes.apptainer import containers_as_commands
from trivet.engines.runtimes.apptainer.command import Caller, Sif
from trivet.engines.runtimes.apptainer.sources import find
from trivet.engines.runtimes.apptainer.units import lay_out, read
from trivet.engines.runtimes.library import ImageUnavailableError
from trivet.engines.slurm.commands import SlurmError
from trivet.engines.slurm.programs import Say
from trivet.engines.slurm.remote.mirror import Mirror
from trivet.images.archive import ImageError
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptId, Login, Outcome

PATIENCE = 120.0
"""Seconds for which an image is tried to be made while the cluster is out of reach."""

LONGEST = 3600.0
"""Seconds that making a SIF may take."""

_HAS = 'cd -- "$1" && mkdir -p sif && if [ -e "sif/$2.sif" ]; then echo yes; else mkdir -p "sif/$2.making"; fi'
_BUILD = (
    'cd -- "$1/sif" && { [ -e "$2.sif" ] || { cd -- "$2.making" && '
    "APPTAINER_TMPDIR=$PWD apptainer --silent build --force --disable-cache --fix-perms image.sif "
    'docker-archive:image.tar && mv image.sif ../"$2.sif" && cd .. && rm -rf -- "$2.making"; }; }'
)


T = TypeVar("T")


class FarPrograms:
    """Containers by the cluster's Apptainer. The layers of an image go there once."""

    def __init__(self, directory: Path, mirror: Mirror) -> None:
        self._directory, self._mirror = directory, mirror
        self._known: dict[ContainerImage, Sif] = {}

    def commands(self, attempts: Sequence[Attempt], say: Say) -> tuple[Sequence[Attempt], Mapping[AttemptId, Outcome]]:
        """As for `Programs`."""
        if any(isinstance(one.invocation.program, ContainerImage) for one in attempts):
            user = self._mirror.runner.login.user
            caller = Caller(user, user)
            ready, never = containers_as_commands(attempts, self, say, self._scratch, caller)
        else:
            ready, never = list(attempts), {}
        # Where this process is, is nowhere there.
        inside = [replace(one.invocation, workdir=one.invocation.workdir or self._mirror.root) for one in ready]
        return [replace(one, invocation=at) for one, at in zip(ready, inside, strict=True)], never

    def outcome(self, id: AttemptId, outcome: Outcome) -> Outcome:
        """As for `Programs`."""
        return read(self._directory, id, outcome)

    def ensure(self, program: ContainerImage, say: Callable[[str], None], login: Login | None = None) -> Sif:
        """The SIF of an image there, made when there is none. Raises ImageUnavailableError."""
        known = self._known.get(program)
        if known is None:
            named = program.reference or program.archive or program.digest or ""
            try:
                known = self._known[program] = self._find(program, say, login)
            except ImageError as error:
                raise ImageUnavailableError(str(error)) from error
            except (ApiError, UnreachableError, SlurmError, OSError) as error:
                raise ImageUnavailableError(f"{named} can't be made a SIF: {error}") from error
        return known

    def _find(self, program: ContainerImage, say: Callable[[str], None], login: Login | None) -> Sif:
        source = find(program, login)
        name = source.digest.removeprefix("sha256:")
        folder = self._mirror.runner.login.folder
        if self._patiently(lambda: self._say(_HAS, name)) != "yes":
            say(f"sending {source.told}")
            with tempfile.TemporaryDirectory(prefix="trivet-") as place:
                with Path(place, "image.tar").open("xb") as stream:
                    for chunk in source.layers(Path(place)):
                        stream.write(chunk)
                self._patiently(
                    lambda: self._mirror.transfer.up(Path(place), ["image.tar"], f"{folder}/sif/{name}.making")
                )
            say(f"making a SIF of {source.told}")
            self._patiently(lambda: self._say(_BUILD, name))
        return Sif(f"{folder}/sif/{name}.sif", source.digest, source.config)

    def _say(self, script: str, name: str) -> str:
        runner = self._mirror.runner
        return runner.say(["sh", "-c", script, "sh", runner.login.folder, name], patience=LONGEST).strip()

    def _patiently(self, do: Callable[[], T]) -> T:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return do()
            except SlurmError as error:
                if not error.passing or time.monotonic() > deadline:
                    raise
                time.sleep(2.0)

    def _scratch(self, id: AttemptId, sif: Sif) -> Path:
        place = lay_out(self._directory, id, sif)
        return Path(self._mirror.makes(id, place))
