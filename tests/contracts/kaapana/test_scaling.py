"""Scale rules take effect: what a container gets follows the channels it reads, and a run says how it came about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from trivet.cli.run_view import run_lines
from trivet.contracts import kaapana
from trivet.engines import Attempt, Capacity, Ended, EngineEvent, Started
from trivet.records import journal
from trivet.records.directory import RunDirectory
from trivet.runs import start
from trivet.runs.driver import Driver
from trivet.runs.options import Options
from trivet.runs.reporting import Reporter
from trivet.tasks.call import bind
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason
from trivet.tasks.task import Program
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, AttemptId, Invocation, Outcome

RULE = {"scale_factor": 100, "type": "limit", "mode": "max_item_sum", "target_glob": "*.nrrd"}


@pytest.fixture
def where(tmp_path: Path) -> AttemptDirectory:
    return AttemptDirectory("run/0/1", tmp_path / "work" / "0" / "1")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two items; the larger holds 50 million bytes that count (on disk: next to nothing)."""
    channel = tmp_path / "scans"
    for name, size in {
        "p1/a.nrrd": 20_000_000,
        "p7/a.nrrd": 49_000_000,
        "p7/b.nrrd": 1_000_000,
        "p7/c.txt": 99,
    }.items():
        path = channel / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(size)
    return channel


def moving(rule=RULE, **more):
    return [{"name": "moving", "mounted_path": "/moving", "scale_rule": rule} | more]


def staged(read, data, values, where) -> Invocation:
    [task] = kaapana.tasks(read(data, image="tools:1"))
    call = bind(task, {name: FileRef(str(path)) for name, path in values.items()})
    [unit] = kaapana.plan(call, 0, ())
    return kaapana.stage(call, unit, where)


def test_the_limit_follows_the_data(read, container, where, scans) -> None:
    data = container(inputs=moving(), resources={"limits": {"memory": "2000Mi", "cpu": "2"}})
    invocation = staged(read, data, {"moving": scans}, where)
    assert invocation.resources.memory == 5_500_000_000
    assert invocation.resources.cpus == 2
    assert invocation.pod is not None
    assert invocation.pod.resources == {"limits": {"memory": "5500000000", "cpu": "2"}}
    [note] = invocation.notes
    assert (note.code, note.severity) == ("K026", "info")
    for word in ("5,500,000,000", "moving", "50,000,000", "p7", "100*n", "1.1", "2000Mi"):
        assert word in note.message


def test_every_engine_gets_the_same_numbers(read, container, where, scans) -> None:
    request = {"name": "fixed", "mounted_path": "/fixed", "scale_rule": RULE | {"scale_factor": 7, "type": "request"}}
    values = {"moving": scans, "fixed": scans}
    invocation = staged(read, container(inputs=[*moving(), request]), values, where)
    assert invocation.pod is not None
    assert invocation.pod.resources == {"limits": {"memory": "5500000000"}, "requests": {"memory": "385000000"}}
    assert invocation.resources.memory == int(invocation.pod.resources["limits"]["memory"])
    assert [note.message.partition(" bytes")[0] for note in invocation.notes] == [
        "memory limit 5,500,000,000",
        "memory request 385,000,000",
    ]


def test_a_limit_of_the_template_or_of_a_rule_alone_is_enough(read, task, template, where, scans) -> None:
    """The public implementation needs a limit in the task, or it crashes."""
    inline = template(inputs=moving(), resources={"limits": {"memory": "6G"}})
    data = task(taskTemplate=inline, inputs=[{"name": "moving", "volume_source": {"host_path": str(scans)}}])
    assert staged(read, data, {}, where).resources.memory == 6_000_000_000
    inline = template(inputs=moving())
    assert staged(read, data | {"taskTemplate": inline}, {}, where).resources.memory == 5_500_000_000


def test_a_rule_of_the_task_replaces_the_templates(read, task, template, where, scans) -> None:
    inline = template(inputs=moving())
    rule = {"complexity": "2*n", "type": "limit", "mode": "sum"}
    bound = [{"name": "moving", "volume_source": {"host_path": str(scans)}, "scale_rule": rule}]
    invocation = staged(read, task(taskTemplate=inline, inputs=bound), {}, where)
    assert invocation.resources.memory == 70_000_099 * 2 * 11 // 10 + 1


