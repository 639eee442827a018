"""Apptainer keeps what every engine promises."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Accepted, Attempt, Ended, Engine, Started, Waiting
from trivet.engines.local import LocalEngine
from trivet.images.archive import describe
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Invocation, Mount, Outcome
from trivet.testing import EngineTests
from trivet.testing.archives import busybox_archive
from trivet.testing.watching import Watch

pytestmark = pytest.mark.apptainer


class TestApptainer(EngineTests):
    many = 20
    log_cap = 4 * 2**20

    @pytest.fixture(autouse=True)
    def _image(self, apptainer: str, busybox: ContainerImage, sifs: Path) -> None:
        self.runtime, self.image, self.sifs = apptainer, busybox, sifs

    def make(self, directory: Path) -> Engine:
        return LocalEngine(directory, slots=2, runtime=self.runtime, log_cap=self.log_cap, sifs=self.sifs)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(self.image, argv, **{"network": False, **fields})

    def leftovers(self, directory: Path) -> list[str]:
        """Processes whose command or environment names the directory, and its scratch directories."""
        found = [str(path) for path in directory.glob("scratch/*")]
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                except OSError:
                    continue
                if os.fsencode(directory) in said:
                    found.append(process.name)
        return found


class Bench:
    """An engine, and one unit after the other."""

    def __init__(self, directory: Path, sifs: Path, image: ContainerImage) -> None:
        self.directory, self.image = directory, image
        self.engine = LocalEngine(directory, slots=2, runtime="apptainer", sifs=sifs)
        self.watch = Watch(self.engine)

    def run(self, invocation: Invocation) -> Outcome:
        id = f"run/unit-{len(self.watch.seen)}/1"
        self.engine.submit([Attempt(id, invocation)])
        return self.watch.ended(id)[0]

    def shell(self, script: str, **more: Any) -> tuple[Outcome, str]:
        """How a script ended, and what it wrote."""
        outcome = self.run(Invocation(self.image, ("sh", "-c", script), **{"network": False, **more}))
        return outcome, EngineTests.log(self.directory, outcome).decode()


@pytest.fixture
def bench(apptainer: str, busybox: ContainerImage, sifs: Path, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "engine", sifs, busybox)
    yield bench
    bench.engine.close()
    assert not (bench.directory / "scratch").exists()


def test_the_image_that_ran_is_told(bench: Bench) -> None:
    outcome, _ = bench.shell("exit 0")
    assert outcome.image_digest == describe(str(bench.image.archive)).digest


def test_containers_have_few_rights(bench: Bench) -> None:
    _, said = bench.shell(
        "cat /proc/self/status; cat /proc/net/dev; for x in /proc/sys/kernel/domainname; do : >> $x; done"
    )
    status = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    kept = {0, 1, 3, 5, 6, 7} if os.geteuid() == 0 else set()  # as in Docker (linux/capability.h)
    assert int(status["CapBnd"], 16) == sum(1 << number for number in kept)
    assert int(status["CapEff"], 16) == sum(1 << number for number in kept)
    assert status["NoNewPrivs"] == "1"
    assert [line.split(":")[0].strip() for line in said.splitlines() if line.strip().startswith(("lo:", "eth"))] == [
        "lo"
    ]
    assert "Read-only file system" in said or "Permission denied" in said


def test_nothing_of_this_machine_is_seen_and_everything_can_be_written(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    script = f"test ! -e {tmp_path}/mine && echo x > /new && echo x > /tmp/new && echo x > /dev/shm/new && ls /tmp"
    outcome, said = bench.shell(script)
    assert (outcome.exit_code, said) == (0, "new\n")
    assert bench.shell("ls /tmp")[1] == ""


def test_environment_and_working_directory(bench: Bench) -> None:
    environment = {"A": "ä = $HOME\n`id`'\"\\", "B": "", "HOME": "/somewhere"}
    _, said = bench.shell('echo "$A|$B|$HOME"; pwd', environment=environment, workdir="/bin")
    assert said == "ä = $HOME\n`id`'\"\\||/somewhere\n/bin\n"


def test_inputs_are_read_only_and_one_directory_may_be_both(bench: Bench, tmp_path: Path) -> None:
    data = tmp_path / "data with space, comma: colon"
    data.mkdir()
    (data / "in").write_text("content")
    mounts = (Mount(str(data), "/in"), Mount(str(data), "/out", writable=True))
    outcome, said = bench.shell("cat /in/in > /out/out; touch /in/new", mounts=mounts)
    assert outcome.exit_code == 1
    assert "Read-only" in said
    assert (data / "out").read_text() == "content"
    assert not (data / "new").exists()


def test_another_user_is_refused(bench: Bench) -> None:
    outcome, _ = bench.shell("exit 0", user="12345")
    assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
    assert "and not as 12345" in outcome.message


def test_a_missing_image_is_told(bench: Bench, tmp_path: Path) -> None:
    outcome = bench.run(Invocation(ContainerImage("", archive=str(tmp_path / "none.tar")), ("x",)))
    assert (outcome.reason, outcome.exit_code) == (Reason.IMAGE_PULL, None)
    assert "none.tar: does not exist" in outcome.message


def test_a_missing_working_directory_is_told(bench: Bench) -> None:
    outcome, _ = bench.shell("exit 0", workdir="/no/such")
    assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
    assert "/no/such" in outcome.message


def test_a_sif_is_waited_for_and_cancelled_meanwhile(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A false apptainer builds until it is told to go on."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    tools = tmp_path / "tools"
    tools.mkdir()
    real = shutil.which("apptainer")
    wait = f'case "$*" in *build*) read x < {fifo};; esac'
    (tools / "apptainer").write_text(f'#!/bin/sh\n{wait}\nexec {real} "$@"\n')
    (tools / "apptainer").chmod(0o755)
    image = ContainerImage("", archive=str(busybox_archive(tmp_path / "own.tar", Cmd=["echo", "own"])))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tools), prepend=os.pathsep)
        bench.engine.submit([Attempt(f"run/{name}/1", Invocation(image, None)) for name in ("a", "b")])
        bench.watch.until(lambda: any(isinstance(one, Waiting) for one in bench.watch.seen.get("run/a/1", ())))
        bench.engine.cancel(["run/b/1"], 1.0)
        assert bench.watch.ended("run/b/1")[0].reason is Reason.CANCELLED
        fifo.write_text("go\n")
        (outcome,) = bench.watch.ended("run/a/1")
    assert outcome.exit_code == 0
    assert EngineTests.log(bench.directory, outcome) == b"own\n"
    assert [type(event) for event in bench.watch.seen["run/a/1"]] == [Accepted, Waiting, Started, Ended]
