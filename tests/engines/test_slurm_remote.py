"""SLURM from another machine: a real sshd on loopback, a user of its own there, a real cluster, nothing shared."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Attempt, Ended, Engine
from trivet.engines.slurm.commands import Commands, SlurmError
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.remote import removing, transfer
from trivet.engines.slurm.remote.connection import Connection, UnreachableError
from trivet.engines.slurm.remote.inputs import Inputs
from trivet.engines.slurm.remote.login import Runner
from trivet.engines.slurm.remote.mirror import Mirror
from trivet.engines.slurm.remote.programs import FarPrograms
from trivet.engines.slurm.site import Site, read_site
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Environment
from trivet.tasks.work import Invocation, Mount, Outcome
from trivet.testing import EngineTests
from trivet.testing.far import FarCluster
from trivet.testing.watching import Gate, Sign, Watch

pytestmark = pytest.mark.slurm

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


@pytest.fixture(autouse=True)
def _nothing_of_slurm_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)


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
def make(far: FarCluster, directory: Path, tmp_path: Path) -> Iterator[Make]:
    made: list[SlurmEngine] = []

    def make(place: Path = directory, folder: str = "project", **more: Any) -> SlurmEngine:
        runner = Runner(Connection("cluster"), folder, place)
        mirror = Mirror(place, runner, tmp_path / "cache", ())
        mirror.looks = (0.1, 0.5)
        commands = Commands(runner, lambda: str(runner.login.user))
        programs = FarPrograms(place, mirror)
        made.append(SlurmEngine(place, site(), None, programs, polls=POLLS, commands=commands, place=mirror, **more))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    Connection("cluster").end()
    far.clear()
    shutil.rmtree(far.folder, ignore_errors=True)


@pytest.fixture
def meeting() -> Iterator[Path]:
    """A directory in which both users can meet."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def gate(meeting: Path) -> Iterator[Gate]:
    gate = Gate(meeting / "gate")
    (meeting / "gate").chmod(0o666)
    yield gate
    gate.close()


def shell(id: str, text: str, **fields: Any) -> Attempt:
    return Attempt(id, Invocation(Environment(), ("sh", "-c", text), **fields))


def only(watch: Watch, id: str) -> Outcome:
    (outcome,) = watch.ended(id)
    return outcome


@pytest.mark.usefixtures("way")
def test_files_go_there_and_come_back(make: Make, far: FarCluster, directory: Path, tmp_path: Path) -> None:
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


def test_one_connection(make: Make, far: FarCluster, directory: Path) -> None:
    Connection("cluster").end()
    before, ids = far.logins, [f"run/unit-{n}/1" for n in range(60)]
    watch = Watch(make())
    watch.engine.submit([shell(id, "echo $0; exit 3", log=f"logs/{n}.log") for n, id in enumerate(ids)])
    assert {outcome.exit_code for outcome in watch.ended(*ids)} == {3}
    assert far.logins == before + 1
    assert len(list((directory / "logs").iterdir())) == 60


# --- The connection -----------------------------------------------------------------------------------------------


def test_out_of_reach_for_a_while(make: Make, far: FarCluster, gate: Gate, directory: Path) -> None:
    watch = Watch(make())
    watch.engine.submit([shell("run/before/1", f"read x < {gate.path}; echo said; exit 3")])
    watch.started("run/before/1")
    far.cut()
    try:
        gate.open()
        watch.engine.submit([shell("run/during/1", "exit 4")])
        watch.until(lambda: "can't be reached" in str(watch.seen.get("run/during/1")))
        assert not any(isinstance(event, Ended) for event in watch.seen["run/before/1"])
    finally:
        far.listen()
    outcome = only(watch, "run/before/1")
    assert (outcome.exit_code, EngineTests.log(directory, outcome)) == (3, b"said\n")
    assert only(watch, "run/during/1").exit_code == 4


def test_cut_again_and_again(make: Make, directory: Path) -> None:
    ids = [f"run/unit-{n}/1" for n in range(12)]
    watch = Watch(make())
    text = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep 1; exit 3"
    watch.engine.submit([shell(id, text, log=f"logs/{n}.log") for n, id in enumerate(ids)])
    over = threading.Event()

    def cutting() -> None:
        while not over.wait(0.7):
            Connection("cluster").end()

    thread = threading.Thread(target=cutting)
    thread.start()
    try:
        outcomes = watch.ended(*ids)
    finally:
        over.set()
        thread.join()
    expected = b"".join(b"line %d\n" % n for n in range(2000))
    assert [(one.exit_code, EngineTests.log(directory, one) == expected) for one in outcomes] == [(3, True)] * 12


