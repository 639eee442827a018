"""The real command line in a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds after which something that should have happened is taken for hanging."""


@dataclass(frozen=True)
class CommandLine:
    """``trivet`` with a home and a working directory of its own."""

    home: Path
    cwd: Path

    def __call__(
        self, *words: str, code: int | None = 0, patience: float = PATIENCE, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "trivet", *words],
            capture_output=True,
            text=True,
            cwd=self.cwd,
            env=self.environment,
            timeout=patience,
            check=False,
            **more,
        )
        assert code is None or done.returncode == code, done.stderr + done.stdout
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "trivet", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.cwd,
            env=self.environment,
            start_new_session=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TRIVET_HOME": str(self.home)}

    def task(self, name: str = "task", **document: Any) -> str:
        path = self.cwd / f"{name}.json"
        path.write_text(json.dumps({"trivet": 1, "name": name, **document}))
        return str(path)

    def runs(self) -> list[Path]:
        return sorted(path for path in (self.home / "runs").glob("*") if not path.name.startswith("."))

    def record(self) -> dict[str, Any]:
        [run] = self.runs()
        return json.loads((run / "run.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture
def trivet(tmp_path: Path) -> Iterator[CommandLine]:
    (tmp_path / "cwd").mkdir()
    command_line = CommandLine(tmp_path / "home", tmp_path / "cwd")
    yield command_line
    for process in processes_of(command_line.home):
        os.kill(process, 9)


def processes_of(home: Path) -> list[int]:
    """Processes that belong to runs of a home: units, workers and drivers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if str(home).encode() in words and int(entry.name) != os.getpid() and state != "Z":
            found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Wait for what another process will do."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE} s in vain until {what}")


@pytest.fixture(scope="session")
def base() -> str:
    """A base image with Python."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker daemon answers")
    script = [str(ROOT / "scripts/build-base-image.sh"), "docker"]
    said = subprocess.run(script, capture_output=True, text=True, timeout=300, check=False)
    if said.returncode != 0:
        pytest.skip(f"no base image with Python can be had: {said.stderr.strip()}")
    return said.stdout.strip()
