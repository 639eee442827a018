"""What a unit of a Fractal task gets beside its arguments: threads, a cache, and words for engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import fractal
from trivet.contracts.source import load
from trivet.runs.options import Options
from trivet.tasks.call import bind
from trivet.tasks.work import THREADS, AttemptDirectory, Invocation


@pytest.fixture(autouse=True)
def no_words_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*THREADS, "FRACTAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)


def stage(tmp_path: Path, meta: dict[str, Any] | None = None, **more: Any) -> Invocation:
    entry: dict[str, Any] = {"name": "T", "executable_parallel": "t.py"}
    if meta is not None:
        entry["meta_parallel"] = meta
    (tmp_path / "t.py").touch()
    (tmp_path / "__FRACTAL_MANIFEST__.json").write_text(json.dumps({"manifest_version": "2", "task_list": [entry]}))
    [task] = fractal.tasks(fractal.read(load(tmp_path / "__FRACTAL_MANIFEST__.json")))
    call = bind(task, {"zarr_url": ["/data/a"]})
    [unit] = fractal.plan(call, 0, ()) or ()
    return fractal.stage(call, unit, AttemptDirectory("r/u/1", tmp_path / "attempt", **more))


@pytest.mark.parametrize(
    ("meta", "threads"),
    [
        (None, "1"),
        ({}, "1"),
        ({"cpus_per_task": 4}, "4"),
        ({"cpus_per_task": True}, "1"),
        ({"cpus_per_task": "many"}, "1"),
        ({"cpus_per_task": 0}, "1"),
    ],
)
def test_libraries_start_as_many_threads_as_the_task_has_cpus(
    meta: dict[str, Any] | None, threads: str, tmp_path: Path
) -> None:
    environment = stage(tmp_path, meta).environment
    assert environment == dict.fromkeys(THREADS, threads)
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLOSC_NTHREADS"} <= environment.keys()


def test_the_users_own_word_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("FRACTAL_CACHE_DIR", "/my/cache")
    environment = stage(tmp_path, cache=tmp_path / "cache").environment
    assert "OMP_NUM_THREADS" not in environment
    assert environment["MKL_NUM_THREADS"] == "1"
    assert "FRACTAL_CACHE_DIR" not in environment
    assert not (tmp_path / "cache").exists()


def test_cpus_of_the_caller_change_the_threads_as_well(tmp_path: Path) -> None:
    invocation = stage(tmp_path, {"cpus_per_task": 4})
    assert Options().applied(invocation).environment["OMP_NUM_THREADS"] == "4"
    applied = Options(cpus=2).applied(invocation)
    assert set(applied.environment.values()) == {"2"}
    assert applied.resources.cpus == 2
    assert Options(cpus=0.5).applied(invocation).environment["OMP_NUM_THREADS"] == "1"


def test_tasks_have_a_cache_that_all_units_share(tmp_path: Path) -> None:
    environment = stage(tmp_path, cache=tmp_path / "cache").environment
    assert environment["FRACTAL_CACHE_DIR"] == str(tmp_path / "cache/fractal")
    assert (tmp_path / "cache/fractal").is_dir()


@pytest.mark.parametrize(("meta", "warm"), [({}, True), ({"needs_gpu": False}, True), ({"needs_gpu": True}, False)])
def test_a_script_may_be_started_warm_unless_it_holds_a_gpu(meta: dict[str, Any], warm: bool, tmp_path: Path) -> None:
    invocation = stage(tmp_path, meta)
    assert invocation.warm is warm
    assert invocation.meta == meta