def test_cancelled_while_out_of_reach(make: Make, far: FarCluster, meeting: Path) -> None:
    sign = Sign(meeting / "sign")
    (meeting / "sign").chmod(0o666)
    watch = Watch(make())
    watch.engine.submit([shell("run/held/1", f"exec 3>{sign.path}; echo ready >&3; sleep 1000")])
    assert sign.line() == "ready"
    watch.started("run/held/1")
    far.cut()
    try:
        watch.engine.cancel(["run/held/1"], 1.0)
        watch.engine.submit([shell("run/late/1", "exit 4")])
        watch.until(lambda: "can't be reached" in str(watch.seen.get("run/late/1")))
    finally:
        far.listen()
    assert only(watch, "run/held/1").reason is Reason.CANCELLED
    sign.gone()
    sign.close()


def _drive_and_die(make: Make, attempts: list[Attempt]) -> None:
    watch = Watch(make())
    watch.engine.submit(attempts)
    watch.started(attempts[0].id)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_driver_comes_back(make: Make, directory: Path, gate: Gate) -> None:
    attempts = [shell(f"run/unit-{n}/1", f"read x < {gate.path}; echo {n}; exit 3") for n in range(3)]
    driver = multiprocessing.get_context("fork").Process(target=_drive_and_die, args=(make, attempts))
    driver.start()
    driver.join()
    gate.open(3)
    watch = Watch(make())
    watch.engine.adopt({one.id: None for one in attempts})
    outcomes = watch.ended(*(one.id for one in attempts))
    assert [(one.exit_code, EngineTests.log(directory, one)) for one in outcomes] == [
        (3, b"%d\n" % n) for n in range(3)
    ]


@pytest.mark.parametrize(
    ("change", "words", "hint"),
    [
        (("HostName 127.0.0.1", "HostName no-such-host.invalid"), "Could not resolve hostname", "~/.ssh/config"),
        (("client/key\n", "client/other\n"), "Permission denied", "ssh-add"),
        (("client/known_hosts\n", "client/nobody\n"), "Host key verification failed", "compare it"),
        (("Port ", "Port 1"), "Connection refused", "on-line"),
    ],
    ids=["host", "key", "host key", "port"],
)
def test_why_nobody_can_log_in(
    far: FarCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], words: str, hint: str
) -> None:
    text = far.client.read_text()
    if change[0] == "Port ":
        change = (f"Port {text.partition('Port ')[2].split()[0]}", "Port 1")
    assert change[0] in text
    (tmp_path / "config").write_text(text.replace(*change))
    monkeypatch.setenv("TRIVET_SSH", f"ssh -F {tmp_path}/config")
    other = far.client.parent / "other"
    if not other.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    with pytest.raises(UnreachableError, match=words) as error:
        Connection("cluster").open()
    assert hint in error.value.hint
    assert error.value.passing


# --- The folder ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("far")
def test_a_folder_that_is_not_writable() -> None:
    for folder in ("/root/project", "/usr/share"):
        with pytest.raises(SlurmError, match=f"the folder {folder} can't be used") as error:
            _ = Runner(Connection("cluster"), folder).login
        assert not error.value.passing


@pytest.mark.usefixtures("way")
def test_a_full_disk_there(make: Make, far: FarCluster, directory: Path) -> None:
    small = far.server / "small"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs", str(small)], check=True)
    try:
        watch = Watch(make(folder=str(small)))
        (directory / "work").mkdir()
        (directory / "work/large").write_bytes(os.urandom(4 * MIB))
        words = ("sh", "-c", "exit 0", "sh", str(directory / "work/large"))
        watch.engine.submit([Attempt("run/large/1", Invocation(Environment(), words))])
        outcome = only(watch, "run/large/1")
        assert outcome.reason is Reason.SUBMIT_ERROR
        assert "No space left on device" in outcome.message
    finally:
        watch.engine.close()
        subprocess.run(["umount", str(small)], check=True)


def test_a_login_that_talks_and_has_no_rsync(make: Make, far: FarCluster, directory: Path) -> None:
    bin = far.home / "bin"
    bin.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for program in Path(folder).iterdir():
            if program.name != "rsync" and not (bin / program.name).exists():
                (bin / program.name).symlink_to(program)
    profile = far.home / ".bashrc"
    profile.write_text(f"echo 'Welcome to the cluster'; echo 'no noise' >&2; PATH={bin}\n")
    try:
        assert Runner(Connection("cluster"), "project").login.rsync is None
        (directory / "out").mkdir()
        text = "echo made > made; exit 3"
        watch = Watch(make())
        watch.engine.submit([shell("run/unit/1", text, workdir=str(directory / "out"))])
        assert only(watch, "run/unit/1").exit_code == 3
        assert (directory / "out/made").read_text() == "made\n"
    finally:
        profile.unlink()
        shutil.rmtree(bin)


