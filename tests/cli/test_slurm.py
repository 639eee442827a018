"""``trivet run --engine slurm`` and ``trivet doctor --engine slurm`` on the real command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

SITE = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": 100},
    "batching_config": {
        "target_cpus_per_job": 2,
        "max_cpus_per_job": 2,
        "target_mem_per_job": 4000,
        "max_mem_per_job": 4000,
        "target_num_jobs": 6,
        "max_num_jobs": 6,
    },
}
HELLO = {
    "trivet": 1,
    "name": "say hello",
    "command": ["sh", "-c", 'echo "hello $1"', "sh", "{n}"],
    "inputs": {"n": "integer"},
}


@pytest.fixture
def hello(tmp_path: Path) -> list[str]:
    """The words that run three units."""
    path = tmp_path / "hello.json"
    path.write_text(json.dumps(HELLO))
    return ["run", str(path), "n=1", "n=2", "n=3", "--each", "n", "--engine", "slurm"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(SITE))
    return path


def changed(site: Path, **fields: Any) -> Path:
    data = json.loads(json.dumps(SITE))
    data["default_slurm_config"] |= fields
    site.write_text(json.dumps(data))
    return site


def test_a_dry_run_needs_no_cluster(trivet: Any, hello: list[str], site: Path, tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}
    shown = trivet(*hello, "--site", str(site), "--dry-run", env=nowhere)
    assert shown.returncode == 0
    *units, array = yaml.safe_load_all(shown.stdout)
    assert [unit["argv"][-1] for unit in units] == ["1", "2", "3"]
    assert [len(job) for job in array["jobs"]] == [2, 1]
    lines = array["script"].splitlines()
    assert lines[0] == "#!/bin/sh"
    assert {"#SBATCH --array=0-1", "#SBATCH --job-name=say_hello", "#SBATCH --mem=200M"} <= set(lines)
    assert "script: |\n" in shown.stdout


def test_without_a_cluster(trivet: Any, hello: list[str], tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path)}
    refused = trivet(*hello, env=nowhere)
    assert refused.returncode == 1
    assert "S009 SLURM can't be asked" in refused.stderr
    assert "Traceback" not in refused.stderr
    looked = trivet("doctor", "--engine", "slurm", env=nowhere)
    assert (looked.returncode, "S009" in looked.stdout) == (1, True)


def test_a_site_with_faults(trivet: Any, hello: list[str], site: Path) -> None:
    refused = trivet(*hello, "--site", str(changed(site, mem="lots", patrition="main")))
    assert refused.returncode == 1
    assert f"{site}: error S003 `mem`" in refused.stderr
    assert "did you mean `partition`?" in refused.stderr


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_a_run_on_a_cluster(trivet: Any, hello: list[str], site: Path) -> None:
    done = trivet(*hello, "--site", str(site), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    logs = trivet("logs", found["id"]).stdout
    assert [f"hello {number}" in logs for number in (1, 2, 3)] == [True] * 3
    plain = trivet(*hello)
    assert plain.returncode == 0, plain.stderr


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_what_is_wrong_is_said_before(trivet: Any, hello: list[str], site: Path, tmp_path: Path) -> None:
    refused = trivet(*hello, "--site", str(site), "--memory", "100Gi", "--time-limit", "10h")
    assert refused.returncode == 1
    assert "S005 a unit may take 10 h" in refused.stderr
    assert "S005 102400 MB of memory for one unit; the site allows 4000" in refused.stderr
    assert "S007 a unit asks for 102400 MB" in refused.stderr
    refused = trivet(*hello, "--site", str(changed(site, partition="mian", account="x")))
    assert "S006 there is no partition `mian`" in refused.stderr
    assert "did you mean `main`?" in refused.stderr
    refused = trivet(*hello, "--site", str(changed(site, constraint="no-such-feature")))
    assert "S008 SLURM refuses such a job" in refused.stderr


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_the_doctor_knows_the_cluster(trivet: Any, site: Path) -> None:
    shown = trivet("doctor", "--engine", "slurm", "--site", str(site))
    assert shown.returncode == 0, shown.stdout
    assert "main (default)" in shown.stdout
    assert "SLURM would take a job of one unit." in shown.stdout
    data = json.loads(trivet("doctor", "--engine", "slurm", "--json").stdout)
    assert {one["name"] for one in data["cluster"]["partitions"]} == {"main", "small", "spare", "urgent"}
    assert data["site"]["default"]["partition"] == "main"
