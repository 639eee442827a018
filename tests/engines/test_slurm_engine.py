"""The SLURM engine on a real cluster: what every engine promises, and what only a cluster can be tested for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Attempt, Engine
from trivet.engines.runtimes import apptainer_status
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.programs import ApptainerPrograms
from trivet.engines.slurm.site import Site, read_site
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Environment, Resources
from trivet.tasks.work import Invocation
from trivet.testing import EngineTests
from trivet.testing.watching import Sign, Watch

MIB = 1024 * 1024
SITE = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": 100},
    "gpu_slurm_config": {"gres": "gpu:1"},
    "batching_config": {
        "target_cpus_per_job": 2,
        "max_cpus_per_job": 2,
        "target_mem_per_job": 4000,
        "max_mem_per_job": 4000,
        "target_num_jobs": 6,
        "max_num_jobs": 6,
    },
}
POLLS = (0.2, 1.0)


def site(**more: Any) -> Site:
    problems: list[Problem] = []
    found = read_site({**SITE, **more}, problems)
    assert found is not None, problems
    return found


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
class TestSlurmEngine(EngineTests):
    log_cap = 4 * MIB

    def make(self, directory: Path) -> Engine:
        return SlurmEngine(directory, site(), log_cap=self.log_cap, polls=POLLS)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(Environment(), argv, **fields)


@pytest.fixture
def containers(slurm: Path, directory: Path, tmp_path: Path) -> Iterator[Watch]:
    """An engine whose containers run by Apptainer."""
    if not apptainer_status().available:
        pytest.skip(f"no Apptainer: {apptainer_status().reason}")
    engine = SlurmEngine(directory, site(), programs=ApptainerPrograms(directory, tmp_path / "sif"), polls=POLLS)
    yield Watch(engine)
    engine.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "engine"
    path.mkdir()
    return path


def contained(id: str, image: ContainerImage, text: str, **fields: Any) -> Attempt:
    return Attempt(id, Invocation(image, ("sh", "-c", text), **fields))


@pytest.mark.slurm
def test_containers_in_jobs(containers: Watch, directory: Path, busybox: ContainerImage) -> None:
    grow = "x=0123456789abcdef; while :; do x=$x$x; done"
    containers.engine.submit(
        [
            contained("run/speaks/1", busybox, "echo in $APPTAINER_NAME; exit 3"),
            contained("run/grows/1", busybox, grow, resources=Resources(memory=64 * MIB)),
            Attempt("run/nothing/1", Invocation(busybox, ("no-such-program",))),
        ]
    )
    speaks, grows, nothing = containers.ended("run/speaks/1", "run/grows/1", "run/nothing/1")
    assert (speaks.exit_code, speaks.reason) == (3, None)
    assert speaks.image_digest
    assert EngineTests.log(directory, speaks).startswith(b"in ")
    assert grows.reason is Reason.OOM
    assert nothing.reason is Reason.SUBMIT_ERROR
    assert "Apptainer did not start it" in nothing.message
    assert not (directory / "scratch").exists()


@pytest.mark.slurm
def test_a_container_is_cancelled(containers: Watch, tmp_path: Path, busybox: ContainerImage) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    sign = Sign(shared / "sign")
    see = EngineTests.seeing(shared)
    text = f"exec 3>{sign.path}; echo ready >&3; sleep 1000"
    containers.engine.submit([contained("run/held/1", busybox, text, **see)])
    assert sign.line() == "ready"
    containers.engine.cancel(["run/held/1"], 1.0)
    (outcome,) = containers.ended("run/held/1")
    assert outcome.reason is Reason.CANCELLED
    sign.gone()
    sign.close()
