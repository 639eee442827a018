"""Attempts as containers, on every runtime that answers."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from trivet.engines import Accepted, Attempt, Ended, EngineError, EngineEvent, Started, Waiting
from trivet.engines.runtimes import connect, open_api
from trivet.engines.runtimes.containers import Containers
from trivet.images.archive import describe
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Resources
from trivet.tasks.work import Invocation, Mount, Outcome
from trivet.testing.archives import busybox_archive, docker_archive, layer

PATIENCE = 60.0


class Bench:
    """A run's directory, what runs containers for it, and what was told."""

    def __init__(self, runtime: str, directory: Path, image: ContainerImage, slots: int = 2) -> None:
        self.runtime, self.directory, self.image, self.slots = runtime, directory, image, slots
        self.told: list[EngineEvent] = []
        self.run = uuid.uuid4().hex[:12]
        self.open()

    def open(self) -> None:
        self.events: SimpleQueue[list[EngineEvent]] = SimpleQueue()
        self.containers: Containers = connect(self.runtime, self.directory, self.events, self.slots)  # type: ignore[arg-type]

    def id(self, unit: str) -> str:
        return f"{self.run}/{unit}/1"

    def name(self, unit: str) -> str:
        """The name of a unit's container."""
        return self.containers._name(self.id(unit))

    def submit(self, **units: Invocation) -> None:
        self.containers.submit([Attempt(self.id(name), invocation) for name, invocation in units.items()])

    def shell(self, script: str, **more: object) -> Invocation:
        return Invocation(self.image, ("sh", "-c", script), **{"network": False, "grace": 5.0, **more})  # type: ignore[arg-type]

    def until(self, wanted: Callable[[list[EngineEvent]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not wanted(self.told):
            try:
                self.told += self.events.get(timeout=max(deadline - time.monotonic(), 0.001))
            except Empty:
                raise AssertionError(f"nothing more was told after {self.told}") from None

    def seen(self, unit: str, kind: type[EngineEvent]) -> None:
        self.until(lambda told: any(isinstance(event, kind) and event.id == self.id(unit) for event in told))

    def outcome(self, unit: str) -> Outcome:
        self.seen(unit, Ended)
        return next(event.outcome for event in self.told if isinstance(event, Ended) and event.id == self.id(unit))

    def run_one(self, invocation: Invocation) -> Outcome:
        self.submit(unit=invocation)
        return self.outcome("unit")

    def log(self, unit: str = "unit") -> bytes:
        return (self.directory / f"logs/{unit}.log").read_bytes()

    def left(self) -> list[str]:
        """The names of the containers that exist for this run, asked of a daemon by a connection of our own."""
        api, _, release = open_api(self.runtime)
        try:
            return [name for one in api.containers(f"trivet.run={self.run}") for name in one["Names"]]
        finally:
            release()

    def close(self) -> None:
        self.containers.close()
        api, _, release = open_api(self.runtime)
        for one in api.containers(f"trivet.run={self.run}"):
            api.remove(one["Id"])
        release()


@pytest.fixture
def bench(runtime: str, busybox: ContainerImage, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(runtime, tmp_path, busybox)
    yield bench
    assert bench.left() == []
    bench.close()
    # os.walk, unlike glob, does not mind the groups of others that go while it looks.
    below = [name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names]
    assert [name for name in below if name.startswith(f"trivet-{bench.run}-")] == []


def test_events_come_in_order_and_everything_is_reported(bench: Bench) -> None:
    before = time.time()
    ended = bench.run_one(bench.shell("echo out; echo err >&2; exit 3"))
    assert [type(event) for event in bench.told if not isinstance(event, Waiting)] == [Accepted, Started, Ended]
    assert (ended.exit_code, ended.signal, ended.reason) == (3, None, None)
    assert sorted(bench.log().splitlines()) == [b"err", b"out"]
    assert ended.log is not None
    assert (ended.log.path, ended.log.offset, ended.log.length) == ("logs/unit.log", 0, 8)
    assert ended.image_digest == describe(str(bench.image.archive)).digest
    assert ended.started is not None
    assert ended.ended is not None
    assert before - 1 <= ended.started <= ended.ended <= time.time() + 1
    assert ended.host


def test_output_of_any_bytes_is_kept_exactly(bench: Bench) -> None:
    script = "head -c 200000 /dev/zero; printf '\\377\\376\\r\\n\\0no newline'"
    assert bench.run_one(bench.shell(script)).exit_code == 0
    assert bench.log() == bytes(200_000) + b"\xff\xfe\r\n\0no newline"


def test_silence_leaves_no_log(bench: Bench) -> None:
    assert bench.run_one(bench.shell("true")).log is None
    assert not (bench.directory / "logs").exists()


def test_the_log_goes_where_it_is_wanted(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("logs") / "deep/x.txt"
    ended = bench.run_one(bench.shell("echo hello", log=str(elsewhere)))
    assert elsewhere.read_bytes() == b"hello\n"
    assert ended.log is not None
    assert ended.log.path == str(elsewhere)


def test_command_and_arguments_replace_what_the_image_starts(bench: Bench, tmp_path: Path) -> None:
    path = busybox_archive(tmp_path / "own.tar", Entrypoint=["echo", "own"], Cmd=["words"])
    image = ContainerImage("", archive=str(path))
    bench.submit(
        none=Invocation(image, None),
        args=Invocation(image, None, ("more",)),
        both=Invocation(image, ("echo",), ("all",)),
        alone=Invocation(image, ("id",), user="1234"),
    )
    for unit, said in {"none": b"own words", "args": b"own more", "both": b"all", "alone": b"uid=1234(worker)"}.items():
        assert bench.outcome(unit).exit_code == 0
        assert bench.log(unit).startswith(said)
    _forget(bench.runtime, path)


def test_environment_and_working_directory(bench: Bench) -> None:
    bench.run_one(bench.shell('echo "$A|$B"; cd . && pwd', environment={"A": "ä = $HOME\n", "B": ""}, workdir="/tmp"))
    assert bench.log().decode() == "ä = $HOME\n|\n/tmp\n"


def test_inputs_are_read_only_and_one_directory_may_be_both(bench: Bench, tmp_path: Path) -> None:
    data = tmp_path / "data with space, comma"
    data.mkdir()
    (data / "in").write_text("content")
    mounts = (Mount(str(data), "/in"), Mount(str(data), "/out", writable=True))
    ended = bench.run_one(bench.shell("cat /in/in > /out/out; touch /in/new", mounts=mounts))
    assert ended.exit_code == 1
    assert b"Read-only" in bench.log()
    assert (data / "out").read_text() == "content"
    assert not (data / "new").exists()


def test_a_missing_input_is_named_and_not_made(bench: Bench, tmp_path: Path) -> None:
    ended = bench.run_one(bench.shell("true", mounts=(Mount(str(tmp_path / "nothing"), "/in"),)))
    assert (ended.exit_code, ended.reason) == (None, Reason.SUBMIT_ERROR)
    assert str(tmp_path / "nothing") in ended.message
    assert not (tmp_path / "nothing").exists()


def test_an_image_with_its_own_user_can_write_outputs(bench: Bench, tmp_path: Path) -> None:
    path = busybox_archive(tmp_path / "own.tar", User="worker")
    (tmp_path / "out").mkdir(mode=0o755)
    (tmp_path / "out").chmod(0o755)
    image = ContainerImage("", archive=str(path))
    mounts = (Mount(str(tmp_path / "out"), "/out", writable=True),)
    ended = bench.run_one(Invocation(image, ("sh", "-c", "id -u > /out/id"), mounts=mounts))
    assert ended.exit_code == 0, bench.log()
    assert (tmp_path / "out/id").read_text() == "1234\n"
    _forget(bench.runtime, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's directory")
def test_root_in_the_image_can_write_into_another_users_directory(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o700)
    os.chown(tmp_path / "out", 4321, 4321)
    mounts = (Mount(str(tmp_path / "out"), "/out", writable=True),)
    ended = bench.run_one(bench.shell("echo x > /out/x && chown 4321 /out/x", mounts=mounts))
    assert ended.exit_code == 0
    assert (tmp_path / "out/x").stat().st_uid == 4321
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_containers_have_few_rights(bench: Bench) -> None:
    bench.run_one(bench.shell("cat /proc/self/status; ls /sys/class/net"))
    status = dict(line.split(":\t") for line in bench.log().decode().splitlines() if ":\t" in line)
    kept = {0, 1, 3, 5, 6, 7}  # CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID (linux/capability.h)
    assert int(status["CapBnd"], 16) == sum(1 << number for number in kept)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert bench.log().splitlines()[-1] == b"lo"


def test_a_missing_program_is_told_by_name(bench: Bench) -> None:
    ended = bench.run_one(Invocation(bench.image, ("no-such-program",)))
    assert (ended.exit_code, ended.reason) == (None, Reason.SUBMIT_ERROR)
    assert "no-such-program" in ended.message


@pytest.mark.parametrize("registry", ["registry.invalid", "registry.invalid:5000"])
def test_a_missing_image_has_the_daemons_words(bench: Bench, registry: str) -> None:
    ended = bench.run_one(Invocation(ContainerImage(f"{registry}/lab/none:1"), None))
    assert (ended.exit_code, ended.reason) == (None, Reason.IMAGE_PULL)
    assert "registry.invalid" in ended.message
    assert any(isinstance(event, Waiting) and "pulling" in event.message for event in bench.told)


def test_preparing_what_can_not_be_had_is_an_error(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"nothing\.tar: does not exist"):
        bench.containers.prepare([ContainerImage("", archive=str(tmp_path / "nothing.tar"))])


def test_too_much_memory(bench: Bench) -> None:
    script = "x=xxxxxxxx; while true; do x=$x$x; done"
    ended = bench.run_one(bench.shell(script, resources=Resources(memory=32 * 2**20)))
    assert (ended.exit_code, ended.signal, ended.reason) == (137, 9, Reason.OOM)
    assert "32.0 MiB" in ended.message


def test_peak_memory_and_how_it_was_measured(bench: Bench) -> None:
    """dd holds its block of 100 MiB in memory; a mount of tmpfs would count too."""
    ended = bench.run_one(bench.shell("dd if=/dev/zero of=/dev/null bs=100M count=10"))
    assert ended.measured_by
    if "sampled" not in ended.measured_by:
        assert ended.peak_memory is not None
        assert 100 * 2**20 < ended.peak_memory < 160 * 2**20
        assert ended.cpu is not None
        assert ended.cpu > 0


def test_the_time_limit_ends_what_listens_by_term(bench: Bench) -> None:
    ended = bench.run_one(bench.shell("trap 'echo bye; exit 5' TERM; while true; do sleep 0.05; done", time_limit=1.0))
    assert (ended.exit_code, ended.reason) == (5, Reason.TIMEOUT)
    assert bench.log() == b"bye\n"


def test_what_does_not_listen_is_not_given_grace(bench: Bench) -> None:
    """The first process of a container that handles no TERM never gets one: waiting would be for nothing."""
    before = time.monotonic()
    ended = bench.run_one(bench.shell("exec sleep 100", time_limit=0.5, grace=50.0))
    assert (ended.signal, ended.reason) == (9, Reason.TIMEOUT)
    assert time.monotonic() - before < 40


def test_grace_ends_in_a_kill(bench: Bench) -> None:
    ended = bench.run_one(bench.shell("trap '' TERM; trap 'x' USR1; sleep 100", time_limit=0.5, grace=0.5))
    assert (ended.exit_code, ended.signal, ended.reason) == (137, 9, Reason.TIMEOUT)


def test_cancelled_while_queued_and_while_running(bench: Bench) -> None:
    bench.submit(**{name: bench.shell("echo run; exec sleep 100") for name in "abcd"})
    bench.seen("a", Started)
    bench.seen("b", Started)
    bench.containers.cancel([bench.id(name) for name in "dcba"], grace=5.0)
    for name in "abcd":
        ended = bench.outcome(name)
        assert ended.reason is Reason.CANCELLED
        assert (ended.exit_code is None) == (name in "cd")
    assert not any(isinstance(event, Started) for event in bench.told if event.id in (bench.id("c"), bench.id("d")))
    assert not (bench.directory / "logs/c.log").exists()


def test_cancelled_at_any_moment_while_it_starts(bench: Bench) -> None:
    for number in range(6):
        unit = f"u{number}"
        bench.submit(**{unit: bench.shell("exec sleep 100")})
        bench.seen(unit, Accepted)
        time.sleep(number * 0.03)
        bench.containers.cancel([bench.id(unit)], grace=0.0)
        assert bench.outcome(unit).reason is Reason.CANCELLED
        assert sum(isinstance(event, Ended) and event.id == bench.id(unit) for event in bench.told) == 1


def test_an_attempt_submitted_twice_runs_once(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    invocation = bench.shell("echo x >> /out/x", mounts=(Mount(str(tmp_path / "out"), "/out", writable=True),))
    attempt = Attempt(bench.id("unit"), invocation)
    bench.containers.submit([attempt, attempt])
    bench.containers.submit([attempt])
    assert bench.outcome("unit").exit_code == 0
    bench.containers.close()
    bench.open()
    bench.told.clear()
    bench.containers.submit([attempt])
    assert bench.outcome("unit").exit_code == 0
    assert (tmp_path / "out/x").read_text() == "x\n"


DRIVER = """
import sys
from pathlib import Path
from queue import SimpleQueue
from trivet.engines import Attempt, Started
from trivet.engines.runtimes import connect
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Invocation, Mount
runtime, directory, archive, run = sys.argv[1:]
events = SimpleQueue()
containers = connect(runtime, Path(directory), events, 3)
image = ContainerImage("", archive=archive)
def shell(script, **more):
    return Invocation(image, ("sh", "-c", script), network=False, grace=1.0, **more)
containers.submit([
    Attempt(f"{run}/long/1", shell(
        "echo first; while [ ! -e /go/go ]; do sleep 0.05; done; echo last; exit 4", mounts=(Mount(directory, "/go"),)
    )),
    Attempt(f"{run}/short/1", shell("echo soon; sleep 1; exit 5")),
    Attempt(f"{run}/limited/1", shell("sleep 100", time_limit=3.0)),
])
started = 0
while started < 3:
    started += sum(isinstance(event, Started) for event in events.get())
print("started", flush=True)
events.get(block=True)
events.get(block=True)
"""


def test_a_driver_that_is_killed_is_followed_by_another(bench: Bench) -> None:
    """One goes on running, one ends while no driver lives, one has a time limit, one was never started."""
    arguments = [bench.runtime, str(bench.directory), str(bench.image.archive), bench.run]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *arguments], stdout=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"started\n"
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    api, _, release = open_api(bench.runtime)
    api.wait(bench.name("short"))
    release()
    names = {unit: bench.name(unit) for unit in ("long", "short", "limited", "never")}
    bench.containers.adopt({bench.id(unit): name if unit != "long" else None for unit, name in names.items()})
    assert bench.outcome("short").exit_code == 5
    assert bench.log("short") == b"soon\n"
    assert bench.outcome("never").reason is Reason.LOST
    limited = bench.outcome("limited")
    assert (limited.reason, limited.signal) == (Reason.TIMEOUT, 9)
    assert limited.started is not None
    assert limited.ended is not None
    assert 2.9 <= limited.ended - limited.started < 30
    bench.seen("long", Started)
    (bench.directory / "go").touch()
    ended = bench.outcome("long")
    assert (ended.exit_code, ended.reason) == (4, None)
    assert bench.log("long") == b"first\nlast\n"


def test_a_container_that_was_created_but_not_started_is_started_once(bench: Bench) -> None:
    bench.submit(first=bench.shell("true"))
    bench.outcome("first")
    driver = bench.containers
    attempt = bench.shell("echo here")
    bench.containers.close()
    bench.open()
    driver = bench.containers
    started, driver.api.start = driver.api.start, lambda name: driver.close()  # type: ignore[method-assign]
    bench.submit(unit=attempt)
    while not bench.left():
        time.sleep(0.05)
    for thread in driver._threads:
        thread.join(10)
    assert started
    bench.open()
    bench.containers.adopt({bench.id("unit"): None})
    assert bench.outcome("unit").exit_code == 0
    assert bench.log() == b"here\n"


def test_a_result_that_was_not_told_before_the_driver_died_is_told_by_the_next(bench: Bench) -> None:
    bench.run_one(bench.shell("echo x; exit 6"))
    bench.containers.close()
    bench.open()
    bench.told.clear()
    bench.containers.adopt({bench.id("unit"): None})
    assert bench.outcome("unit").exit_code == 6
    assert [type(event) for event in bench.told] == [Accepted, Started, Ended]


def test_a_container_of_the_same_name_that_is_not_ours_is_left_alone(bench: Bench) -> None:
    name = bench.name("unit")
    bench.containers.prepare([bench.image])
    digest = describe(str(bench.image.archive)).digest
    bench.containers.api.create(name, {"Image": digest, "Cmd": ["true"]})
    try:
        ended = bench.run_one(bench.shell("true"))
        assert ended.reason is Reason.LOST
        assert bench.containers.api.inspect(name) is not None
    finally:
        bench.containers.api.remove(name)


def test_closing_lets_go(bench: Bench) -> None:
    bench.submit(**{name: bench.shell("sleep 2; exit 7") for name in "abc"})
    bench.seen("a", Started)
    bench.seen("b", Started)
    before = time.monotonic()
    bench.containers.close()
    assert time.monotonic() - before < 2
    assert len(bench.left()) == 2
    bench.open()
    bench.told.clear()
    bench.containers.adopt(dict.fromkeys(map(bench.id, "abc")))
    assert [bench.outcome(name).exit_code for name in "abc"] == [7, 7, None]
    assert bench.outcome("c").reason is Reason.LOST


def test_what_can_not_be_tidied_up_costs_neither_the_outcome_nor_the_slot(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr("trivet.engines.runtimes.daemon.usage.remove_parent", fail)
        bench.submit(**{f"u{number}": bench.shell("exit 3") for number in range(4)})
        assert [bench.outcome(f"u{number}").exit_code for number in range(4)] == [3] * 4


def test_many_at_once(bench: Bench) -> None:
    bench.submit(**{f"u{number}": bench.shell(f"exit {number}") for number in range(12)})
    assert [bench.outcome(f"u{number}").exit_code for number in range(12)] == list(range(12))


def test_an_image_from_a_bundle_keeps_its_names_to_itself(bench: Bench, tmp_path: Path) -> None:
    """An archive that calls itself by the name of another image must not take its place."""
    busybox = busybox_archive(tmp_path / "image.tar", Cmd=["echo", "from the bundle"])
    evil = docker_archive(tmp_path / "evil.tar", [layer({"x": b"x"})], tags=["lab/precious:1"])
    bundle = tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(busybox, "lab.seg-1.tar")
        file.write(evil, "evil.tar")
    bench.submit(
        good=Invocation(ContainerImage("lab/seg:1", archive=f"{bundle}!lab.seg-1.tar"), None),
        evil=Invocation(ContainerImage("lab/precious:1", archive=str(bundle), member="evil.tar"), ("x",)),
    )
    assert bench.outcome("good").exit_code == 0
    assert bench.log("good") == b"from the bundle\n"
    assert bench.outcome("evil").reason is Reason.SUBMIT_ERROR
    assert bench.containers.api.image("lab/precious:1") is None
    assert bench.containers.api.image("localhost/lab/precious:1") is None
    for path in (busybox, evil):
        _forget(bench.runtime, path)


def test_files_of_an_image_are_read_without_running_it(bench: Bench, tmp_path: Path) -> None:
    bench.containers.prepare([bench.image])
    digest = describe(str(bench.image.archive)).digest
    api = bench.containers.api
    assert (api.read_file(digest, "/etc/passwd") or b"").startswith(b"root:")
    assert api.read_file(digest, "/bin/sh") == api.read_file(digest, "/bin/busybox")
    assert api.read_file(digest, "/nothing") is None
    assert api.read_file(digest, "/etc") is None
    assert api.containers("trivet.reader") == []


def _forget(runtime: str, path: Path) -> None:
    """Remove an image a test made."""
    api, _, release = open_api(runtime)
    digest = describe(str(path)).digest
    if api.image(digest) is not None:
        api.call("DELETE", f"/images/{digest.removeprefix('sha256:')}", {"force": 1})
    release()
