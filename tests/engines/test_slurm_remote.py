"""SLURM from another machine: a real sshd on loopback, a user of its own there, a real cluster, nothing shared."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Attempt, Engine
from trivet.engines.slurm.commands import Commands
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.remote import transfer
from trivet.engines.slurm.remote.connection import Connection
from trivet.engines.slurm.remote.login import Runner
from trivet.engines.slurm.remote.mirror import Mirror
from trivet.engines.slurm.remote.programs import FarPrograms
from trivet.engines.slurm.site import Site, read_site
from trivet.tasks.problem import Problem
from trivet.tasks.task import Environment
from trivet.tasks.work import Invocation, Mount, Outcome
from trivet.testing import EngineTests
from trivet.testing.watching import Gate, Sign, Watch

pytestmark = pytest.mark.slurm

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MIB = 1024 * 1024
POLLS = (0.3, 1.0)
SITE = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": 100},
    "batching_config": {
        "target_cpus_per_job": 2,
        "max_cpus_per_job": 2,
        "target_mem_per_job": 4000,
        "max_mem_per_job": 4000,
        "target_num_jobs": 6,
        "max_num_jobs": 6,
    },
}


def site() -> Site:
    problems: list[Problem] = []
    found = read_site(SITE, problems)
    assert found is not None, problems
    return found


@dataclass
class Far:
    """The cluster as its user sees it, and the connection's other end."""

    place: Path
    user: str
    client: Path

    @property
    def home(self) -> Path:
        return self.place / "home"

    @property
    def folder(self) -> Path:
        return self.home / "project"

    @property
    def logins(self) -> int:
        return (self.place / "log").read_text().count("Accepted publickey")

    def say(self, *words: str) -> str:
        command = ["runuser", "-u", self.user, "--", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    """A cluster of its own: all of it in a place that the second user can enter, unlike pytest's directories."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # noqa: S108
        place = Path(name)
        place.chmod(0o755)
        patch.setenv("TRIVET_SLURM", f"{place}/slurm")
        patch.setenv("TRIVET_SSHD", f"{place}/sshd")
        try:
            for script, variable in (("start-slurm.sh", "SLURM_CONF"), ("start-sshd.sh", "TRIVET_SSH")):
                said = subprocess.run([str(SCRIPTS / script)], capture_output=True, text=True, timeout=600, check=False)
                if said.returncode != 0:
                    pytest.skip(f"{script}: {said.stderr.strip()[-500:]}")
                patch.setenv(variable, shlex.split(said.stdout)[1].partition("=")[2])
            client = place / "sshd/client/config"
            config = dict(line.split(maxsplit=1) for line in client.read_text().splitlines())
            patch.delenv("SLURM_CONF")  # whoever calls SLURM's commands here is told that there are none
            yield Far(place / "sshd", config["User"], client)
        finally:
            subprocess.run([str(SCRIPTS / "start-sshd.sh"), "stop"], capture_output=True, timeout=120, check=False)
            subprocess.run([str(SCRIPTS / "stop-slurm.sh")], capture_output=True, timeout=120, check=False)


@pytest.fixture(params=["rsync", "tar"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With rsync, and where this machine has none."""
    if request.param == "tar":
        monkeypatch.setattr(transfer, "has_rsync", lambda: False)
    elif not transfer.has_rsync():
        pytest.skip("no rsync here")
    return str(request.param)


Make = Callable[..., SlurmEngine]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "20260101-000000-0001"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def make(far: Far, directory: Path, tmp_path: Path) -> Iterator[Make]:
    made: list[SlurmEngine] = []

    def make(host: str = "cluster", folder: str = "project", **more: Any) -> SlurmEngine:
        runner = Runner(Connection(host), folder)
        mirror = Mirror(directory, runner, tmp_path / "cache", more.pop("paths", ()))
        mirror.looks = (0.1, 0.5)
        commands = Commands(runner, lambda: str(runner.login.user))
        programs = FarPrograms(directory, mirror)
        made.append(
            SlurmEngine(directory, site(), None, programs, polls=POLLS, commands=commands, place=mirror, **more)
        )
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    Connection("cluster").end()
    subprocess.run(["scancel", f"--user={far.user}"], check=False, env={**os.environ, **conf(far)})
    shutil.rmtree(far.folder, ignore_errors=True)


def conf(far: Far) -> dict[str, str]:
    return {"SLURM_CONF": str(far.place.parent / "slurm/slurm.conf")}


def shell(id: str, text: str, **fields: Any) -> Attempt:
    return Attempt(id, Invocation(Environment(), ("sh", "-c", text), **fields))


def only(watch: Watch, id: str) -> Outcome:
    (outcome,) = watch.ended(id)
    return outcome


@pytest.mark.usefixtures("way")
def test_files_go_there_and_come_back(make: Make, far: Far, directory: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "elsewhere"
    (inputs / "deep").mkdir(parents=True)
    (inputs / "deep/data").write_text("from elsewhere")
    work = directory / "work/unit/1"
    (work / "outputs").mkdir(parents=True)
    (work / "args.json").write_text("given")
    text = 'pwd; id -un; cat "$1" > "$2"; mkdir sub; echo more > "sub/it is"; ln -s sub link'
    words = ("sh", "-c", text, "sh", str(work / "args.json"), str(work / "out.json"))
    invocation = Invocation(Environment(), words, workdir=str(work / "outputs"), log="logs/unit.log")
    watch = Watch(make())
    watch.engine.submit([Attempt("run/unit/1", invocation)])
    outcome = only(watch, "run/unit/1")
    assert (outcome.exit_code, outcome.reason) == (0, None), outcome
    assert (work / "out.json").read_text() == "given"
    assert (work / "outputs/sub/it is").read_text() == "more\n"
    assert (work / "outputs/link").readlink() == Path("sub")
    there = far.folder / directory.name / "work/unit/1/outputs"
    assert EngineTests.log(directory, outcome).decode().splitlines() == [str(there), far.user]
    assert pwd.getpwuid((there / "sub").stat().st_uid).pw_name == far.user
    assert far.logins >= 1


@pytest.mark.usefixtures("way")
class TestFarEngine(EngineTests):
    log_cap = 4 * MIB

    @pytest.fixture
    def tmp_path(self) -> Iterator[Path]:
        """A directory in which both users can meet."""
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # noqa: S108
            Path(name).chmod(0o777)
            yield Path(name)

    @pytest.fixture(autouse=True)
    def _made(self, make: Make) -> None:
        self._make = make

    def make(self, directory: Path) -> Engine:
        return self._make(log_cap=self.log_cap)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(Environment(), argv, **fields)


__all__ = ["Gate", "Sign"]
