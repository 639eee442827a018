"""Dry runs: what would be started is shown, nothing is started, asked or left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet.runs.options import Options
from trivet.runs.rehearsal import rehearse
from trivet.runs.start import create
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import Resources
from trivet.tasks.work import Invocation


@pytest.fixture(autouse=True)
def nothing_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No engine, and a home of its own."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("CONTAINER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("TRIVET_HOME", str(tmp_path / "home"))


def task(image: str | None = "lab/seg:1", **fields: Any) -> Any:
    inputs = {"scan": {"type": "directory"}, "level": {"type": "integer", "default": 3}}
    outputs = {"mask": {"type": "directory", "path": "mask"}}
    return trivet.command(["seg", "{scan}", "{level}", "{mask}"], image=image, inputs=inputs, outputs=outputs, **fields)


def documents(tmp_path: Path, made: Any, **options: Any) -> list[dict[str, Any]]:
    (tmp_path / "scan").mkdir(exist_ok=True)
    call = trivet.call(made, {"scan": str(tmp_path / "scan")})
    found = [document for unit in rehearse(call, Options(**options)) for document in unit.documents]
    assert not (tmp_path / "home").exists()
    assert json.loads(json.dumps(found)) == found
    return found


def test_a_container_as_the_daemon_would_be_asked_for_it(tmp_path: Path) -> None:
    [document] = documents(tmp_path, task(resources={"memory": "64Mi"}), user="7:8", time_limit=60.0)
    assert (document["kind"], document["runtime"], document["Image"]) == ("Container", "docker", "lab/seg:1")
    assert (document["User"], document["HostConfig"]["Memory"]) == ("7:8", 64 * 2**20)
    [source, output] = document["HostConfig"]["Mounts"]
    assert (source["Source"], source["ReadOnly"]) == (str(tmp_path / "scan"), True)
    assert output["Source"].startswith(str(tmp_path / "home/runs/dry-run/work/"))
    assert document["Entrypoint"][0] == "seg"
    assert "3" in [*document["Entrypoint"], *document["Cmd"]]


def test_a_command_that_is_to_be_arguments(tmp_path: Path) -> None:
    [document] = documents(tmp_path, task(), command_as_args=True)
    assert "Entrypoint" not in document
    assert document["Cmd"][0] == "seg"


def test_a_process_as_the_worker_would_be_asked_for_it(tmp_path: Path) -> None:
    [document] = documents(tmp_path, task(image=None), grace=3.0)
    assert document["kind"] == "Process"
    assert document["argv"][0] == "seg"
    assert str(tmp_path / "scan") in document["argv"]
    assert document["grace"] == 3.0


def test_a_pod(tmp_path: Path) -> None:
    [document] = documents(tmp_path, task(), engine="kubernetes", namespace="lab")
    assert (document["kind"], document["metadata"]["namespace"]) == ("Pod", "lab")
    places = {volume["hostPath"]["path"] for volume in document["spec"]["volumes"]}
    assert str(tmp_path / "scan") in places
    assert all(place.startswith(str(tmp_path)) for place in places)


def test_every_unit_is_shown(tmp_path: Path) -> None:
    call = trivet.call(task(image="lab/seg:1"), {"scan": str(tmp_path), "level": [1, 2, 3]}, each="level")
    shown = list(rehearse(call, Options(engine="kubernetes", namespace="lab")))
    assert [unit.unit for unit in shown] == ["0", "1", "2"]
    assert len({unit.documents[0]["metadata"]["name"] for unit in shown}) == 3


@pytest.mark.parametrize(
    ("made", "options", "sentence"),
    [
        (task(), {"engine": "kubernetes"}, "no namespace is given"),
        (task(image=None), {"engine": "kubernetes", "namespace": "lab"}, "only images run on Kubernetes"),
        (task(), {"engine": "moon"}, "unknown engine `moon`"),
    ],
)
def test_what_can_be_known_to_be_wrong_is_said(
    tmp_path: Path, made: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ProblemsError, match=sentence):
        documents(tmp_path, made, **options)


def test_kubernetes_is_for_dry_runs_only(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    call = trivet.call(task(), {"scan": str(tmp_path / "scan")})
    with pytest.raises(ProblemsError, match="nothing can be run on Kubernetes yet"):
        create(call, Options(engine="kubernetes", namespace="lab"))


def test_the_caller_is_a_user_by_numbers() -> None:
    invocation = Options(user="caller").applied(Invocation(task().program, None))
    assert invocation.user == f"{os.getuid()}:{os.getgid()}"
    assert Options().applied(invocation) is invocation
    process = Invocation(task(image=None).program, ("x",))
    assert Options(user="caller", command_as_args=True).applied(process) is process
    assert Options(cpus=2.0).applied(process).resources == Resources(cpus=2.0)
    for wrong in ("bob", "1:", "-1", "1:2:3", ""):
        with pytest.raises(ValueError, match="neither `caller` nor numbers"):
            Options(user=wrong)


def test_options_survive_in_a_record() -> None:
    options = Options(user="1:2", command_as_args=True, namespace="lab", engine="kubernetes", into_existing=True)
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_memory_that_the_caller_gives_is_told_beside_what_the_task_asks_for() -> None:
    asking = Invocation(task().program, None, resources=Resources(memory=2**27))
    [note] = Options(memory=2**25).applied(asking).notes
    assert (note.code, note.severity, note.message) == (
        "B021",
        "info",
        "memory limit 33,554,432 bytes, as the caller says, not 134,217,728",
    )
    assert not Options(memory=2**27).applied(asking).notes
    assert not Options(cpus=1.0).applied(asking).notes