def test_fixed_limits_are_not_touched_without_a_rule(read, container, where, scans) -> None:
    data = container(inputs=[{"name": "moving", "mounted_path": "/m"}], resources={"limits": {"memory": "50Mi"}})
    invocation = staged(read, data, {"moving": scans}, where)
    assert invocation.resources.memory == 50 * 1024**2
    assert invocation.notes == ()


def test_an_empty_channel_scales_to_nothing(read, container, where, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    invocation = staged(read, container(inputs=moving()), {"moving": tmp_path / "empty"}, where)
    assert invocation.resources.memory is None
    assert [note.code for note in invocation.notes] == ["K026", "K056"]
    assert invocation.notes[0].message.startswith("memory limit none: channel `moving` n = 0 bytes")


def test_more_than_any_machine_has_is_refused_before_anything_starts(read, container, where, scans) -> None:
    rule = {"complexity": "n**9", "type": "limit", "mode": "sum"}
    with pytest.raises(ProblemsError, match=r"2\^63-1"):
        staged(read, container(inputs=moving(rule)), {"moving": scans}, where)


def test_channels_are_looked_at_before_a_run(read, container, where, scans, tmp_path) -> None:
    (scans / "root.txt").touch()
    for name in ("p1", "p8"):
        (tmp_path / "reference" / name).mkdir(parents=True)
        (tmp_path / "reference" / name / "x").touch()
    reference = {"name": "reference", "mounted_path": "/reference", "items": {"match": "moving"}}
    data = container(inputs=[*moving(), reference])
    notes = staged(read, data, {"moving": scans, "reference": tmp_path / "reference"}, where).notes
    assert [(note.code, note.severity) for note in notes] == [
        ("K026", "info"),
        ("K050", "warning"),
        ("K060", "warning"),
    ]
    assert "only in `reference`: p8; only in `moving`: p7" in notes[-1].message


def finished(read, data, values, where, items, peak=None):
    [task] = kaapana.tasks(read(data, image="tools:1"))
    call = bind(task, {name: FileRef(str(path)) for name, path in values.items()})
    [unit] = kaapana.plan(call, 0, ())
    invocation = kaapana.stage(call, unit, where)
    [output] = [Path(mount.source) for mount in invocation.mounts if mount.writable]
    for item in items:
        (output / item).mkdir()
        (output / item / "x").touch()
    return kaapana.collect(call, unit, where, Outcome(0, peak_memory=peak))


def test_items_without_a_result_are_counted_after_a_run(read, container, where, scans) -> None:
    outputs = [{"name": "nrrd", "mounted_path": "/out", "items": {"each": "moving"}}]
    result = finished(read, container(inputs=moving(), outputs=outputs), {"moving": scans}, where, ["p7"])
    assert result.ok
    assert [problem.message for problem in result.problems] == ["1 of 2 items of `moving` have no result in `nrrd`: p1"]


@pytest.mark.parametrize(("peak", "codes"), [(5_000_000_000, []), (5_000_000_001, ["K027"]), (None, [])])
def test_a_unit_that_lived_on_the_headroom_is_told(read, container, where, scans, peak, codes) -> None:
    result = finished(read, container(inputs=moving()), {"moving": scans}, where, ["p1"], peak)
    assert [problem.code for problem in result.problems] == codes


class Starting:
    """Takes what it is given, and ends every attempt well after a result was written."""

    name = "starting"

    def __init__(self) -> None:
        self.events: SimpleQueue[Sequence[EngineEvent]] = SimpleQueue()
        self.given: list[Invocation] = []

    def prepare(self, programs: Sequence[Program]) -> None: ...
    def adopt(self, attempts: Mapping[AttemptId, str | None]) -> None: ...
    def cancel(self, ids: Sequence[AttemptId], grace: float) -> None: ...
    def close(self) -> None: ...

    def submit(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self.given.append(attempt.invocation)
            for mount in attempt.invocation.mounts:
                if mount.writable:
                    (Path(mount.source) / "p1").mkdir()
                    (Path(mount.source) / "p1" / "x").touch()
            # Each unit takes ten bytes for every byte it reads, and some more.
            inputs = (Path(mount.source) for mount in attempt.invocation.mounts if not mount.writable)
            read = sum(path.stat().st_size for place in inputs for path in place.rglob("*") if path.is_file())
            outcome = Outcome(0, started=1.0, ended=2.0, peak_memory=10 * read + 1000, measured_by="test")
            self.events.put([Started(attempt.id, 1.0), Ended(attempt.id, outcome)])

    def capacity(self) -> Capacity:
        return Capacity(2, 8)


class Listening(Reporter):
    def __init__(self) -> None:
        self.notes: list[tuple[str, Problem]] = []

    def note(self, unit: str, problem: Problem) -> None:
        self.notes.append((unit, problem))


def driven(home: Path, call) -> tuple[Starting, Listening, Path]:
    engine, listener = Starting(), Listening()
    directory = start.create(call, Options(), home)
    assert Driver(directory, engine, listener).run().reason is None
    return engine, listener, directory.path


def test_a_run_hands_the_limit_over_and_tells_and_records_how_it_came_about(read, container, scans, tmp_path) -> None:
    [task] = kaapana.tasks(read(container(inputs=moving()), image="tools:1"))
    engine, listener, run = driven(tmp_path / "home", bind(task, {"moving": FileRef(str(scans))}))
    [invocation] = engine.given
    assert invocation.resources.memory == 5_500_000_000
    [(unit, note)] = listener.notes
    assert (unit, note.code) == ("0", "K026")
    record = json.loads((run / "run.json").read_text())
    assert record["unit_notes"] == [
        {"unit": "0", "code": "K026", "severity": "info", "message": note.message},
    ]
    [noted] = [line for line in journal.read(run / "journal") if line["e"] == "noted"]
    assert noted["n"][0]["message"] == note.message
    assert any(note.message in line for line in run_lines(RunDirectory(run)))
    [measured] = record["inputs"]["moving"]
    assert (measured["size"], measured["largest_file"], measured["largest_item"]) == (
        70_000_099,
        49_000_000,
        50_000_099,
    )


def test_each_unit_gets_the_limit_of_its_own_channel(read, container, tmp_path) -> None:
    places = []
    for size in (10_000_000, 30_000_000):
        place = tmp_path / str(size)
        (place / "p1").mkdir(parents=True)
        with (place / "p1" / "a.nrrd").open("wb") as stream:
            stream.truncate(size)
        places.append(FileRef(str(place)))
    [task] = kaapana.tasks(read(container(inputs=moving()), image="tools:1"))
    engine, listener, _ = driven(tmp_path / "home", bind(task, {"moving": places}, each="moving"))
    assert [invocation.resources.memory for invocation in engine.given] == [1_100_000_000, 3_300_000_000]
    assert [unit for unit, _ in listener.notes] == ["0", "1"]


def test_a_rule_nobody_can_meet_ends_the_run_with_a_word(read, container, scans, tmp_path) -> None:
    rule = {"complexity": "n**9", "type": "limit", "mode": "sum"}
    [task] = kaapana.tasks(read(container(inputs=moving(rule)), image="tools:1"))
    engine = Starting()
    directory = start.create(bind(task, {"moving": FileRef(str(scans))}), Options(), tmp_path / "home")
    result = Driver(directory, engine, Reporter()).run()
    assert engine.given == []
    assert result.reason is Reason.SUBMIT_ERROR
    assert "2^63-1" in result.message


@pytest.fixture
def experienced(container, tmp_path, monkeypatch):
    """A home with runs over channels of growing size, each ended well by the engine above; and the container file."""
    home = tmp_path / "home"
    monkeypatch.setenv("TRIVET_HOME", str(home))
    document = tmp_path / "processing-container.json"
    document.write_text(json.dumps(container(inputs=[{"name": "moving", "mounted_path": "/moving"}])))

    def run(*sizes: int, image: str = "tools:1") -> None:
        from trivet.runs.choosing import one_task

        task, _ = one_task(f"{document}#convert", image=image)
        for size in sizes:
            place = tmp_path / "data" / f"{image}-{size}" / "p1"
            place.mkdir(parents=True)
            (place / "scan").write_bytes(b"x" * size)
            driven(home, bind(task, {"moving": FileRef(str(place.parent))}))

    return document, run


def suggest(*words: str) -> int:
    from trivet.cli import main

    return main(["kaapana", "suggest-scale-rule", *words])


def test_a_rule_is_suggested_from_past_runs(experienced, capsys) -> None:
    document, run = experienced
    run(10_000, 20_000, 30_000, 40_000, 50_000)
    assert suggest(f"{document}#convert", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["channel"], found["mode"], found["units"], found["sizes"]) == ("moving", "sum", 5, [10_000, 50_000])
    assert found["current"] == {"scale_rule": {"scale_factor": 13, "type": "limit", "mode": "sum"}}
    factor = float(found["guide"]["scale_rule"].pop("complexity").removesuffix("*n"))
    assert 12 <= factor <= 12.3
    assert found["modes_alike"] == ["sum", "max_file_size", "max_item_sum"]
    assert found["measured_by"] == ["test"]


def test_a_suggestion_can_be_pasted(experienced, capsys, problems, container) -> None:
    document, run = experienced
    run(10_000, 20_000, 30_000, 40_000, 50_000)
    assert suggest(f"{document}#convert") == 0
    text = capsys.readouterr().out
    assert "5 units of convert were measured (test)" in text
    assert "n of channel `moving` (sum) was 9.8 KiB to 48.8 KiB; beyond that the rule is a guess" in text
    assert "these runs can't tell the modes sum, max_file_size, max_item_sum apart" in text
    current, guide = (json.loads("{" + part + "}") for part in _json_parts(text)[:2])
    for form in (current, guide):
        assert problems(container(inputs=[{"name": "moving", "mounted_path": "/moving"} | form])) == []


def _json_parts(text: str) -> list[str]:
    """What stands below each title."""
    return ["\n".join(part.splitlines()[1:]) for part in text.split("\n\n")[1:]]


def test_too_few_runs_are_refused_with_a_word(experienced, capsys) -> None:
    document, run = experienced
    run(10_000, 20_000)
    assert suggest(f"{document}#convert") == 1
    assert "too few runs ended well and were measured: 2; 5 are needed" in capsys.readouterr().err


def test_only_runs_of_the_image_count_when_it_is_named(experienced, capsys) -> None:
    document, run = experienced
    run(10_000, 20_000, 30_000, 40_000, 50_000)
    run(10_000, image="tools:2")
    assert suggest(f"{document}#convert", "--image", "tools:2") == 1
    assert "measured: 1;" in capsys.readouterr().err
    assert suggest(f"{document}#convert", "--image", "tools:1") == 0


def test_damaged_records_and_unknown_channels(experienced, capsys, tmp_path) -> None:
    document, run = experienced
    run(10_000, 20_000, 30_000, 40_000, 50_000)
    for number, text in enumerate(("", "{", "[]", '{"format": 1}', '{"format": 1, "result": {}, "task": 5}')):
        damaged = tmp_path / "home" / "runs" / f"damaged{number}"
        damaged.mkdir()
        (damaged / "run.json").write_text(text)
    assert suggest(f"{document}#convert") == 0
    assert suggest(f"{document}#convert", "--channel", "movin") == 1
    assert "did you mean `moving`?" in capsys.readouterr().err


def test_units_of_a_repeated_call_count_each_for_itself(experienced, capsys, tmp_path) -> None:
    from trivet.runs.choosing import one_task

    document, _ = experienced
    task, _ = one_task(f"{document}#convert", image="tools:1")
    places = []
    for size in (10_000, 20_000, 30_000, 40_000, 50_000):
        place = tmp_path / "each" / str(size) / "p1"
        place.mkdir(parents=True)
        (place / "scan").write_bytes(b"x" * size)
        places.append(FileRef(str(place.parent)))
    driven(tmp_path / "home", bind(task, {"moving": places}, each="moving"))
    assert suggest(f"{document}#convert", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["units"], found["sizes"]) == (5, [10_000, 50_000])
    assert found["current"]["scale_rule"]["scale_factor"] == 13


def test_everything_wrong_with_a_rule_is_told_at_once(problems, container):
    rule = {"type": "Limit", "mode": "all", "target_dir": "../x", "target_glob": "", "target_regex": "("}
    data = container(inputs=[{"name": "dicom", "mounted_path": "/in", "scale_rule": rule}])
    assert [problem.path[-1] for problem in problems(data)] == ["scale_rule", *rule]
