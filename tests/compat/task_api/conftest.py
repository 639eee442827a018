"""The public command line in a process of its own, and the image of the public dummy tasks, made from scratch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trivet.testing.archives import Link, docker_archive, layer

CORPUS = Path(__file__).resolve().parents[3] / "../shared/corpus/kaapana"
IMAGE = "trivet-tests/dummy:latest"
PATIENCE = 90.0

SCRIPT = b"""#!/bin/sh
# Stands for python3 and the two scripts of the public dummy image.
case "$2" in
upstream.py)
    sleep "$TIME_SLEEP"
    for n in 1 2; do echo "Hello channel $n!" > /home/upstream/channel$n/dummy.txt; done
    echo "wrote both channels" ;;
downstream.py)
    sleep "$TIME_SLEEP"
    cat /home/downstream/channel1/dummy.txt /home/downstream/channel2/dummy.txt ;;
*) exit 99 ;;
esac
"""

CONTAINER: dict[str, Any] = {
    "name": "dummy",
    "description": "What the public dummy image does",
    "templates": [
        {
            "identifier": "upstream",
            "description": "Writes",
            "inputs": [],
            "outputs": [{"name": f"channel{n}", "mounted_path": f"/home/upstream/channel{n}"} for n in (1, 2)],
            "env": [{"name": "TIME_SLEEP", "value": "0"}],
            "command": ["python3", "-u", "upstream.py"],
        },
        {
            "identifier": "downstream",
            "description": "Reads",
            "inputs": [{"name": f"channel{n}", "mounted_path": f"/home/downstream/channel{n}"} for n in (1, 2)],
            "outputs": [],
            "env": [{"name": "TIME_SLEEP", "value": "0"}],
            "command": ["python3", "-u", "downstream.py"],
        },
    ],
}


@dataclass(frozen=True)
class TaskApi:
    """``python3 -m task_api.cli`` with a home and a working directory of its own."""

    cwd: Path
    home: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *words: str | Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self._command(words), capture_output=True, text=True, timeout=PATIENCE, check=False, **self._place()
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        return done

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command(words), stdout=pipe, stderr=pipe, text=True, **self._place())

    def write(self, name: str, data: Any) -> Path:
        path = self.cwd / name
        path.write_text(data if isinstance(data, str) else json.dumps(data, indent=1))
        return path

    def task(self, name: str = "task.json", **fields: Any) -> Path:
        """A task.json whose template is given inline as a shell script; keywords replace fields."""
        script = fields.pop("script", "true")
        outputs = fields.pop("outputs", {})
        inputs = fields.pop("inputs", {})
        rules = fields.pop("rules", {})
        template = {
            "identifier": "inline",
            "description": "A script",
            "inputs": [{"name": key, "mounted_path": f"/in/{key}"} | rules.get(key, {}) for key in inputs],
            "outputs": [{"name": key, "mounted_path": f"/out/{key}"} for key in outputs],
            "env": [],
            "command": ["sh", "-c", script],
        }
        plain = {
            "name": "my task",
            "image": IMAGE,
            "taskTemplate": template,
            "inputs": [{"name": key, "input": {"host_path": path}} for key, path in inputs.items()],
            "outputs": [{"name": key, "input": {"host_path": path}} for key, path in outputs.items()],
        }
        return self.write(name, plain | fields)

    def record(self) -> Path:
        [path] = self.cwd.glob("task_run-*.pkl")
        return path

    def runs(self) -> list[Path]:
        return sorted(path for path in (self.home / "runs").glob("*") if not path.name.startswith("."))

    def trivet(self, *words: str) -> None:
        command = [sys.executable, "-m", "trivet", *words]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, **self._place())

    def _command(self, words: tuple[str | Path, ...]) -> list[str]:
        return [sys.executable, "-m", "task_api.cli", *map(str, words)]

    def _place(self) -> dict[str, Any]:
        unset = ("registryUrl", "registryUsername", "registryPassword", "namespace", "output_dir")
        environment = {key: value for key, value in os.environ.items() if key not in unset}
        return {"cwd": self.cwd, "env": {**environment, "TRIVET_HOME": str(self.home), **self.more}}


@pytest.fixture
def task_api(tmp_path: Path) -> Iterator[TaskApi]:
    (tmp_path / "cwd").mkdir()
    tool = TaskApi(tmp_path / "cwd", tmp_path / "home")
    yield tool
    for run in tool.runs():
        if "result" not in json.loads((run / "run.json").read_text()):
            tool.trivet("cancel", run.name)


@pytest.fixture
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of public documents (../shared/corpus/kaapana) is not here")
    return CORPUS


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The public dummy image, from a static busybox and a shell script that stands for its Python."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs a static busybox (Debian: busybox-static)")
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("needs a Docker daemon")
    names = "sh sleep cat echo wc touch mkdir ls kill head dd id seq env true printf rm"
    files = {
        "bin/busybox": Path(busybox).read_bytes(),
        **{f"bin/{name}": Link("busybox") for name in names.split()},
        "bin/python3": SCRIPT,
        "processing-container.json": json.dumps(CONTAINER).encode(),
        "tmp/": b"",
    }
    path = tmp_path_factory.mktemp("image") / "dummy.tar"
    tags = [IMAGE, "local-only/dummy:latest"]
    docker_archive(path, [layer(files)], tags, Cmd=["sh"], Env=["PATH=/bin"], WorkingDir="/")
    subprocess.run(["docker", "load", "-q", "-i", str(path)], check=True, capture_output=True)
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "-f", *tags], check=False, capture_output=True)
