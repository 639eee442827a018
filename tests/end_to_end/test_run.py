"""Runs through the real command line: results, records, logs, exit codes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from .conftest import CommandLine, eventually, processes_of


def test_a_task_runs_from_its_file_to_its_results(trivet: CommandLine) -> None:
    photo = trivet.cwd / "photo.bin"
    photo.write_bytes(b"light" * 1000)
    task = trivet.task(
        command=["sh", "-c", "echo measuring >&2; wc -c < {photo} > {size}; cp {photo} {copy}"],
        inputs={"photo": "image"},
        outputs={"size": "integer", "copy": {"type": "file", "path": "copy.bin"}},
    )
    done = trivet("run", task, "photo=@photo.bin", "--json")
    answer = json.loads(done.stdout)
    assert answer["state"] == "FINISHED"
    assert answer["outputs"]["size"] == 5000
    copy = answer["outputs"]["copy"]
    assert Path(copy["$file"]).read_bytes() == b"light" * 1000
    assert copy["sha256"] == hashlib.sha256(b"light" * 1000).hexdigest()
    assert "measuring" in done.stderr

    record = trivet.record()
    assert record["inputs"]["photo"] == [
        {"path": str(photo), "size": 5000, "sha256": hashlib.sha256(photo.read_bytes()).hexdigest()}
    ]
    states = [change["state"] for change in record["history"]]
    assert states == ["CREATED", "PROVISIONED", "QUEUING", "QUEUED", "RUNNING", "FINISHED"]
    assert record["usage"]["peak_memory"] > 0
    assert record["usage"]["measured_by"]
    assert record["task"]["document"]["texts"][task] == Path(task).read_text()
    assert trivet("logs", "last").stdout == "measuring\n"
    assert not (Path(answer["directory"]) / "work").exists()


def test_a_run_is_repeated_from_its_record_alone(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo {n} > {out}"], inputs={"n": "integer"}, outputs={"out": "integer"})
    trivet("run", task, "n=7")
    Path(task).unlink()
    [first] = trivet.runs()
    again = json.loads(trivet("run", f"run:{first.name}", "--json").stdout)
    assert again["outputs"] == {"out": 7}
    assert again["id"] != first.name


def test_an_output_of_a_run_is_the_input_of_the_next(trivet: CommandLine) -> None:
    make = trivet.task("make", command=["sh", "-c", "echo abc > {text}"], outputs={"text": "file"})
    count = trivet.task(
        "count", command=["sh", "-c", "wc -c < {text} > {n}"], inputs={"text": "file"}, outputs={"n": "integer"}
    )
    trivet("run", make)
    done = trivet("run", count, "--input", "text=run:last/text", "--json")
    assert json.loads(done.stdout)["outputs"] == {"n": 4}
    wrong = trivet("run", count, "--input", "text=run:last/text", code=1)
    assert "has no output `text`" in wrong.stderr
    assert "`n`" in wrong.stderr


def test_a_task_repeated_over_a_list_gives_lists(trivet: CommandLine) -> None:
    task = trivet.task(
        command=["sh", "-c", "test {n} != 2 || exit 9; expr {n} '*' {n} > {square}; echo did {n}"],
        inputs={"n": "integer"},
        outputs={"square": "integer"},
    )
    done = trivet("run", task, "n=[1,3,4]", "--each", "n", "--json", "--slots", "2")
    assert json.loads(done.stdout)["outputs"] == {"square": [1, 9, 16]}
    assert trivet("logs", "last").stdout == "==> 0 <==\ndid 1\n==> 1 <==\ndid 3\n==> 2 <==\ndid 4\n"
    assert trivet("logs", "last", "--unit", "1").stdout == "did 3\n"
    failed = trivet("run", task, "n=[1,2,3]", "--each", "n", "--json", code=9)
    answer = json.loads(failed.stdout)
    assert answer["state"] == "FAILED"
    assert answer["reason"] == "exit_code"
    assert answer["outputs"] == {"square": [1, None, 9]}
    assert "unit 1" in answer["message"]


@pytest.mark.parametrize(
    ("command", "outputs", "code", "reason"),
    [
        (["sh", "-c", "echo bad luck; exit 7"], {}, 7, "exit_code"),
        (["no-such-program"], {}, 1, "submit_error"),
        (["true"], {"table": "file"}, 1, "missing_output"),
        (["sh", "-c", "echo many > {n}"], {"n": "integer"}, 1, "invalid_output"),
        (["sh", "-c", "kill -SEGV $$"], {}, 139, "exit_code"),
    ],
)
def test_a_failure_has_a_reason_and_the_tasks_own_exit_code(
    trivet: CommandLine, command: list[str], outputs: dict[str, str], code: int, reason: str
) -> None:
    task = trivet.task(command=command, outputs=outputs)
    done = trivet("run", task, code=code)
    result = trivet.record()["result"]
    assert (result["state"], result["reason"]) == ("FAILED", reason)
    assert reason in done.stderr
    assert "hint:" in done.stderr
    assert ("  | bad luck\n" in trivet("show", "run:last").stdout) == ("bad luck" in str(command))


def test_outputs_go_where_the_user_wants_and_nothing_is_overwritten(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo 1 > {out}"], outputs={"out": {"type": "file", "path": "out.csv"}})
    trivet("run", task, "--output", "results")
    assert (trivet.cwd / "results/out.csv").read_text() == "1\n"
    again = trivet("run", task, "--output", "results", code=1)
    assert "would overwrite" in again.stderr
    other = trivet.task(command=["sh", "-c", "echo 2 > {other}"], outputs={"other": "integer"})
    told = trivet("run", other, "--output", "results", code=1)
    assert "results/outputs.json" in told.stderr
    assert len(trivet.runs()) == 1
    trivet("run", other, "--output", "others")
    assert json.loads((trivet.cwd / "others/outputs.json").read_text()) == {"other": 2}


def test_the_last_run_is_one_run_however_often_it_is_named(trivet: CommandLine) -> None:
    task = trivet.task(command=["true"])
    for _ in range(2):
        trivet("run", task)
    trivet("rm", "last", "last")
    assert len(trivet.runs()) == 1
    trivet("rm", "last", "nothing", code=1)
    assert len(trivet.runs()) == 1


def test_a_unit_that_takes_too_long_is_ended(trivet: CommandLine) -> None:
    task = trivet.task(command=["sleep", "600"])
    trivet("run", task, "--time-limit", "0.2", code=None)
    assert trivet.record()["result"]["reason"] == "timeout"


def test_all_binding_problems_are_told_at_once_and_nothing_is_written(trivet: CommandLine) -> None:
    task = trivet.task(command=["true"], inputs={"sigma": "number", "photo": "image", "size": "integer"})
    done = trivet("run", task, "sigma=wide", "foto=x.png", "photo=@gone.png", code=1)
    for words in ("sigma", "'wide' is not a number", "`foto`", "did you mean `photo`?", "gone.png", "`size`"):
        assert words in done.stderr, words
    assert trivet.runs() == []
    assert done.stdout == ""


def test_interrupting_ends_the_unit_and_marks_the_run(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo up; exec sleep 600"])
    process = trivet.start("run", task)
    eventually(lambda: list(trivet.home.glob("runs/*/logs/0.log")), "the unit runs")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert trivet.record()["result"]["state"] == "CANCELLED"
    eventually(lambda: not processes_of(trivet.home), "no process is left")


def test_a_run_in_the_background_is_listed_followed_and_cancelled(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo up; exec sleep 600"])
    run = trivet("run", task, "--detach").stdout.strip()
    eventually(lambda: "up" in trivet("logs", run).stdout, "the unit runs")
    [row] = json.loads(trivet("runs", "--json").stdout)
    assert (row["id"], row["state"]) == (run, "RUNNING")
    assert "cancel it first" in trivet("rm", run, code=1).stderr or "end it first" in trivet("rm", run, code=1).stderr
    follower = trivet.start("logs", run, "--follow")
    assert trivet("cancel", run).stdout == f"{run}  CANCELLED\n"
    output, _ = follower.communicate(timeout=60)
    assert output == "up\n"
    assert "is over: CANCELLED" in trivet("cancel", run, code=1).stderr
    trivet("rm", run)
    assert json.loads(trivet("runs", "--json").stdout) == []
    eventually(lambda: not processes_of(trivet.home), "no process is left")


def test_a_full_disk_is_told_and_leaves_nothing_half_written(trivet: CommandLine, small_disk: Path) -> None:
    crowded = CommandLine(small_disk / "home", trivet.cwd)
    task = trivet.task(command=["sh", "-c", "head -c 4000000 /dev/zero > {big}"], outputs={"big": "file"})
    done = crowded("run", task, code=None)
    assert done.returncode == 1
    assert "space" in done.stderr
    for run in crowded.runs():
        assert json.loads((run / "run.json").read_text())["format"] == 1


def test_a_place_that_cannot_be_written_is_told_before_anything_starts(trivet: CommandLine) -> None:
    (trivet.cwd / "file").write_text("")
    task = trivet.task(command=["sh", "-c", "echo 1 > {out}"], outputs={"out": "file"})
    done = trivet("run", task, "--output", "file/below", code=None)
    assert done.returncode in (1, 2)
    assert "file/below" in done.stderr
    assert trivet.runs() == []


def test_outputs_that_have_no_room_in_their_place_stay_with_the_run(trivet: CommandLine, small_disk: Path) -> None:
    task = trivet.task(command=["sh", "-c", "head -c 4000000 /dev/zero > {big}"], outputs={"big": "file"})
    done = trivet("run", task, "--output", str(small_disk / "out"), code=1)
    assert f"{small_disk}/out/.big.part: No space left on device" in done.stderr
    assert list((small_disk / "out").iterdir()) == []
    [run] = trivet.runs()
    assert (run / "work/0/1/outputs/big").stat().st_size == 4_000_000


def test_a_home_that_cannot_be_written_is_told_and_can_still_be_read(trivet: CommandLine, small_disk: Path) -> None:
    task = trivet.task(command=["true"])
    full = CommandLine(small_disk / "home", trivet.cwd)
    full("run", task)
    [run] = full.runs()
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(1024)):
            pass
    refused = full("run", task, code=1)
    assert f"runs can't be recorded in {full.home}: No space left on device" in refused.stderr
    listed = full("runs")
    assert run.name in listed.stdout
    assert "runs themselves are safe" in listed.stderr
    full("rm", run.name)
    assert full.runs() == []
    nowhere = CommandLine(Path("/proc/nowhere"), trivet.cwd)
    assert "runs can't be recorded in /proc/nowhere" in nowhere("run", task, code=1).stderr


def test_a_run_goes_on_when_nobody_reads_what_it_says(trivet: CommandLine) -> None:
    task = trivet.task(command=["sh", "-c", "echo working; echo 3 > {n}"], outputs={"n": "integer"})
    process = trivet.start("run", task, "--json")
    assert process.stderr is not None
    process.stderr.close()
    assert process.stdout is not None
    assert json.loads(process.stdout.read())["outputs"] == {"n": 3}
    process.stdout.close()
    assert process.wait(60) == 0


@pytest.mark.parametrize("damage", ["a torn record", "no line of the journal", "a later format", "unknown options"])
def test_a_damaged_run_is_told_can_be_removed_and_hides_no_other(trivet: CommandLine, damage: str) -> None:
    task = trivet.task(command=["true"])
    trivet("run", task)
    trivet("run", task)
    bad, good = trivet.runs()
    record = json.loads((bad / "run.json").read_text())
    (bad / "alive").touch()
    del record["result"]
    if damage == "a later format":
        record["format"] = 1000
    elif damage == "unknown options":
        record["options"]["hurry"] = True
    text = json.dumps(record)
    (bad / "run.json").write_text(text[:200] if damage == "a torn record" else text)
    if damage == "no line of the journal":
        (bad / "journal/1.jsonl").write_bytes(b"\xff{\n")
    assert good.name in trivet("runs").stdout
    for words in (("show", f"run:{bad.name}"), ("logs", bad.name), ("run", f"run:{bad.name}")):
        done = trivet(*words, code=None)
        assert "internal error" not in done.stderr
        if damage != "no line of the journal" or words[0] != "run":
            assert done.returncode == 1, words
    if damage != "unknown options":
        trivet("rm", bad.name)
        assert not bad.exists()
