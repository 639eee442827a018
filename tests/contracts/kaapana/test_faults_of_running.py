"""Faults of the public implementation in running containers, one by one, on real engines: here they are none."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import kaapana
from trivet.contracts.source import Source
from trivet.engines.runtimes import open_api, ownership
from trivet.images.archive import describe
from trivet.records.directory import RunDirectory
from trivet.runs import progress, start
from trivet.runs.options import Options
from trivet.runs.reporting import Reporter
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import RunResult
from trivet.testing.archives import Link, busybox_archive, docker_archive, layer

CONTAINER_FILE = "processing-container.json"
LIMIT = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"


class Lab:
    """A directory with a task.json, and a way to run it."""

    def __init__(self, place: Path, runtime: str, image: ContainerImage) -> None:
        self.place, self.runtime, self.image = place, runtime, image
        self.scans = place / "scans"
        (self.scans / "p1").mkdir(parents=True)
        (self.scans / "p1" / "a").write_text("content")
        self.directory: RunDirectory
        self.loaded: list[str] = []

    def task(self, script: str, template: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """A task.json that runs a shell script over one input and one output channel."""
        inline = {
            "identifier": "t",
            "description": "",
            "inputs": [{"name": "in", "mounted_path": "/in"}],
            "outputs": [{"name": "out", "mounted_path": "/out"}],
            "env": [],
            "command": ["sh", "-c", f"mkdir -p /out/p1; {script}"],
            **(template or {}),
        }
        return {
            "name": "My_Task",
            "image": "tests/busybox:1",
            "taskTemplate": inline,
            "inputs": [{"name": "in", "input": {"host_path": "scans"}}],
            "outputs": [{"name": "out", "input": {"host_path": "results"}}],
            **fields,
        }

    def run(self, data: dict[str, Any], reporter: Reporter | None = None, **options: Any) -> RunResult:
        [task] = kaapana.tasks(kaapana.read(Source("task.json", json.dumps(data), self.place)))
        call = bind(replace(task, program=self.image), {})
        self.directory = start.create(call, Options(runtime=self.runtime, **options), self.place / "home")
        return start.drive(self.directory, reporter, task.document.secrets)

    def out(self, name: str) -> str:
        return (self.place / "results/p1" / name).read_text()

    def log(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.directory.logs.glob("*.log")))

    def containers(self) -> list[Any]:
        api, _, release = open_api(self.runtime)
        try:
            return api.containers(f"trivet.run={self.directory.id}")
        finally:
            release()

    def load(self, archive: Path) -> None:
        """Take another image for what runs from now on."""
        self.image = ContainerImage("", archive=str(archive))
        self.loaded.append(describe(str(archive)).digest)

    def close(self) -> None:
        api, _, release = open_api(self.runtime)
        for digest in self.loaded:
            if api.image(digest) is not None:
                api.call("DELETE", f"/images/{digest.removeprefix('sha256:')}", {"force": 1})
        release()


@pytest.fixture
def lab(tmp_path: Path, runtime: str, busybox: ContainerImage) -> Iterator[Lab]:
    lab = Lab(tmp_path, runtime, busybox)
    yield lab
    lab.close()


def test_17_a_limit_of_the_template_needs_no_word_of_the_task(lab: Lab) -> None:
    template = {"resources": {"limits": {"memory": "64Mi"}}}
    result = lab.run(lab.task(f"({LIMIT}) > /out/p1/limit", template))
    assert result.state is RunState.FINISHED, result.message
    assert lab.out("limit").split() == [str(64 * 2**20)]


def test_18_two_channels_on_one_directory_are_both_there(lab: Lab) -> None:
    channels = [{"name": name, "mounted_path": f"/{name}"} for name in ("a", "b")]
    bound = [{"name": name, "input": {"host_path": "./scans/../scans"}} for name in ("a", "b")]
    script = "cat /a/p1/a /b/p1/a > /out/p1/both"
    assert lab.run(lab.task(script, {"inputs": channels}, inputs=bound)).state is RunState.FINISHED
    assert lab.out("both") == "contentcontent"


def test_18_an_output_may_go_beside_its_input_where_that_is_wanted(lab: Lab) -> None:
    data = lab.task(
        "cat /in/p1/a > /out/p1/new; ls /out > /out/p1/seen", outputs=[{"name": "out", "input": {"host_path": "scans"}}]
    )
    with pytest.raises(ProblemsError, match=r"output `out` would overwrite .*/scans"):
        lab.run(data)
    assert lab.run(data, into_existing=True).state is RunState.FINISHED
    found = {path.name: path.read_text() for path in (lab.scans / "p1").iterdir()}
    assert found == {"a": "content", "new": "content", "seen": "p1\n"}


def test_18_two_outputs_on_one_directory_are_refused(lab: Lab) -> None:
    channels = [{"name": name, "mounted_path": f"/{name}"} for name in ("out", "more")]
    for place in ("results", "./results", "results/more"):
        bound = [{"name": "out", "input": {"host_path": "results"}}, {"name": "more", "input": {"host_path": place}}]
        with pytest.raises(ProblemsError, match="`out` and `more`"):
            lab.run(lab.task("true", {"outputs": channels}, outputs=bound))


@pytest.mark.parametrize("name", ["data", "with space", "a,b", "a:b", "ünï", "-rf", "$(HOME)", "'\"*"])
def test_19_any_directory_is_the_directory(lab: Lab, name: str) -> None:
    lab.scans.rename(lab.place / name)
    bound = [{"name": "in", "input": {"host_path": name}}]
    assert lab.run(lab.task("cp /in/p1/a /out/p1/", inputs=bound)).state is RunState.FINISHED
    assert lab.out("a") == "content"


def test_20_a_missing_input_is_refused_and_not_made(lab: Lab) -> None:
    result = lab.run(lab.task("true", inputs=[{"name": "in", "input": {"host_path": "gone"}}]))
    assert result.state is RunState.FAILED
    assert f"there is no directory {lab.place / 'gone'}" in result.message
    assert not (lab.place / "gone").exists()


def test_21_limits_labels_and_nothing_left(lab: Lab) -> None:
    seen: list[Any] = []

    class Looking(Reporter):
        def state(self, change: Any) -> None:
            if change.state is RunState.RUNNING:
                seen.extend(lab.containers())

    template = {"resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}}
    config = {"type": "docker", "labels": {"kaapana.ai/type": "processing-container", "count": 3}}
    go = lab.place / "scans" / "go"
    os.mkfifo(go)
    release = threading.Timer(0, lambda: go.write_text("go\n"))
    release.start()
    assert (
        lab.run(lab.task("read x < /in/go; id -u > /out/p1/user", template, config=config), Looking()).state
        is RunState.FINISHED
    )
    release.join()
    [container] = seen
    labels = container["Labels"]
    assert (labels["kaapana.ai/type"], labels["count"], labels["trivet.task"]) == (
        "processing-container",
        "3",
        "My_Task",
    )
    assert labels["trivet.run"] == lab.directory.id
    assert lab.containers() == []


def test_22_the_command_replaces_the_entrypoint_or_becomes_its_arguments(lab: Lab, tmp_path: Path) -> None:
    script = b'#!/bin/sh\nmkdir -p /out/p1\necho entrypoint "$@" > /out/p1/said\n'
    path = busybox_archive(tmp_path / "own.tar", Entrypoint=["sh", "-c", script.decode().split("\n", 1)[1], "entry"])
    lab.load(path)
    data = lab.task("")
    data["taskTemplate"]["command"] = ["sh", "-c", "mkdir -p /out/p1; echo command > /out/p1/said"]
    assert lab.run(data).state is RunState.FINISHED
    assert lab.out("said") == "command\n"
    assert lab.run(data, output=str(tmp_path / "other"), command_as_args=True).state is RunState.FINISHED
    said = (tmp_path / "other/out/p1/said").read_text()
    assert said == "entrypoint sh -c mkdir -p /out/p1; echo command > /out/p1/said\n"
    del data["taskTemplate"]["command"]
    assert lab.run(data, output=str(tmp_path / "third")).state is RunState.FINISHED
    assert (tmp_path / "third/out/p1/said").read_text() == "entrypoint sh\n"


def test_23_logs_of_any_bytes(lab: Lab) -> None:
    result = lab.run(lab.task("touch /out/p1/x; printf '\\377\\376\\000 caf\\303'; echo err >&2; exit 3"))
    assert (result.state, result.exit_code) == (RunState.FAILED, 3)
    assert sorted(lab.log().split(b"err\n")) == [b"", b"\xff\xfe\0 caf\xc3"]


@pytest.mark.parametrize(
    ("script", "code", "reason"), [("exit 7", 7, Reason.EXIT_CODE), ("kill -9 $$; exit 0", 0, None)]
)
def test_24_the_exit_code_is_that_of_the_container(lab: Lab, script: str, code: int, reason: Reason | None) -> None:
    result = lab.run(lab.task(f"echo x > /out/p1/x; {script}"))
    assert (result.exit_code, result.reason) == (code, reason)


def test_24_too_much_memory_is_137(lab: Lab) -> None:
    template = {"resources": {"limits": {"memory": "32Mi"}}}
    result = lab.run(lab.task("x=0123456789abcdef; while :; do x=$x$x; done", template))
    assert (result.exit_code, result.reason) == (137, Reason.OOM)
    assert "32.0 MiB" in result.message


def test_25_peak_memory_is_known_and_how(lab: Lab) -> None:
    script = "x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo ${#x} > /out/p1/x"
    assert lab.run(lab.task(script, {"resources": {"limits": {"memory": "128Mi"}}})).state is RunState.FINISHED
    usage = lab.directory.read()["usage"]
    assert 8_000_000 < usage["peak_memory"] < 128 * 2**20
    assert usage["measured_by"]


def test_no_variable_is_set_that_nobody_declared(lab: Lab) -> None:
    template = {"env": [{"name": "MODEL", "value": "a b"}, {"name": "EMPTY", "value": ""}]}
    result = lab.run(lab.task("env > /out/p1/env", template, env=[{"name": "TASK_ONLY", "value": "$(MODEL) $MODEL"}]))
    assert result.state is RunState.FINISHED
    variables = dict(line.split("=", 1) for line in lab.out("env").splitlines())
    by_the_shell = {"PWD", "SHLVL", "_", "OLDPWD"}
    by_every_engine = {"PATH", "HOME", "HOSTNAME", "TERM", "container"}
    assert set(variables) - by_the_shell - by_every_engine == {"MODEL", "EMPTY", "TASK_ONLY"}
    assert (variables["MODEL"], variables["EMPTY"]) == ("a b", "")
    assert variables["TASK_ONLY"] == "$(MODEL) $MODEL"


# Whose the results are


class Nobody:
    """The os module as a user without rights would have it."""

    geteuid, getegid = staticmethod(lambda: 4321), staticmethod(lambda: 4322)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def owners(place: Path) -> set[int]:
    return {path.lstat().st_uid for path in (place, *place.rglob("*"))}


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can only be played by root")
def test_results_belong_to_the_caller_whoever_wrote_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon is root's, the caller is not: what root wrote in the container is given back by the daemon."""

    monkeypatch.setattr(ownership, "os", Nobody())
    script = "mkdir -m 700 /out/p1/secret; echo x > /out/p1/secret/x; ln -s /etc /out/p1/link; chown 7 /out/p1/secret/x"
    result = lab.run(lab.task(script))
    assert result.state is RunState.FINISHED, result.message
    assert owners(lab.place / "results") == {4321}
    assert lab.containers() == []
    assert Path("/etc").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's files can only be taken by root")
