"""Tasks that run, end, fail and are left alone, by real containers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from .conftest import IMAGE, PATIENCE, TaskApi

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("image")]

WAITING = "trap 'exit 5' TERM; echo up; while [ ! -e /in/flags/go ]; do sleep 0.05; done; echo over; exit 6"


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"waited in vain until {what}")


def containers(run: Path) -> list[str]:
    command = ["docker", "ps", "-aq", "--filter", f"label=trivet.run={run.name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture
def waiting(task_api: TaskApi) -> Path:
    """A task that runs until a file ``flags/go`` is there."""
    (task_api.cwd / "flags").mkdir()
    return task_api.task(script=WAITING, inputs={"flags": "flags"})


def test_a_run_returns_at_once_and_is_followed_by_its_record(task_api: TaskApi, waiting: Path) -> None:
    started = task_api("run", waiting)
    assert started.stdout == ""
    record = task_api.record()
    [run] = task_api.runs()
    assert record.name == f"task_run-{run.name}.pkl"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    data = json.loads(record.read_text())
    assert (data["version"], data["id"], data["mode"], data["image"]) == (1, run.name, "docker", IMAGE)
    assert len(containers(run)) == 1

    assert task_api("check-task-run", record, "--no-watch").stdout == f"{run.name}  RUNNING\n"
    eventually(lambda: task_api("logs", record).stdout == "up\n", "the first line is told")
    follower = task_api.start("logs", record, "--watch")
    checker = task_api.start("check-task-run", record)
    (task_api.cwd / "flags/go").touch()
    assert follower.communicate(timeout=PATIENCE)[0] == "up\nover\n"
    assert follower.returncode == 0
    checked = checker.communicate(timeout=PATIENCE)[0]
    assert checker.returncode == 6, checked
    assert task_api("check-task-run", record, "--no-watch", code=6).stdout == checked
    assert task_api("logs", record, "--watch").stdout == "up\nover\n"
    assert containers(run) == []


def test_a_task_goes_on_when_nobody_watches_it_any_more(task_api: TaskApi, waiting: Path) -> None:
    process = task_api.start("run", waiting, "--watch")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "goes on" in errors) == (130, True)
    [run] = task_api.runs()
    assert len(containers(run)) == 1
    task_api.trivet("cancel", run.name)
    assert "CANCELLED, exit code 5" in task_api("check-task-run", task_api.record(), code=5).stdout


def test_a_task_whose_driver_was_killed_is_followed_all_the_same(task_api: TaskApi, waiting: Path) -> None:
    task_api("run", waiting)
    [run] = task_api.runs()
    drivers = []
    for entry in Path("/proc").glob("[0-9]*"):
        words = (entry / "cmdline").read_bytes() if (entry / "cmdline").exists() else b""
        if b"trivet.runs.background" in words and str(run).encode() in words:
            drivers.append(int(entry.name))
    assert len(drivers) == 1
    os.kill(drivers[0], signal.SIGKILL)
    (task_api.cwd / "flags/go").touch()
    assert "exit code 6" in task_api("check-task-run", task_api.record(), code=6).stdout
    assert task_api("logs", task_api.record()).stdout == "up\nover\n"


def test_watching_gives_the_containers_exit_code_and_its_bytes(task_api: TaskApi) -> None:
    task = task_api.task(script=r"exec 2>&1; printf 'a\377\000b'; echo c >&2; exit 7")
    command = task_api._command(("run", task, "--watch", "--output", "r"))
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, **task_api._place())
    assert (done.returncode, done.stdout) == (7, b"a\xff\x00bc\n")
    assert b"exit code 7" in done.stderr
    assert "exit code 7" in task_api("check-task-run", "r", code=7).stdout


def test_a_reader_who_has_enough_ends_the_watching_only(task_api: TaskApi, waiting: Path) -> None:
    process = task_api.start("run", waiting, "--watch")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "up\n"
    process.stdout.close()
    (task_api.cwd / "flags/go").touch()
    errors = process.stderr.read()
    assert process.wait(timeout=PATIENCE) == 141
    assert "Traceback" not in errors
    assert "exit code 6" in task_api("check-task-run", task_api.record(), code=6).stdout


def test_out_of_memory_is_137_whatever_the_program_says(task_api: TaskApi) -> None:
    # Docker begins to watch for the kernel's kill only when a container runs already.
    script = "sleep 0.5; dd if=/dev/zero of=/dev/null bs=256M count=1; exit 3"
    task = task_api.task(script=script, resources={"limits": {"memory": "16Mi"}})
    done = task_api("run", task, "--watch", "--monitor-memory", code=137)
    assert "memory" in done.stderr
    assert "exit code 137" in task_api("check-task-run", task_api.record(), code=137).stdout


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": ["no-such-program"]}, "no-such-program"),
        ({"image": "trivet-tests/no-such-image:1"}, "no-such-image"),
    ],
)
def test_a_container_that_never_starts_is_told_at_once(task_api: TaskApi, fields: dict[str, Any], said: str) -> None:
    done = task_api("run", task_api.task(**fields), code=1)
    assert said in done.stderr
    record = task_api.record()
    assert said in task_api("check-task-run", record, code=1).stdout
    assert task_api("logs", record).stdout == ""
    [run] = task_api.runs()
    assert containers(run) == []


def test_memory_that_nobody_could_measure_is_unknown_not_nothing(task_api: TaskApi) -> None:
    task = task_api.task(command=["no-such-program"])
    assert "peak memory: unknown" in task_api("run", task, "--monitor-memory", code=1).stderr


def test_memory_is_told_beside_the_inputs_and_their_rules(task_api: TaskApi) -> None:
    for name, size in (("a/x.dat", 3000), ("a/y.dat", 1000), ("b/x.dat", 500), ("b/note.txt", 10_000)):
        path = task_api.cwd / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    rule = {"scale_factor": 10, "type": "limit", "mode": "max_item_sum", "target_glob": "*.dat"}
    task = task_api.task(
        inputs={"data": "data", "same": "data"},
        rules={"data": {"scale_rule": rule}},
        resources={"limits": {"memory": "64Mi"}},
    )
    told = task_api("run", task, "--monitor-memory").stderr
    assert "channel `data`: 4 files, 14,500 bytes (14.2 KiB) in all; the largest has 10,000 bytes (9.8 KiB)" in told
    assert "scale rule (limit): n = 4,000 bytes (3.9 KiB) (max_item_sum); 10*n = 40,000 bytes" in told
    assert "WARNING: the task used" in told
    assert "channel `same`: 4 files" in told
    assert "peak memory: unknown" not in told
    assert "peak memory: 0" not in told


def test_outputs_are_added_to_what_is_there(task_api: TaskApi) -> None:
    out = task_api.cwd / "out"
    for name in ("item/old.txt", "item/both.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("old")
    task = task_api.task(
        script="ls /out/results; mkdir /out/results/item; echo new > /out/results/item/both.txt",
        outputs={"results": "out"},
    )
    assert task_api("run", task, "--watch").stdout == ""
    found = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.txt")}
    assert found == {"item/old.txt": "old", "item/both.txt": "new\n"}
    task_api("run", task, "--watch", "--output", "again")


def test_what_a_failed_task_wrote_is_told_and_not_mixed_with_results(task_api: TaskApi) -> None:
    task = task_api.task(
        script="mkdir /out/results/a; echo half > /out/results/a/b; exit 4", outputs={"results": "out"}
    )
    done = task_api("run", task, "--watch", code=4)
    place = Path(done.stderr.partition("what it wrote is in ")[2].strip())
    assert [path.read_text() for path in place.rglob("b")] == ["half\n"]
    assert not (task_api.cwd / "out").exists()


def test_one_host_directory_can_be_several_channels(task_api: TaskApi) -> None:
    """An output may go to where an input lies; both, and a second input on it, are mounted."""
    (task_api.cwd / "data/item").mkdir(parents=True)
    (task_api.cwd / "data/item/a").write_text("A")
    task = task_api.task(
        script="mkdir /out/to/item; cat /in/one/item/a /in/two/item/a > /out/to/item/b; touch /in/one/item/c",
        inputs={"one": "data", "two": "data"},
        outputs={"to": "data"},
    )
    done = task_api("run", task, "--watch", code=1)
    assert "Read-only file system" in done.stdout
    task_api.task(
        script="mkdir /out/to/item; cat /in/one/item/a /in/two/item/a > /out/to/item/b",
        inputs={"one": "data", "two": "data"},
        outputs={"to": "data"},
    )
    task_api("run", task, "--watch", "--output", "again")
    assert {path.name: path.read_text() for path in (task_api.cwd / "data/item").iterdir()} == {"a": "A", "b": "AA"}


def test_two_outputs_may_go_to_one_directory(task_api: TaskApi) -> None:
    script = "for n in one two; do mkdir -p /out/$n/item; echo $n > /out/$n/item/$n; done"
    task_api("run", task_api.task(script=script, outputs={"one": "out", "two": "out"}), "--watch")
    found = {path.name: path.read_text() for path in (task_api.cwd / "out/item").iterdir()}
    assert found == {"one": "one\n", "two": "two\n"}


def test_results_that_do_not_get_to_their_place_are_a_failure(task_api: TaskApi) -> None:
    (task_api.cwd / "out").mkdir()
    (task_api.cwd / "out/item").write_text("mine")
    task = task_api.task(script="mkdir /out/results/item; echo x > /out/results/item/x", outputs={"results": "out"})
    done = task_api("run", task, "--watch", code=1)
    assert "out/item" in done.stderr
    assert "what it wrote is in" in done.stderr
    assert (task_api.cwd / "out/item").read_text() == "mine"


def test_an_output_without_files_is_said_and_is_no_failure(task_api: TaskApi) -> None:
    done = task_api("run", task_api.task(outputs={"results": "out"}), "--watch")
    assert "nothing was written to output channel `results`" in done.stderr


def test_no_password_is_written_anywhere(task_api: TaskApi) -> None:
    tool = replace(task_api, more={"registryPassword": "Tr0ub4dor"})
    config = {"type": "k8s", "registryUrl": "r.example", "registryUsername": "me"}
    task = tool.task(config={**config, "registryPassword": "{{ env.registryPassword }}"})
    done = tool("run", task, "--watch")
    assert "Tr0ub4dor" not in done.stdout + done.stderr
    files = [path for root in (tool.cwd, tool.home) for path in root.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if b"Tr0ub4dor" in path.read_bytes()]


def test_a_run_that_was_damaged_is_told(task_api: TaskApi) -> None:
    task_api("run", task_api.task(script="echo x"), "--watch")
    [run] = task_api.runs()
    text = (run / "run.json").read_text()
    for broken in (text[:100], "{}", text.replace('"document"', '"documents"')):
        (run / "run.json").write_text(broken)
        for word in ("logs", "check-task-run"):
            assert f"the record of run {run.name} can't be read" in task_api(word, task_api.record(), code=1).stderr
    (run / "run.json").write_text(text)
    for log in (run / "logs").iterdir():
        log.unlink()
    assert "can't be read" in task_api("logs", task_api.record(), code=1).stderr


def test_a_run_that_was_removed_is_told(task_api: TaskApi) -> None:
    task_api("run", task_api.task(), "--watch")
    task_api.trivet("rm", "last")
    assert "there is no run" in task_api("logs", task_api.record(), code=1).stderr
