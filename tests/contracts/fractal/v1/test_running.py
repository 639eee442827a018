"""Tasks of version 1: what units are given, and what their outputs come to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.contracts import fractal
from trivet.contracts.fractal.manifest import IDENTITY
from trivet.contracts.fractal.v1.units import gathered
from trivet.contracts.source import Source
from trivet.runs.options import Options
from trivet.tasks.call import Call, bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import Task
from trivet.tasks.work import AttemptDirectory, Outcome, RunResult, UnitResult

SCHEMA = {
    "type": "object",
    "properties": {
        "input_paths": {"type": "array", "items": {"type": "string"}},
        "component": {"type": "string"},
        "size": {"type": "integer", "default": 3},
        "mask": {"type": "string"},
    },
}
METADATA: Any = {
    "plate": ["p.zarr"],
    "well": ["p.zarr/B/03"],
    "image": ["p.zarr/B/03/0", "p.zarr/B/03/1"],
    "num_levels": 5,
}
GIVEN: Any = {"input_paths": ["/in"], "output_path": "/out/"}
GATHER: Any = {"gather-parallel-output": True}
LOST = object()
"""A unit that fails."""


@pytest.fixture
def task_of(tmp_path: Path) -> Callable[..., Task]:
    """The only task of a package of version 1; ``command`` as somebody registered it."""

    def make(level: str | None = None, name: str = "Old", **entry: Any) -> Task:
        (tmp_path / "old.py").touch()
        meta = {"parallelization_level": level} if level else {}
        entry = {"name": name, "input_type": "Any", "output_type": "Any", "meta": meta, "args_schema": SCHEMA, **entry}
        if "command" not in entry:
            entry["executable"] = "old.py"
        text = json.dumps({"manifest_version": "1", "task_list": [entry]})
        registered = {IDENTITY: json.dumps({"name": "mine", "versions": {"mine": "1"}})} if "command" in entry else {}
        document = fractal.read(Source("__FRACTAL_MANIFEST__.json", text, tmp_path, registered))
        assert not [problem for problem in fractal.check(document) if problem.severity == "error"]
        (task,) = fractal.tasks(document)
        return task

    return make


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., RunResult]:
    """A run without processes: what a unit says is written where its output belongs. Arguments gather in ``seen``."""

    def play(call: Call, *said: Any, seen: list[Mapping[str, Any]] | None = None) -> RunResult:
        units = fractal.plan(call, 0, [])
        assert units is not None
        assert fractal.plan(call, 1, []) is None
        results: list[UnitResult] = []
        for number, unit in enumerate(units):
            where = AttemptDirectory(unit.name, Path(mkdtemp(dir=tmp_path)))
            invocation = fractal.stage(call, unit, where)
            words = dict(zip(invocation.args[::2], invocation.args[1::2], strict=True))
            if seen is not None:
                seen.append(json.loads(Path(words["-j"]).read_text()))
            assert not Path(words["--metadata-out"]).exists()
            answer = said[number] if number < len(said) else None
            if isinstance(answer, str):
                Path(words["--metadata-out"]).write_text(answer)
            elif answer is not None and answer is not LOST:
                Path(words["--metadata-out"]).write_text(json.dumps(answer))
            results.append(fractal.collect(call, unit, where, Outcome(1 if answer is LOST else 0)))
        return fractal.conclude(call, results)

    return play


def test_the_command_is_that_of_version_1(task_of: Any, tmp_path: Path) -> None:
    meta = {"cpus_per_task": 2, "mem": 100, "executor": "gpu", "parallelization_level": "image"}
    call = bind(task_of(meta=meta), {**GIVEN, "metadata": METADATA})
    unit = fractal.plan(call, 0, [])[0]  # type: ignore[index]
    where = AttemptDirectory("x", tmp_path / "job", "par-000000-0000000-")
    invocation = fractal.stage(call, unit, where)
    assert invocation.command == (sys.executable, f"{tmp_path}/old.py")
    root = f"{tmp_path}/job/par-000000-0000000-"
    assert invocation.args == ("-j", f"{root}args.json", "--metadata-out", f"{root}metadiff.json")
    assert (invocation.resources.cpus, invocation.resources.memory) == (2, 100 * 2**20)
    assert invocation.meta == {"cpus_per_task": 2, "mem": 100}
    assert invocation.warm


def test_a_task_that_is_run_once_is_told_all_and_updates_the_metadata(task_of: Any, play: Any) -> None:
    seen: list[Any] = []
    call = bind(task_of(), {**GIVEN, "metadata": METADATA, "mask": "m"})
    result = play(call, {"num_levels": 2, "image": ["q.zarr/B/03/0"], "new": None}, seen=seen)
    assert seen == [{"input_paths": ["/in"], "output_path": "/out", "metadata": METADATA, "size": 3, "mask": "m"}]
    assert result.state is RunState.FINISHED
    assert result.outputs == {"metadata": {**METADATA, "num_levels": 2, "image": ["q.zarr/B/03/0"], "new": None}}


@pytest.mark.parametrize("said", [None, "null", {}])
def test_nothing_said_leaves_the_metadata(task_of: Any, play: Any, said: Any) -> None:
    assert play(bind(task_of(), GIVEN), said).outputs == {"metadata": {}}


@pytest.mark.parametrize("said", ["[1]", '"x"', "{", '{"a": NaN}'])
def test_output_that_is_no_object_fails_the_unit(task_of: Any, play: Any, said: str) -> None:
    result = play(bind(task_of(), {**GIVEN, "metadata": METADATA}), said)
    assert (result.state, result.reason) == (RunState.FAILED, Reason.INVALID_OUTPUT)
    assert result.outputs == {"metadata": METADATA}


def test_a_parallel_task_has_a_unit_for_each_component_and_is_not_told_of_the_images(task_of: Any, play: Any) -> None:
    seen: list[Any] = []
    result = play(bind(task_of("image"), {**GIVEN, "metadata": METADATA}), seen=seen)
    assert [arguments["component"] for arguments in seen] == METADATA["image"]
    assert all(list(arguments["metadata"]) == ["plate", "well", "num_levels"] for arguments in seen)
    assert result.outputs == {"metadata": METADATA}


def test_some_tasks_are_told_of_the_images_all_the_same(task_of: Any, play: Any) -> None:
    seen: list[Any] = []
    play(bind(task_of("well", "Convert Metadata Components from 2D to 3D"), {**GIVEN, "metadata": METADATA}), seen=seen)
    assert [arguments["metadata"] for arguments in seen] == [METADATA]


def test_components_can_be_named(task_of: Any, play: Any) -> None:
    seen: list[Any] = []
    play(bind(task_of("image"), {**GIVEN, "component": ["p.zarr/C/05/2", "p.zarr/C/05/2"]}), seen=seen)
    assert [arguments["component"] for arguments in seen] == ["p.zarr/C/05/2"]
    assert seen[0]["metadata"] == {}


@pytest.mark.parametrize(
    ("metadata", "code"), [({}, "F030"), ({"image": "p"}, "F031"), ({"image": [1]}, "F031"), ({"image": []}, "F031")]
)
def test_components_nobody_knows_are_refused_before_anything_starts(task_of: Any, metadata: Any, code: str) -> None:
    call = bind(task_of("image"), {**GIVEN, "metadata": metadata})
    assert [problem.code for problem in fractal.refusals(call)] == [code]
    with pytest.raises(ProblemsError, match="`image`"):
        fractal.plan(call, 0, [])


def test_a_parallel_task_is_not_repeated_over_an_argument_as_well(task_of: Any) -> None:
    call = bind(task_of("image"), {**GIVEN, "metadata": METADATA, "size": [1, 2]}, each="size")
    assert [problem.code for problem in fractal.refusals(call)] == ["F023"]


def test_a_task_that_is_run_once_can_be_repeated_over_an_argument(task_of: Any, play: Any) -> None:
    seen: list[Any] = []
    result = play(bind(task_of(), {**GIVEN, "size": [1, 2]}, each="size"), {"a": 1, "b": 1}, {"a": 2}, seen=seen)
    assert [arguments["size"] for arguments in seen] == [1, 2]
    assert result.outputs == {"metadata": {"a": 2, "b": 1}}


def test_what_parallel_units_say_is_ignored_and_that_is_told(task_of: Any, play: Any) -> None:
    result = play(bind(task_of("image"), {**GIVEN, "metadata": METADATA}), {"num_levels": 1}, "no JSON")
    assert result.state is RunState.FINISHED
    assert result.outputs == {"metadata": METADATA}
    assert [(problem.code, problem.severity) for problem in result.problems][1:] == [("F032", "info")]
    assert result.problems[0].severity == "warning"  # a file that can't be read


def test_what_parallel_units_say_can_be_gathered(task_of: Any, play: Any) -> None:
    call = bind(task_of("image"), {**GIVEN, **GATHER, "metadata": METADATA})
    seen: list[Any] = []
    result = play(call, {"cells": 3, "num_levels": 1}, {"cells": [4]}, seen=seen)
    assert result.outputs == {"metadata": {**METADATA, "cells": [3, [4]], "num_levels": [1]}}
    assert not any("gather" in name for arguments in seen for name in arguments)
    assert play(call, {"cells": 3}, "[1]").reason is Reason.INVALID_OUTPUT


def test_nothing_is_gathered_of_a_run_that_failed(task_of: Any, play: Any) -> None:
    call = bind(task_of("image"), {**GIVEN, **GATHER, "metadata": METADATA})
    result = play(call, {"cells": 3}, LOST)
    assert (result.state, result.reason) == (RunState.FAILED, Reason.EXIT_CODE)
    assert result.outputs == {"metadata": METADATA}
    assert "unit par-000000-0000001" in result.message


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers())))
def test_gathering_keeps_every_value_once_in_unit_order(said: list[dict[str, int]]) -> None:
    lists = gathered(said)
    assert sum(map(len, lists.values())) == sum(map(len, said))
    for name, values in lists.items():
        rest = iter(values)
        assert all(next(rest) == one[name] for one in said if name in one)


def test_without_a_schema_any_argument_is_passed_on(task_of: Any, play: Any) -> None:
    seen: list[Any] = []
    task = task_of("image", args_schema=None)
    play(bind(task, {**GIVEN, **GATHER, "component": ["c"], "anything": "x"}), seen=seen)
    assert seen == [
        {"input_paths": ["/in"], "output_path": "/out", "metadata": {}, "anything": "x", "component": "c"},
    ]


def test_a_registered_command_is_split_and_looked_up(task_of: Any, tmp_path: Path) -> None:
    task = task_of(command="sh '/a b/my task.sh' --fast", source="mine")
    call = bind(task, GIVEN)
    assert fractal.refusals(call) == []
    (unit,) = fractal.plan(call, 0, []) or ()
    invocation = fractal.stage(call, unit, AttemptDirectory("x", tmp_path / "w"))
    assert (invocation.command or ())[1:] == ("/a b/my task.sh", "--fast")
    assert invocation.args[0] == "-j"
    assert not invocation.warm


def test_a_script_that_is_gone_is_told_before_anything_starts(task_of: Any, tmp_path: Path) -> None:
    call = bind(task_of(), GIVEN)
    (tmp_path / "old.py").unlink()
    assert [problem.code for problem in fractal.refusals(call)] == ["F020"]


def test_the_old_servers_own_configuration_is_told_to_be_unknown(task_of: Any) -> None:
    call = bind(task_of(meta={"executor": "cpu-low"}), GIVEN)
    assert [(problem.code, problem.severity) for problem in fractal.refusals(call)] == [("F033", "info")]


def test_a_cold_run_is_cold(task_of: Any, tmp_path: Path) -> None:
    call = bind(task_of(), GIVEN)
    (unit,) = fractal.plan(call, 0, []) or ()
    invocation = fractal.stage(call, unit, AttemptDirectory("x", tmp_path / "w"))
    assert not replace(Options(), cold=True).applied(invocation).warm