def test_results_of_an_images_own_user_belong_to_the_caller(lab: Lab, tmp_path: Path) -> None:
    lab.load(busybox_archive(tmp_path / "own.tar", User="worker"))
    assert lab.run(lab.task("id -u > /out/p1/id")).state is RunState.FINISHED
    assert lab.out("id") == "1234\n"
    assert owners(lab.place / "results") == {os.geteuid()}


def test_the_caller_can_be_the_user(lab: Lab) -> None:
    assert lab.run(lab.task("id -u > /out/p1/id"), user="caller").state is RunState.FINISHED
    assert lab.out("id") == f"{os.getuid()}\n"
    assert lab.run(
        lab.task("id -u > /out/p1/id; id -g >> /out/p1/id"), user="1234:77", output=str(lab.place / "o")
    ).state
    assert (lab.place / "o/out/p1/id").read_text() == "1234\n77\n"


def test_an_image_without_chown_keeps_its_results_and_says_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ownership, "os", Nobody())
    binary = Path(shutil.which("busybox") or "").read_bytes()
    layers = [layer({"bin/busybox": binary, "bin/sh": Link("busybox"), "tmp/": b""})]
    lab.load(docker_archive(tmp_path / "bare.tar", layers, Env=["PATH=/bin"]))
    data = lab.task("")
    data["taskTemplate"]["command"] = ["sh", "-c", "busybox mkdir /out/p1; echo x > /out/p1/x"]
    assert lab.run(data).state is RunState.FINISHED
    [_, [outcome]] = zip(*progress.read(lab.directory).outcomes.items(), strict=True)
    assert "some results belong to the user of the container and not to you" in outcome.message
    assert "--user caller" in outcome.message
    assert lab.out("x") == "x\n"
    assert lab.containers() == []
