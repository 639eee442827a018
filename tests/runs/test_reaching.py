"""Reaching a cluster again while nobody there answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.runs.options import Options
from trivet.runs.reaching import reach
from trivet.tasks.problem import ProblemsError


def test_a_run_remembers_its_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands, run = tmp_path / "bin", tmp_path / "run"
    commands.mkdir()
    run.mkdir()
    for name, said in (("scontrol", "ClusterName = far"), ("sinfo", "main*|up|1:00:00|3|2|4000|gpu:1")):
        (commands / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setenv("TRIVET_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TRIVET_SITE", raising=False)
    first = reach(Options(engine="slurm"), run).site
    assert first.default["partition"] == "main"
    for name in ("scontrol", "sinfo"):
        (commands / name).write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2; exit 1\n")
    assert reach(Options(engine="slurm"), run).site == first
    with pytest.raises(ProblemsError, match="S009"):
        reach(Options(engine="slurm"))
    (run / "slurm/cluster.json").write_text('{"name": "torn')
    with pytest.raises(ProblemsError, match="S009"):
        reach(Options(engine="slurm"), run)
