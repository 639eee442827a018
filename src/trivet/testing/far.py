"""A cluster that is elsewhere, for tests: SSH on loopback, where another user has a home and shares nothing."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


class CanNotStart(RuntimeError):
    """This machine can't have one; the message says why."""


@dataclass(frozen=True)
class FarCluster:
    """A SLURM cluster and a server for SSH, each in a directory of ``place``, by the scripts in ``scripts``."""

    place: Path
    scripts: Path

    def start(self) -> None:
        """Start both, or what of them has ended. Raises CanNotStart."""
        self._run("start-slurm.sh")
        self._run("start-sshd.sh", SLURM_CONF=f"{self.place}/slurm/slurm.conf")

    def stop(self) -> None:
        """End both, with all that runs there."""
        for words in (["start-sshd.sh", "stop"], ["stop-slurm.sh"]):
            command = [str(self.scripts / words[0]), *words[1:]]
            subprocess.run(command, env=self._environment, capture_output=True, timeout=120, check=False)

    def listen(self) -> None:
        """Let people log in (again)."""
        self._run("start-sshd.sh")

    def cut(self) -> None:
        """Nobody can log in any more, and who was logged in is not."""
        pid = self.server / "pid"
        os.kill(int(pid.read_text()), signal.SIGTERM)
        pid.unlink(missing_ok=True)
        subprocess.run(["pkill", "-KILL", "-f", f"sshd: {self.user}"], check=False)

    @property
    def server(self) -> Path:
        return self.place / "sshd"

    @property
    def client(self) -> Path:
        """The configuration of `ssh` that knows it as ``cluster``."""
        return self.server / "client/config"

    @property
    def user(self) -> str:
        lines = (line.split(maxsplit=1) for line in self.client.read_text().splitlines())
        return next(line[1] for line in lines if line[0] == "User")

    @property
    def home(self) -> Path:
        return self.server / "home"

    @property
    def folder(self) -> Path:
        """What tests use as their project folder."""
        return self.home / "project"

    @property
    def logins(self) -> int:
        """How often somebody has logged in."""
        return (self.server / "log").read_text().count("Accepted publickey")

    def clear(self) -> None:
        """End the user's jobs."""
        environment = {**os.environ, "SLURM_CONF": f"{self.place}/slurm/slurm.conf"}
        subprocess.run(["scancel", f"--user={self.user}"], env=environment, check=False)

    @property
    def _environment(self) -> dict[str, str]:
        own = {"TRIVET_SLURM": f"{self.place}/slurm", "TRIVET_SSHD": f"{self.place}/sshd"}
        return {**os.environ, **own, "TRIVET_SLURM_ACCOUNTING": "no"}

    def _run(self, script: str, **more: str) -> str:
        command, environment = [str(self.scripts / script)], {**self._environment, **more}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise CanNotStart(f"{script}: {done.stderr.strip()[-500:]}")
        return shlex.split(done.stdout)[1].partition("=")[2]
