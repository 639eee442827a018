"""The parts of running containers that need no container engine."""

from __future__ import annotations

import base64
import json
import re
import socket
import stat
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.engines import EngineError
from trivet.engines.confinement import CAPABILITIES
from trivet.engines.runtimes import choose, connect, probe
from trivet.engines.runtimes.api import Api, UnreachableError, split_reference
from trivet.engines.runtimes.credentials import registry_auth
from trivet.engines.runtimes.ledger import Ledger
from trivet.engines.runtimes.logs import LogFile, frames
from trivet.engines.runtimes.outcomes import ended_outcome, instant
from trivet.engines.runtimes.request import Terms, container_name, creation, faults, log_name
from trivet.engines.runtimes.usage import Usage
from trivet.tasks.states import Reason
from trivet.tasks.task import UNLIMITED, ContainerImage, Environment, Resources
from trivet.tasks.work import Invocation, LogPart, Mount, Outcome

TERMS = Terms("run-1/unit/1", "/runs/1", "logs/unit.log", 0, 60.0, 5.0)
IMAGE = ContainerImage("lab/seg:1")
UNKNOWN = Usage()


# Names


@given(st.text(min_size=1, max_size=200))
def test_container_names_are_valid_host_names(attempt: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])", container_name(attempt, "owner"))


def test_container_names_are_the_same_every_time_and_never_shared() -> None:
    attempts = [
        "r/u/1",
        "r/u/2",
        "r/U/1",
        "r-u-1",
        "r/ü/1",
        "r/" + "x" * 300 + "/1",
        "r/" + "x" * 300 + "/2",
        "/",
        "//",
    ]
    assert len({container_name(attempt, "owner") for attempt in attempts}) == len(attempts)
    assert container_name("r/u/1", "owner").startswith("trivet-r-u-1-")
    assert container_name("r/u/1", "owner") == container_name("r/u/1", "owner") != container_name("r/u/1", "other")


