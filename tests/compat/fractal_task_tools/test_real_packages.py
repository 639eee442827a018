"""Manifests of real packages from PyPI, against those of the public tool that they pin, in one environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = [
    "fractal-tasks-core==2.1.0",
    pytest.param("fractal-uzh-converters==0.7.1", marks=pytest.mark.full),
    pytest.param("fractal-lif-converters==0.7.0", marks=pytest.mark.full),
]
PATIENCE = 600

PUBLIC = """\
import json, sys
from fractal_task_tools._create_manifest import create_manifest
manifest = create_manifest(raw_package_name=sys.argv[1], task_list_path="dev.task_list")
"""
OURS = """\
import json, sys
from trivet.fractal import build
built = build(sys.argv[1], compatible=True, static="static" in sys.argv[3:])
assert built.ok, built.problems
manifest = built.manifest
"""
STORE = 'json.dump(manifest, open(sys.argv[2], "w"), indent=2)\n'


def environment(requirement: str) -> Path:
    """The interpreter of an environment with that package, kept in the user's cache. Skips where it can't be had."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trivet-tests"
    version = "{}.{}".format(*sys.version_info[:2])
    place = base / f"{requirement.replace('==', '-')}-py{version}"
    if not (place / "ready").exists():
        base.mkdir(parents=True, exist_ok=True)
        making = place.with_name(f"{place.name}.{os.getpid()}")
        try:
            _install(making, requirement)
            (making / "ready").touch()
            shutil.rmtree(place, ignore_errors=True)
            making.rename(place)
        except OSError:
            if not (place / "ready").exists():  # else another process was first
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return place / "bin/python"


def _install(place: Path, requirement: str) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    python = str(place / "bin/python")
    if uv is not None:
        commands = [[uv, "venv", "-q", "-p", sys.executable, str(place)], [uv, "pip", "install", "-q", "-p", python]]
    else:
        commands = [[sys.executable, "-m", "venv", str(place)], [python, "-m", "pip", "install", "-q"]]
    commands[1].append(requirement)
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            pytest.skip(f"{requirement} can't be installed: {done.stderr.strip().splitlines()[-1:]}")


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("requirement", PACKAGES)
def test_the_manifest_of_a_real_package_is_that_of_the_public_tool(requirement: str, tmp_path: Path) -> None:
    python = environment(requirement)
    package = requirement.partition("==")[0].replace("-", "_")
    manifests: dict[str, str] = {}
    for name, script in (("public", PUBLIC), ("ours", OURS), ("static", OURS)):
        out = tmp_path / f"{name}.json"
        done = subprocess.run(
            [str(python), "-c", script + STORE, package, str(out), name],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": "" if name == "public" else str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        manifests[name] = out.read_text()
    loaded: dict[str, Any] = {name: json.loads(text) for name, text in manifests.items()}
    assert len(loaded["public"]["task_list"]) >= 2
    assert loaded["ours"] == loaded["public"]
    assert manifests["ours"] == manifests["public"], "to the last letter"
    assert loaded["static"] == loaded["public"]
