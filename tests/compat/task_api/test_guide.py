"""The shell lines by which the public implementation is tested, with its own dummy tasks (Kaapana Task API)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from .conftest import TaskApi

pytestmark = pytest.mark.docker
NAMES = ["lib-taskapi_dummy", "dummy-workflow_dummy"]


@pytest.mark.parametrize("name", NAMES)
def test_the_public_dummy_tasks_run_one_after_the_other(
    task_api: TaskApi, corpus: Path, image: str, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "out"
    tool = replace(task_api, more={"registryUrl": "local-only", "output_dir": str(place)})
    up, down = (corpus / f"current/task_{name}_{which}stream-task.json" for which in ("up", "down"))

    watched = tool("run", up, "--mode", "docker", "--watch", "--output", place / "up.rec", code=1)
    assert "nothing was started" in watched.stderr  # the record's directory is not there
    place.mkdir()
    watched = tool("run", up, "--mode", "docker", "--watch", "--output", place / "up.rec")
    assert watched.stdout == "wrote both channels\n"
    for n in (1, 2):
        assert (place / f"dummy/channel{n}/dummy.txt").read_text() == f"Hello channel {n}!\n"
    assert tool("logs", place / "up.rec").stdout == "wrote both channels\n"
    assert "exit code 0" in tool("check-task-run", place / "up.rec").stdout

    monitored = tool("run", down, "--monitor-memory", "--output", place / "down.rec")
    assert "peak memory:" in monitored.stderr
    assert "channel `channel1`: 1 files, 17 bytes in all; the largest has 17 bytes" in monitored.stderr
    assert "n = 17 bytes (sum); 25*n = 425 bytes" in monitored.stderr
    assert "channel `channel2`: 1 files, 17 bytes" in monitored.stderr
    assert tool("logs", place / "down.rec").stdout == "Hello channel 1!\nHello channel 2!\n"

    shown = json.loads(tool("processing-container", "local-only/dummy:latest").stdout)
    assert [template["identifier"] for template in shown["templates"]] == ["upstream", "downstream"]


def test_the_guides_own_words_work(task_api: TaskApi, image: str) -> None:
    """The commands of the guide in its order, with its form of the files."""
    task_api.write("processing-container.json", {"name": "n", "description": "d", "templates": []})
    assert "✅" in task_api("validate", "processing-container.json", "--schema", "pc").stdout
    (task_api.cwd / "processing-container.json").unlink()
    (task_api.cwd / "data/input1/item").mkdir(parents=True)
    (task_api.cwd / "data/input1/item/a").write_text("abc")
    task_api.task(
        script="mkdir /out/results/item; cat /in/channel1/item/a > /out/results/item/b; echo $DUMMY",
        inputs={"channel1": "./data/input1"},
        outputs={"results": "./data/output"},
        env=[{"name": "DUMMY", "value": "5"}],
    )
    assert "✅" in task_api("validate", "task.json", "--schema", "task").stdout
    task_api("run", "task.json", "--mode", "docker")
    assert "exit code 0" in task_api("check-task-run", task_api.record()).stdout
    assert task_api("logs", task_api.record()).stdout == "5\n"
    assert (task_api.cwd / "data/output/item/b").read_text() == "abc"
    assert "check-task-run" in task_api("--help").stdout
