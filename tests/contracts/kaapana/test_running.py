"""Staging and collecting: mounts, environment, command, outputs, and the channel convention."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Mount, Outcome


@pytest.fixture
def where(tmp_path):
    return AttemptDirectory("run/0/1", tmp_path / "work" / "0" / "1")


@pytest.fixture
def scans(tmp_path):
    directory = tmp_path / "my scans [1]"
    directory.mkdir()
    return directory


def _staged(read, data, values, where):
    [task] = kaapana.tasks(read(data, image="tools:1"))
    call = bind(task, values)
    [unit] = kaapana.plan(call, 0, ())
    assert kaapana.plan(call, 1, ()) is None
    return call, unit, kaapana.stage(call, unit, where)


def test_channels_are_mounted_and_the_command_replaces_the_entrypoint(read, container, where, scans):
    data = container(command=["/bin/sh", "run.sh"], resources={"limits": {"memory": "1Ki"}})
    _, _, invocation = _staged(read, data, {"dicom": FileRef(str(scans))}, where)
    output = where.root / "outputs" / "nrrd"
    assert invocation.mounts == (Mount(str(scans), "/data/in"), Mount(str(output), "/data/out", writable=True))
    assert (invocation.command, invocation.args) == (("/bin/sh", "run.sh"), ())
    assert invocation.resources.memory == 1024
    assert invocation.environment == {}
    assert not invocation.network
    assert output.is_dir()
    assert output.stat().st_mode & 0o777 == 0o777


def test_without_a_command_the_image_runs_its_own(read, container, where, scans):
    _, _, invocation = _staged(read, container(), {"dicom": FileRef(str(scans))}, where)
    assert invocation.command is None


def test_two_channels_may_share_a_directory(read, container, where, scans):
    channels = [{"name": "a", "mounted_path": "/a"}, {"name": "b", "mounted_path": "/b"}]
    _, _, invocation = _staged(
        read, container(inputs=channels), {"a": FileRef(str(scans)), "b": FileRef(str(scans))}, where
    )
    assert [mount.target for mount in invocation.mounts if mount.source == str(scans)] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ({"value": "007", "type": "int"}, None, "007"),
        ({"value": "007", "type": "int"}, 7, "007"),
        ({"value": "007", "type": "int"}, 100, "100"),
        ({"value": "False", "type": "boolean"}, None, "False"),
        ({"value": "False", "type": "boolean"}, True, "True"),
        ({"value": "0", "type": "boolean"}, True, "1"),
        ({"value": "yes", "type": "boolean"}, False, "no"),
        ({"value": "", "type": "boolean"}, True, "true"),
        ({"value": ""}, None, ""),
        ({"value": "x"}, "$(rm -rf /)", "$(rm -rf /)"),
        ({"value": "a", "choices": ["a", "b"]}, "b", "b"),
    ],
)
def test_variables_are_texts_in_the_style_of_their_default(read, container, where, variable, value, text):
    data = container(inputs=[], env=[{"name": "A", **variable}])
    _, _, invocation = _staged(read, data, {} if value is None else {"A": value}, where)
    assert invocation.environment == {"A": text}


def test_names_of_variables_not_of_ports_reach_the_container(read, container, where, scans):
    data = container(env=[{"name": "dicom", "value": "x"}])
    _, _, invocation = _staged(read, data, {"dicom": FileRef(str(scans)), "EXTRA": "1"}, where)
    assert invocation.environment == {"dicom": "x", "EXTRA": "1"}


def test_a_missing_input_is_refused_and_never_created(read, container, where, tmp_path):
    with pytest.raises(ProblemsError, match="there is no directory"):
        _staged(read, container(), {"dicom": FileRef(str(tmp_path / "gone"))}, where)
    assert not (tmp_path / "gone").exists()
    assert not where.root.exists()


def test_staging_twice_keeps_what_is_there(read, container, where):
    call, unit, first = _staged(read, container(inputs=[]), {}, where)
    (where.root / "outputs" / "nrrd" / "item").mkdir()
    assert kaapana.stage(call, unit, where) == first
    assert (where.root / "outputs" / "nrrd" / "item").is_dir()


@pytest.mark.parametrize("name", ["../../evil", "/etc", "..", "a/b", "ü", ".hidden"])
def test_odd_channel_names_stay_below_the_attempt(read, container, where, name):
    data = container(inputs=[], outputs=[{"name": name, "mounted_path": "/out"}])
    call, unit, invocation = _staged(read, data, {}, where)
    made = Path(invocation.mounts[0].source)
    assert made.resolve().parent == (where.root / "outputs").resolve()
    (made / "item").mkdir()
    (made / "item" / "x").touch()
    assert kaapana.collect(call, unit, where, Outcome(0)).outputs == {name: FileRef(str(made))}


def test_outputs_are_collected_and_folded(read, container, where):
    call, unit, _ = _staged(read, container(inputs=[]), {}, where)
    item = where.root / "outputs" / "nrrd" / "item-1"
    item.mkdir()
    (item / "a.nrrd").write_text("x")
    result = kaapana.collect(call, unit, where, Outcome(0))
    assert result.ok
    assert result.problems == ()
    folded = kaapana.conclude(call, [result])
    assert folded.state is RunState.FINISHED
    assert folded.outputs == {"nrrd": FileRef(str(item.parent))}


def test_an_empty_output_channel_is_a_missing_output(read, container, where):
    outputs = [{"name": "full", "mounted_path": "/full"}, {"name": "empty", "mounted_path": "/empty"}]
    call, unit, _ = _staged(read, container(inputs=[], outputs=outputs), {}, where)
    (where.root / "outputs" / "full" / "item").mkdir()
    result = kaapana.collect(call, unit, where, Outcome(0))
    assert result.reason is Reason.MISSING_OUTPUT
    assert result.message == "nothing was written to output channel `empty` (/empty)"
    assert list(result.outputs) == ["full"]


def test_a_failed_container_keeps_its_exit_code(read, container, where):
    call, unit, _ = _staged(read, container(inputs=[]), {}, where)
    result = kaapana.collect(call, unit, where, Outcome(126))
    assert (result.reason, result.exit_code) == (Reason.EXIT_CODE, 126)
    assert kaapana.conclude(call, [result]).state is RunState.FAILED


def test_departures_from_the_convention_are_warnings(read, container, where, tmp_path):
    call, unit, _ = _staged(read, container(inputs=[]), {}, where)
    channel = where.root / "outputs" / "nrrd"
    for name in ("good", "has space", "-dash", "star*", "Case", "case", "new\nline"):
        (channel / name).mkdir()
        (channel / name / "x").touch()
    (channel / "empty").mkdir()
    (channel / "root.txt").touch()
    (channel / "inside").symlink_to("good")
    (channel / "outside").symlink_to(tmp_path)
    os.mkdir(os.fsencode(channel) + b"/byte\xff")  # noqa: PTH102
    result = kaapana.collect(call, unit, where, Outcome(0))
    assert result.ok
    assert {problem.severity for problem in result.problems} == {"warning"}
    messages = {problem.code: problem.message.partition(": ")[2] for problem in result.problems}
    assert messages == {
        "K050": "root.txt",
        "K051": "'-dash', 'byte\\udcff', 'has space', 'new\\nline', 'star*'",
        "K052": "'byte\\udcff', empty",
        "K053": "outside",
        "K054": "case",
    }
    for problem in result.problems:
        problem.message.encode("utf-8")
