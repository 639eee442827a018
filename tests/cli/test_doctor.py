"""`trivet doctor`: every question has an answer, whatever the machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

from trivet import __version__

from .conftest import Trivet

NO_RUNTIME = {"DOCKER_HOST": "unix:///none.sock", "CONTAINER_HOST": "unix:///none.sock"}
"""Runtimes have their own tests, and take their time to answer."""


def test_the_machine_for_programs(trivet: Trivet, tmp_path: Path) -> None:
    done = trivet("doctor", "--json", env={**NO_RUNTIME, "TRIVET_HOME": str(tmp_path / "runs")})
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["trivet"] == __version__
    assert found["python"] == {"version": platform.python_version(), "executable": sys.executable}
    assert found["cpus"] == len(os.sched_getaffinity(0))
    assert found["memory"]["total"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    home = found["home"]
    assert (home["path"], home["exists"], home["writable"]) == (str(tmp_path / "runs"), False, True)
    assert home["free"] > 0
    assert not (tmp_path / "runs").exists()  # looked at, not made
    assert {key: found["engines"][0][key] for key in ("name", "ready")} == {"name": "local", "ready": True}
    assert {engine["name"] for engine in found["engines"]} >= {"local", "docker", "podman"}
    extras = {extra["name"]: extra for extra in found["extras"]}
    assert set(extras) >= {"postgresql", "geometry", "terminal"}
    assert list(extras["geometry"]["packages"]) == ["shapely"]
    for extra in extras.values():
        assert extra["ready"] is (None not in extra["packages"].values())
        assert bool(extra["install"]) is not extra["ready"]


def test_nothing_that_is_missing_stops_it(trivet: Trivet, tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    (tmp_path / "file").write_text("")
    hostile = {
        "PATH": str(tmp_path),
        **NO_RUNTIME,
        "TRIVET_HOME": str(tmp_path / "file/runs"),
    }
    done = trivet("doctor", env=hostile)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["missing", "docker"] in [line[:2] for line in lines]
    assert ["missing", "podman"] in [line[:2] for line in lines]
    assert "NOT WRITABLE" in done.stdout
    assert "none seen" in done.stdout


def test_gpus_are_told_by_name(trivet: Trivet, tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA Test GPU, 81559 MiB'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    done = trivet("doctor", "--json", env={**NO_RUNTIME, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert json.loads(done.stdout)["gpus"] == ["NVIDIA Test GPU, 81559 MiB"]