@pytest.mark.usefixtures("way")
def test_inputs_are_sent_once(far: FarCluster, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "deep/it is").write_text("first")
    (data / "empty").mkdir()
    runner = Runner(Connection("cluster"), "project")
    moving = transfer.Transfer(runner.connection, runner.login.rsync)
    places = []
    for text in ("first", "first", "second"):
        (data / "deep/it is").write_text(text)
        os.utime(data / "deep/it is", (1, 1))
        inputs = Inputs(runner)
        there = Path(inputs.there(str(data)))
        inputs.send([str(data)], moving)
        assert (there / "deep/it is").read_text() == text
        assert (there / "empty").is_dir()
        places.append((there, there.stat().st_ino))
    assert places[0] == places[1]
    assert places[2][0] != places[0][0]
    assert len(list((far.folder / "inputs").iterdir())) == 2
    shutil.rmtree(far.folder)


def test_containers_there(
    make: Make, far: FarCluster, directory: Path, busybox: ContainerImage, tmp_path: Path
) -> None:
    if shutil.which("apptainer") is None:
        pytest.skip("no Apptainer (scripts/install-apptainer.sh)")
    data, out = tmp_path / "data", directory / "work/unit/1/outputs"
    data.mkdir()
    (data / "file").write_text("given")
    out.mkdir(parents=True)
    out.chmod(0o777)
    mounts = (Mount(str(data), "/in"), Mount(str(out), "/out", writable=True))
    text = "cat /in/file > /out/copy; touch /in/other || exit 5"
    watch = Watch(make())
    watch.engine.submit([Attempt("run/unit/1", Invocation(busybox, ("sh", "-c", text), mounts=mounts))])
    outcome = only(watch, "run/unit/1")
    assert outcome.exit_code == 5, outcome
    assert (out / "copy").read_text() == "given"
    assert outcome.image_digest is not None
    assert [path.suffix for path in (far.folder / "sif").iterdir()] == [".sif"]


@pytest.mark.usefixtures("way")
class TestFarEngine(EngineTests):
    log_cap = 4 * MIB

    @pytest.fixture
    def tmp_path(self, meeting: Path) -> Path:
        return meeting

    @pytest.fixture(autouse=True)
    def _made(self, make: Make) -> None:
        self._make = make

    def make(self, directory: Path) -> Engine:
        return self._make(directory, log_cap=self.log_cap)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(Environment(), argv, **fields)


def test_what_comes_back_comes_once_whatever_links_and_modes_it_has(far: FarCluster, way: str, tmp_path: Path) -> None:
    there = far.place / "left"
    shutil.rmtree(there, ignore_errors=True)
    (there / "out/locked/deep").mkdir(parents=True)
    (there / "out/locked/deep/é x").write_text("1")
    (there / "out/elsewhere").symlink_to("/etc/passwd")
    for path in (there, *there.rglob("*")):
        if not path.is_symlink():
            shutil.chown(path, far.user)
    for name in ("out/locked/deep", "out/locked"):
        (there / name).chmod(0o500)
    runner = Runner(Connection("cluster"), "project")
    brought = transfer.Transfer(runner.connection, runner.login.rsync)
    for _ in range(2):  # and again, when the first time was not noted any more
        brought.down(str(there), ["out", "out/elsewhere", "out/locked", "gone"], tmp_path)
    assert (tmp_path / "out/locked/deep/é x").read_text() == "1"
    assert str((tmp_path / "out/elsewhere").readlink()) == "/etc/passwd"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(transfer.PLACE)] == []
    (tmp_path / "locked").mkdir()
    runner = Runner(runner.connection, str(there / "out"), tmp_path / "locked")
    assert runner.login.folder == str(there / "out")
    removing.remove(tmp_path / "locked")  # as a run of that name
    assert not (there / "out/locked").exists()


def test_an_archive_that_can_not_be_taken_is_no_lost_connection(
    far: FarCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_PACK", "cat >/dev/null; echo no archive")
    with pytest.raises(SlurmError) as told:
        transfer.Transfer(Connection("cluster"), None).down("/", ["etc"], tmp_path)
    assert not told.value.passing
