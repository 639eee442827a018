"""What units are given, and what their outputs come to."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts import fractal
from trivet.contracts.fractal.outputs import read_output
from trivet.contracts.fractal.staging import write_arguments
from trivet.contracts.source import Source
from trivet.tasks.call import bind
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Outcome, Unit, UnitResult

FAIL, NO_FILE = "FAIL", "NOFILE"
SIZE = {"type": "object", "properties": {"size": {"type": "integer", "default": 3}, "mask": {"type": "string"}}}
PARALLEL = {"executable_parallel": "c.py", "args_schema_parallel": SIZE}
NON_PARALLEL = {"executable_non_parallel": "i.py", "args_schema_non_parallel": SIZE}
COMPOUND = PARALLEL | NON_PARALLEL
CONVERTER = NON_PARALLEL | {"type": "converter_non_parallel"}


def saying(*urls: str, **more: Any) -> Any:
    return {"image_list_updates": [{"zarr_url": url, **more} for url in urls]}


def test_a_unit_for_each_image_with_its_arguments(call_of: Any, stage: Any) -> None:
    call = call_of(PARALLEL, zarr_url=["/zd//a/", "/zd/b", "/zd/a"], size=5)
    result = stage.play(call, lambda unit, arguments: None)
    assert [unit.unit for unit in stage.results] == ["par-000000-0000000", "par-000000-0000001"]
    assert stage.arguments == [{"zarr_url": "/zd/a", "size": 5}, {"zarr_url": "/zd/b", "size": 5}]
    assert result.state is RunState.FINISHED
    assert result.outputs["zarr_urls"] == ["/zd/a", "/zd/b"]


def test_the_command_is_the_script_with_two_options_in_its_own_directory(call_of: Any, tmp_path: Path) -> None:
    call = call_of(PARALLEL | {"meta_parallel": {"mem": 100}}, zarr_url=["/zd/a"])
    (unit,) = fractal.plan(call, 0, []) or ()
    where = AttemptDirectory("r/u/1", tmp_path / "r/u/1")
    invocation = fractal.stage(call, unit, where)
    assert invocation.command == (sys.executable, f"{call.task.document.base}/c.py")
    assert invocation.args == ("--args-json", f"{where.root}/args.json", "--out-json", f"{where.root}/metadiff.json")
    assert invocation.workdir == str(where.root)
    assert invocation.resources.memory == 100 * 2**20
    assert [path.name for path in where.root.iterdir()] == ["args.json"]


def test_a_script_that_went_away_is_refused_before_the_start(call_of: Any, tmp_path: Path) -> None:
    call = call_of(PARALLEL, zarr_url=["/zd/a"])
    (Path(call.task.document.base) / "c.py").unlink()
    with pytest.raises(ProblemsError, match="does not exist"):
        fractal.stage(call, Unit("par-000000-0000000", values={"zarr_url": "/zd/a"}), AttemptDirectory("a", tmp_path))


def test_a_file_reference_becomes_its_path(call_of: Any, stage: Any) -> None:
    schema = {"properties": {"folder": {"type": "string", "format": "directory-path"}, "note": {"type": "string"}}}
    entry = CONVERTER | {"args_schema_non_parallel": schema}
    stage.play(call_of(entry, zarr_dir="/zd", folder=FileRef("/images")), lambda unit, arguments: None)
    assert stage.arguments == [{"zarr_dir": "/zd", "folder": "/images"}]


def test_a_compound_task_runs_its_list_once_for_equal_items(call_of: Any, stage: Any) -> None:
    call = call_of(COMPOUND, zarr_urls=["/zd/b", "/zd/a"], zarr_dir="/zd/", **{"init.size": 1, "compute.size": 2})
    listed = [{"zarr_url": "/zd/n/"}, {"zarr_url": "/zd/n"}, {"zarr_url": "/zd/n", "init_args": {"k": 1}}]

    def reply(unit: Unit, arguments: Any) -> Any:
        return {"parallelization_list": listed} if unit.phase == 0 else saying("/zd/n", origin="/zd/b")

    result = stage.play(call, reply)
    assert stage.arguments == [
        {"zarr_urls": ["/zd/b", "/zd/a"], "zarr_dir": "/zd", "size": 1},
        {"zarr_url": "/zd/n", "init_args": {}, "size": 2},
        {"zarr_url": "/zd/n", "init_args": {"k": 1}, "size": 2},
    ]
    assert [found.unit for found in stage.results] == ["non_par", "par-000000-0000000", "par-000000-0000001"]
    assert result.outputs["zarr_urls"] == ["/zd/n"]


def test_an_empty_list_means_that_nothing_is_computed(call_of: Any, stage: Any) -> None:
    call = call_of(COMPOUND, zarr_urls=["/zd/a"], zarr_dir="/zd")
    result = stage.play(call, lambda unit, arguments: {"parallelization_list": []})
    assert (len(stage.results), result.state) == (1, RunState.FINISHED)


def test_a_stopped_compound_task_updates_nothing_by_default(call_of: Any) -> None:
    call = call_of(COMPOUND, zarr_urls=["/zd/a"], zarr_dir="/zd")
    listed = [{"zarr_url": "/zd/n", "init_args": {}}, {"zarr_url": "/zd/m", "init_args": {}}]
    results = [UnitResult("non_par", note=listed), UnitResult("par-000000-0000000")]
    assert fractal.conclude(call, results).outputs["changes"]["image_list_updates"] == []


def test_without_a_schema_arguments_are_passed_on_as_text(call_of: Any, stage: Any) -> None:
    entry = {"executable_non_parallel": "i.py", "executable_parallel": "c.py"}
    call = call_of(entry, zarr_urls=["/zd/a"], zarr_dir="/zd", **{"init.n": "1", "compute.n": "2", "plain": "3"})
    items = {"parallelization_list": [{"zarr_url": "/zd/a"}]}
    stage.play(call, lambda unit, arguments: items if unit.phase == 0 else None)
    assert stage.arguments[0] == {"zarr_urls": ["/zd/a"], "zarr_dir": "/zd", "n": "1"}
    assert stage.arguments[1] == {"zarr_url": "/zd/a", "init_args": {}, "n": "2", "plain": "3"}


def test_a_non_parallel_task_may_be_repeated_over_an_argument(task_of: Any, stage: Any) -> None:
    call = bind(task_of(**NON_PARALLEL), {"zarr_urls": ["/zd/a"], "zarr_dir": "/zd", "size": [1, 2]}, each="size")
    stage.play(call, lambda unit, arguments: None)
    assert [arguments["size"] for arguments in stage.arguments] == [1, 2]


def test_a_compound_task_may_not(task_of: Any) -> None:
    call = bind(task_of(**COMPOUND), {"zarr_urls": ["/zd/a"], "zarr_dir": "/zd", "init.size": [1, 2]}, each="init.size")
    with pytest.raises(ProblemsError, match=r"init\.size"):
        fractal.plan(call, 0, [])


def test_the_first_failure_in_unit_order_gives_the_reason_and_good_updates_stay(call_of: Any, stage: Any) -> None:
    call = call_of(PARALLEL, zarr_url=["/zd/a", "/zd/b", "/zd/c"])
    replies = {"/zd/a": saying("/zd/a2"), "/zd/b": {"filters": {}}, "/zd/c": FAIL}
    result = stage.play(call, lambda unit, arguments: replies[arguments["zarr_url"]])
    assert (result.state, result.reason) == (RunState.FAILED, Reason.INVALID_OUTPUT)
    assert "2 of 3 units failed; unit par-000000-0000001" in result.message
    assert "`filters`" in result.message
    assert result.outputs["zarr_urls"] == ["/zd/a2"]


def test_units_that_contradict_each_other_fail_and_the_rest_is_kept(call_of: Any, stage: Any) -> None:
    call = call_of(PARALLEL, zarr_url=["/zd/a", "/zd/b", "/zd/c"])
    replies = {
        "/zd/a": saying("/zd/n", attributes={"k": 1}),
        "/zd/b": saying("/zd/b"),
        "/zd/c": saying("/zd/n", attributes={"k": 2}),
    }
    result = stage.play(call, lambda unit, arguments: replies[arguments["zarr_url"]])
    assert result.reason is Reason.INVALID_OUTPUT
    assert result.message.startswith("2 of 3 units failed; unit par-000000-0000000")
    assert "/zd/n" in result.message
    assert result.outputs["zarr_urls"] == ["/zd/b"]


def test_new_images_outside_of_zarr_dir_are_refused_and_given_ones_are_not(call_of: Any, stage: Any) -> None:
    call = call_of(NON_PARALLEL, zarr_urls=["/elsewhere/a"], zarr_dir="/zd")
    assert stage.play(call, lambda unit, arguments: saying("/elsewhere/a")).state is RunState.FINISHED
    result = stage.play(call, lambda unit, arguments: saying("/elsewhere/b", "/zd/x"))
    assert result.reason is Reason.INVALID_OUTPUT
    (problem,) = result.problems
    assert problem.path == ("image_list_updates", 0, "zarr_url")
    assert problem.file.endswith("metadiff.json")


def test_removed_images_are_not_gone_on_with(call_of: Any, stage: Any) -> None:
    call = call_of(NON_PARALLEL, zarr_urls=["/zd/a", "/zd/b"], zarr_dir="/zd")
    result = stage.play(call, lambda unit, arguments: {"image_list_removals": ["/zd/a/"]})
    assert result.outputs == {
        "zarr_urls": ["/zd/b"],
        "changes": {"image_list_updates": [], "image_list_removals": ["/zd/a"]},
    }


@pytest.mark.parametrize("nothing", [NO_FILE, None, {}, {"image_list_updates": []}])
def test_no_output_means_that_the_given_images_were_processed(call_of: Any, stage: Any, nothing: Any) -> None:
    call = call_of(NON_PARALLEL, zarr_urls=["/zd/a"], zarr_dir="/zd")
    result = stage.play(call, lambda unit, arguments: nothing)
    assert result.outputs["changes"] == {
        "image_list_updates": [{"zarr_url": "/zd/a", "origin": None, "attributes": {}, "types": {}}],
        "image_list_removals": [],
    }


@pytest.mark.parametrize(
    "text", ["", "{", '{"image_list_updates": [{"zarr_url": "/zd/a", "attributes": {"x": NaN}}]}', "[]"]
)
def test_an_output_that_cannot_be_read_fails_its_unit(call_of: Any, stage: Any, text: str) -> None:
    call = call_of(NON_PARALLEL, zarr_urls=["/zd/a"], zarr_dir="/zd")
    result = stage.play(call, lambda unit, arguments: text)
    assert result.reason is Reason.INVALID_OUTPUT


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_an_output_that_is_no_file_is_not_waited_for(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "out.json")
    problems: list[Problem] = []
    assert read_output(tmp_path / "out.json", problems) is None
    assert "no regular file" in problems[0].message


@pytest.mark.parametrize("mem", [None, 2])
def test_units_are_named_in_batches_when_the_task_asks_for_it(call_of: Any, mem: Any) -> None:
    call = call_of(PARALLEL | {"meta_parallel": {"parallel_tasks_per_job": mem}}, zarr_url=["/a", "/b", "/c"])
    names = [unit.name for unit in fractal.plan(call, 0, []) or ()]
    assert names[2] == ("par-000001-0000002" if mem else "par-000000-0000002")


def test_a_converter_goes_on_with_what_it_made(call_of: Any, stage: Any) -> None:
    result = stage.play(call_of(CONVERTER, zarr_dir="/zd"), lambda unit, arguments: saying("/zd/p/A/1/0"))
    assert result.outputs["zarr_urls"] == ["/zd/p/A/1/0"]
    assert stage.play(call_of(CONVERTER, zarr_dir="/zd"), lambda unit, arguments: None).outputs["zarr_urls"] == []


LEAVES: Any = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["/zd/a", "/zd/n", "x", "", "a\x00"])
KEYS = "image_list_updates image_list_removals parallelization_list zarr_url origin attributes types init_args other"
JSON: Any = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=3),
    max_leaves=8,
)
MANIFEST = {"manifest_version": "2", "task_list": [{"name": "T", **COMPOUND}]}
(TASK,) = fractal.tasks(fractal.read(Source("m.json", json.dumps(MANIFEST), Path("/nowhere"))))


@given(JSON, st.sampled_from([0, 1]))
@settings(max_examples=150, deadline=None)
def test_no_output_makes_collecting_or_concluding_raise(tmp_path_factory: Any, output: Any, phase: int) -> None:
    call = bind(TASK, {"zarr_urls": ["/zd/a", "/zd/b"], "zarr_dir": "/zd"})
    root = tmp_path_factory.getbasetemp() / "fuzz"
    root.mkdir(exist_ok=True)
    (root / "metadiff.json").write_text(json.dumps(output))
    unit = Unit("non_par") if phase == 0 else Unit("par-000000-0000000", 1, {"zarr_url": "/zd/a", "init_args": {}})
    result = fractal.collect(call, unit, AttemptDirectory("a", root), Outcome(0))
    if phase == 0:
        planned = fractal.plan(call, 1, [result])
        assert result.ok or planned == []
    else:
        first = UnitResult("non_par", note=[{"zarr_url": "/zd/a", "init_args": {}}])
        concluded = fractal.conclude(call, [first, result])
        assert (concluded.state is RunState.FINISHED) is result.ok


def test_staging_once_more_leaves_the_arguments_alone_which_the_unit_may_be_reading(tmp_path: Path) -> None:
    path = tmp_path / "args.json"
    write_arguments(path, {"zarr_url": "/zd/a"})
    os.utime(path, ns=(1, 1))
    write_arguments(path, {"zarr_url": "/zd/a"})
    assert path.stat().st_mtime_ns == 1
    path.write_text('{"zarr_')  # torn by a crash
    write_arguments(path, {"zarr_url": "/zd/a"})
    assert json.loads(path.read_text()) == {"zarr_url": "/zd/a"}