def test_log_names() -> None:
    assert [log_name(attempt) for attempt in ("r/u/1", "r/u/2", "a/b/u/1")] == [
        "logs/u.log",
        "logs/u.2.log",
        "logs/u.log",
    ]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("python", ("python", "latest")),
        ("python:3.12", ("python", "3.12")),
        ("localhost:5000/lab/seg", ("localhost:5000/lab/seg", "latest")),
        ("localhost:5000/lab/seg:1", ("localhost:5000/lab/seg", "1")),
        ("lab/seg:1@sha256:ab", ("lab/seg", "sha256:ab")),
    ],
)
def test_references(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


def test_terms_survive_in_labels() -> None:
    assert Terms.read(TERMS.labels()) == TERMS
    unlimited = Terms("run-1/unit/1", "/runs/1", "/elsewhere/x.log", 12, None, 0.5)
    assert Terms.read(unlimited.labels()) == unlimited
    assert TERMS.labels()["trivet.run"] == "run-1"


# What is asked of the daemon


def body(invocation: Invocation, cpus: int = 8, podman: bool = False) -> dict[str, object]:
    return creation(invocation, "sha256:1", TERMS, parent=None, cpus=cpus, podman=podman)


def test_a_command_replaces_the_entrypoint_and_none_keeps_it() -> None:
    assert body(Invocation(IMAGE, ("seg", "-v"), ("a",)))["Entrypoint"] == ["seg", "-v"]
    assert body(Invocation(IMAGE, ("seg", "-v"), ("a",)))["Cmd"] == ["a"]
    assert body(Invocation(IMAGE, ("seg",)))["Cmd"] == []
    kept = body(Invocation(IMAGE, None, ("a",)))
    assert "Entrypoint" not in kept
    assert kept["Cmd"] == ["a"]
    assert not {"Entrypoint", "Cmd"} & body(Invocation(IMAGE, None)).keys()


def test_limits_and_safety() -> None:
    needs = Resources(cpus=1.5, memory=2**30, gpus=2)
    mounts = (Mount("/data", "/in"), Mount("/data", "/out", writable=True))
    host = body(Invocation(IMAGE, None, resources=needs, mounts=mounts, network=False))["HostConfig"]
    assert isinstance(host, dict)
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (2**30, 2**30, 1_500_000_000)
    assert host["DeviceRequests"] == [{"Count": 2, "Capabilities": [["gpu"]]}]
    assert host["Mounts"] == [
        {"Type": "bind", "Source": "/data", "Target": "/in", "ReadOnly": True},
        {"Type": "bind", "Source": "/data", "Target": "/out", "ReadOnly": False},
    ]
    assert (host["NetworkMode"], host["CapDrop"], host["SecurityOpt"]) == ("none", ["ALL"], ["no-new-privileges"])
    assert host["CapAdd"] == list(CAPABILITIES)
    assert not {"NET_RAW", "SYS_ADMIN", "MKNOD", "SYS_PTRACE"} & set(CAPABILITIES)
    assert host["PidsLimit"] > 0
    assert "Privileged" not in host


def test_podman_gets_mounts_it_can_read() -> None:
    mounts = (Mount("/a,b", "/in"), Mount("/a:b", "/out", writable=True))
    host = body(Invocation(IMAGE, None, mounts=mounts), podman=True)["HostConfig"]
    assert isinstance(host, dict)
    assert host["Binds"] == ["/a,b:/in:ro"]
    assert host["Mounts"] == [{"Type": "bind", "Source": "/a:b", "Target": "/out", "ReadOnly": False}]
    assert host["LogConfig"]["Type"] == "k8s-file"


def test_what_is_not_limited_is_not_mentioned() -> None:
    host = body(Invocation(IMAGE, None, resources=UNLIMITED, network=True))["HostConfig"]
    assert isinstance(host, dict)
    assert not {"Memory", "MemorySwap", "NanoCpus", "DeviceRequests", "CgroupParent"} & host.keys()
    assert host["NetworkMode"] == "default"


def test_more_cpus_than_the_machine_has_are_no_limit() -> None:
    host = body(Invocation(IMAGE, None, resources=Resources(cpus=16.0)), cpus=8)["HostConfig"]
    assert isinstance(host, dict)
    assert "NanoCpus" not in host


@pytest.mark.parametrize(
    ("invocation", "sentence"),
    [
        (Invocation(Environment(), ("true",)), "not a container image"),
        (Invocation(ContainerImage(""), None), "names no image"),
        (Invocation(IMAGE, None, mounts=(Mount("data", "/in"),)), "'data' is not absolute"),
        (Invocation(IMAGE, None, mounts=(Mount("/data", "in"),)), "'in' is not an absolute path"),
        (Invocation(IMAGE, None, mounts=(Mount("/data", "/in/../etc"),)), "not an absolute path"),
        (Invocation(IMAGE, None, mounts=(Mount("/a", "/in"), Mount("/b", "/in/"))), "/b and /a are both mounted"),
        (Invocation(IMAGE, None, environment={"A=B": "c"}), "'A=B'"),
        (Invocation(IMAGE, None, environment={"A": "\0"}), "'A'"),
    ],
)
def test_faults_are_told_before_anything_is_created(invocation: Invocation, sentence: str) -> None:
    assert any(sentence in fault for fault in faults(invocation))


def test_a_sound_invocation_has_no_faults() -> None:
    mounts = (Mount("/data", "/in"), Mount("/data", "/out", writable=True))
    assert list(faults(Invocation(IMAGE, None, mounts=mounts, environment={"A": "b=c"}))) == []


# What the daemon tells


def details(code: int, oom: bool = False, memory: int = 0, error: str = "") -> dict[str, object]:
    state = {
        "ExitCode": code, "OOMKilled": oom, "Error": error,
        "StartedAt": "2024-02-23T18:00:00.123456789Z", "FinishedAt": "2024-02-23T18:00:01.5Z",
    }  # fmt: skip
    return {"State": state, "HostConfig": {"Memory": memory}, "Image": "abc"}


def outcome(
    found: dict[str, object], reason: Reason | None = None, used: Usage = UNKNOWN, log: LogPart | None = None
) -> Outcome:
    return ended_outcome(found, TERMS, reason=reason, used=used, log=log, notes=["a note"])


def test_an_end_with_an_exit_code() -> None:
    ended = outcome(details(3), used=Usage(5, 1.5, "somehow"), log=LogPart("logs/unit.log", 0, 7))
    assert (ended.exit_code, ended.signal, ended.reason, ended.message) == (3, None, None, "a note")
    assert (ended.peak_memory, ended.cpu, ended.measured_by) == (5, 1.5, "somehow")
    assert ended.log == LogPart("logs/unit.log", 0, 7)
    assert ended.image_digest == "sha256:abc"
    assert ended.started == pytest.approx(1708711200.123456, abs=1e-6)
    assert ended.ended == 1708711201.5


@pytest.mark.parametrize(
    ("found", "peak", "reason"),
    [
        (details(137, oom=True, memory=64), None, Reason.OOM),
        (details(3, oom=True, memory=64), None, Reason.OOM),
        (details(0, oom=True, memory=64), None, None),
        (details(137, memory=64), 64, Reason.OOM),
        (details(137, memory=64), 63, None),
        (details(137), 64, None),
        (details(1, memory=64), 64, None),
    ],
)
def test_the_end_for_want_of_memory(found: dict[str, object], peak: int | None, reason: Reason | None) -> None:
    assert outcome(found, used=Usage(peak)).reason is reason


def test_our_own_reason_counts_more() -> None:
    ended = outcome(details(137, oom=True, memory=64), Reason.TIMEOUT)
    assert (ended.reason, ended.signal, ended.exit_code) == (Reason.TIMEOUT, 9, 137)
    assert "time limit of 1 min 00 s" in ended.message


def test_never_is_no_time() -> None:
    assert instant("0001-01-01T00:00:00Z") is None
    assert instant(None) is None


# Logs


def framed(*pieces: bytes) -> bytes:
    return b"".join(
        bytes([1 + number % 2, 0, 0, 0]) + len(piece).to_bytes(4, "big") + piece for number, piece in enumerate(pieces)
    )


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 40))
def test_frames_are_taken_apart_wherever_the_stream_is_cut(pieces: list[bytes], step: int) -> None:
    data = framed(*pieces)
    chunks = iter([data[at : at + step] for at in range(0, len(data), step)])
    assert b"".join(frames(lambda _: next(chunks, b""))) == b"".join(pieces)


