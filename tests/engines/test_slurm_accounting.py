"""The SLURM engine where the cluster keeps accounts: `sacct` says what the list does not."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from trivet.engines import Attempt
from trivet.engines.slurm.commands import Commands
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.site_file import default_site
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment
from trivet.tasks.work import Invocation
from trivet.testing.watching import Watch

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm_with_accounting")]


def test_who_has_cancelled_a_job(tmp_path: Path) -> None:
    cluster = Commands().cluster()
    assert cluster.accounting
    engine = SlurmEngine(tmp_path, default_site(cluster), polls=(0.2, 1.0))
    watch = Watch(engine)
    ids = [f"run/unit-{n}/1" for n in range(3)]
    engine.submit([Attempt(id, Invocation(Environment(), ("sleep", "1000"))) for id in ids])
    watch.started(*ids)
    jobs = watch.accepted(*ids)
    subprocess.run(["scancel", str(jobs[ids[0]]).partition("_")[0]], check=True)
    outcomes = watch.ended(*ids)
    engine.close()
    assert {outcome.reason for outcome in outcomes} == {Reason.CANCELLED}
    names = [str(jobs[id]) for id in ids]
    until = time.monotonic() + 30
    while len(found := Commands().finals(names, accounting=True)) < len(set(names)):  # accounts are written in time
        assert time.monotonic() < until
    assert {(final.state, final.by) for final in found.values()} == {("CANCELLED", "root")}
