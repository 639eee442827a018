"""The SLURM engine on a real cluster: what every engine promises, and what only a cluster can be tested for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Engine
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.site import Site, read_site
from trivet.tasks.problem import Problem
from trivet.tasks.task import Environment
from trivet.tasks.work import Invocation
from trivet.testing import EngineTests

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