def test_a_log_that_nobody_writes_does_not_exist(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs/x.log")
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_log_keeps_head_and_tail_and_says_what_was_cut(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", cap=2**20 + 1000)
    lines = [b"%09d\n" % number for number in range(300_000)]
    for line in lines:
        log.write(line)
    log.close()
    written = (tmp_path / "x.log").read_bytes()
    whole = b"".join(lines)
    head, said, tail = written[:1000], written[1000 : -(2**20)].decode(), written[-(2**20) :]
    assert head == whole[:1000]
    assert tail == whole[-(2**20) :]
    assert f"… {len(whole) - 1000 - 2**20} bytes cut" in said
    assert log.length == len(written)


def test_a_log_goes_on_where_another_attempt_ended(tmp_path: Path) -> None:
    """What an earlier try of the same attempt wrote comes again, and is not kept twice."""
    path = tmp_path / "x.log"
    path.write_bytes(b"first attempt\nsecond, torn by a crash")
    log = LogFile(path, offset=14)
    log.write(b"second\n")
    log.close()
    assert path.read_bytes() == b"first attempt\nsecond\n"
    assert log.length == 7


def test_a_log_on_a_full_disk_says_so_and_goes_on(small_disk: Path) -> None:
    log = LogFile(small_disk / "x.log")
    for _ in range(40):
        log.write(bytes(100_000))
    log.close()
    assert "No space left" in log.fault
    assert log.length == (small_disk / "x.log").stat().st_size > 0


# The ledger


def test_outcomes_are_found_by_the_next_driver(tmp_path: Path) -> None:
    ended = Outcome(
        137, 9, Reason.OOM, "müde", 1.5, 2.5, 0.25, 10, "somehow", LogPart("logs/u.log", 0, 3), "sha256:a", "host"
    )
    Ledger(tmp_path / "l.jsonl").record("r/u/1", ended)
    Ledger(tmp_path / "l.jsonl").record("r/u/2", Outcome(0))
    ledger = Ledger(tmp_path / "l.jsonl")
    assert ledger.find("r/u/1") == ended
    assert ledger.find("r/u/2") == Outcome(0)
    assert ledger.find("r/u/3") is None


def test_each_directory_has_an_owner_that_stays(tmp_path: Path) -> None:
    one, two = Ledger(tmp_path / "1/l.jsonl").owner, Ledger(tmp_path / "2/l.jsonl").owner
    assert one != two
    Ledger(tmp_path / "1/l.jsonl").record("r/u/1", Outcome(0))
    assert Ledger(tmp_path / "1/l.jsonl").owner == one


@given(st.integers(0, 400))
def test_a_torn_line_costs_only_itself(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("ledger") / "l.jsonl"
    Ledger(path).record("r/u/1", Outcome(1))
    first = path.stat().st_size
    Ledger(path).record("r/u/2", Outcome(2))
    whole = path.read_bytes()
    path.write_bytes(whole[: first + min(cut, len(whole) - first)])
    Ledger(path).record("r/u/3", Outcome(3))
    ledger = Ledger(path)
    assert ledger.find("r/u/1") == Outcome(1)
    assert ledger.find("r/u/3") == Outcome(3)


# Finding a daemon


def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/podman.sock")
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        (None, ["install docker.io or podman", "docker.sock: [Errno 2]", "podman.sock: [Errno 2]"]),
        ("docker", ["install docker.io", "docker.sock: [Errno 2]"]),
        ("podman", ["install podman", "podman.sock: [Errno 2]"]),
        ("rkt", ["no runtime 'rkt'", "docker, podman"]),
    ],
)
def test_without_an_engine_it_is_said_what_was_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: str | None, words: list[str]
) -> None:
    no_engine(monkeypatch, tmp_path)
    with pytest.raises(EngineError) as caught:
        connect(runtime, tmp_path, SimpleQueue(), 1)
    assert all(word in str(caught.value) for word in words)


