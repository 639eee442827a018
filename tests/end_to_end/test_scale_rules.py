"""A container really gets the memory its channel's scale rule gives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.contracts.source import Source
from trivet.engines import EngineError
from trivet.engines.runtimes import open_api
from trivet.images.archive import describe
from trivet.runs import start
from trivet.runs.options import Options
from trivet.tasks.call import bind
from trivet.tasks.states import RunState
from trivet.tasks.task import ContainerImage
from trivet.tasks.values import FileRef
from trivet.testing.archives import busybox_archive

LIMITS = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
CONTAINER = {
    "name": "tools",
    "description": "Tells its own limit",
    "templates": [
        {
            "identifier": "tell",
            "description": "Tells its own limit",
            "inputs": [
                {
                    "name": "in",
                    "mounted_path": "/in",
                    "scale_rule": {"complexity": "20*n", "type": "limit", "mode": "sum"},
                }
            ],
            "outputs": [{"name": "out", "mounted_path": "/out"}],
            "env": [],
            "command": ["/bin/sh", "-c", f"mkdir /out/p1; cat {LIMITS} 2>/dev/null > /out/p1/limit; true"],
        }
    ],
}


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Path]:
    """An image as an archive; the daemon forgets it in the end, unless it knew it before."""
    try:
        api, _, release = open_api("docker")
        path = busybox_archive(tmp_path / "busybox.tar")
    except (EngineError, FileNotFoundError) as error:
        pytest.skip(str(error))
    digest = describe(str(path)).digest
    known = api.image(digest) is not None
    yield path
    if not known and api.image(digest) is not None:
        api.call("DELETE", f"/images/{digest.removeprefix('sha256:')}", {"force": 1})
    release()


@pytest.mark.docker
def test_a_container_sees_the_scaled_limit(archive: Path, tmp_path: Path) -> None:
    item = tmp_path / "in" / "p1"
    item.mkdir(parents=True)
    (item / "scan").write_bytes(b"x" * 4_000_000)
    [task] = kaapana.tasks(kaapana.read(Source("processing-container.json", json.dumps(CONTAINER), tmp_path)))
    task = replace(task, program=ContainerImage("", archive=str(archive)))
    call = bind(task, {"in": FileRef(str(item.parent))})
    run = start.create(call, Options(runtime="docker"), tmp_path / "home")
    result = start.drive(run)
    assert result.state is RunState.FINISHED, result.message
    seen = int((run.outputs / "out" / "p1" / "limit").read_text().split()[0])
    # The kernel keeps whole pages.
    assert seen == 88_000_000 // 4096 * 4096
    [note] = run.read()["unit_notes"]
    assert "88,000,000" in note["message"]
    assert run.read()["usage"]["peak_memory"] < 88_000_000