def test_hosts_that_are_no_sockets_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(EngineError, match="only unix:// sockets"):
        connect("docker", tmp_path, SimpleQueue(), 1)


def test_probing_never_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_engine(monkeypatch, tmp_path)
    found = probe()
    assert [(one.name, one.available) for one in found] == [("docker", False), ("podman", False), ("apptainer", False)]
    assert ["[Errno 2]" in one.reason for one in found] == [True, True, False]
    assert "no apptainer command" in found[2].reason


def false_apptainer(directory: Path, script: str) -> None:
    (directory / "apptainer").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "apptainer").chmod(0o755)


def test_apptainer_is_taken_where_no_daemon_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_engine(monkeypatch, tmp_path)
    with pytest.raises(EngineError, match=r"docker\.sock.*podman\.sock.*no apptainer command"):
        choose()
    with pytest.raises(EngineError, match="no apptainer command"):
        choose("apptainer")
    false_apptainer(tmp_path, "echo apptainer version 9.9")
    assert choose() == "apptainer"
    assert choose("apptainer") == "apptainer"
    assert probe()[2].version == "apptainer version 9.9"
    with pytest.raises(EngineError, match=r"docker\.sock"):
        choose("docker")
    with pytest.raises(EngineError, match="known: docker, podman, apptainer"):
        choose("rkt")


def test_an_apptainer_that_does_not_run_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_engine(monkeypatch, tmp_path)
    false_apptainer(tmp_path, "exit 3")
    assert not probe()[2].available
    with pytest.raises(EngineError, match="apptainer does not run"):
        choose()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nServer: nginx/1.2\r\nContent-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_something_else_on_the_socket_is_an_unreachable_daemon(tmp_path: Path, answer: bytes) -> None:
    path = str(tmp_path / "x.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(UnreachableError, match=re.escape(path)):
            Api(path).version()
        thread.join()


def test_closing_breaks_what_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "x.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        api, broken = Api(path), threading.Event()

        def wait() -> None:
            with pytest.raises(UnreachableError):
                api.wait("x")
            broken.set()

        thread = threading.Thread(target=wait)
        thread.start()
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            api.close()
            assert broken.wait(10)
        thread.join()


# Credentials


@pytest.mark.parametrize(
    ("reference", "server"),
    [
        ("ghcr.io/lab/seg:1", "ghcr.io"),
        ("localhost:5000/seg", "localhost:5000"),
        ("lab/seg", "https://index.docker.io/v1/"),
        ("docker.io/lab/seg", "https://index.docker.io/v1/"),
    ],
)
def test_credentials_are_those_of_the_registry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reference: str, server: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert registry_auth(reference) == {}
    logins = {name: {"auth": base64.b64encode(f"user:pw:{name}".encode()).decode()} for name in (server, "other.org")}
    (tmp_path / "config.json").write_text(json.dumps({"auths": logins}))
    told = json.loads(base64.urlsafe_b64decode(registry_auth(reference)["X-Registry-Auth"]))
    assert (told["username"], told["password"], told["serveraddress"]) == ("user", f"pw:{server}", server)


def test_credentials_from_a_helper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread -r server\nprintf \'{"Username":"u","Secret":"%s"}\' "$server"\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "config.json").write_text('{"credHelpers": {"ghcr.io": "test", "quay.io": "absent"}}')
    told = json.loads(base64.urlsafe_b64decode(registry_auth("ghcr.io/lab/seg")["X-Registry-Auth"]))
    assert (told["username"], told["password"]) == ("u", "ghcr.io")
    assert registry_auth("quay.io/lab/seg") == {}
