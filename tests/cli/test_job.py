"""`trivet job`: a workflow of small real tasks, run by the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Trivet, environment, written

MAKE = """\
import argparse, json, os
parser = argparse.ArgumentParser()
parser.add_argument("--args-json"), parser.add_argument("--out-json")
words = parser.parse_args()
given = json.load(open(words.args_json))
urls = [os.path.join(given["zarr_dir"], f"{n}.zarr") for n in range(given["count"])]
for url in urls:
    os.makedirs(url)
updates = [{"zarr_url": url, "attributes": {"number": n}, "types": {"is_3D": n == 0}} for n, url in enumerate(urls)]
json.dump({"image_list_updates": updates}, open(words.out_json, "w"))
print("made", len(urls))
"""
MARK = """\
import argparse, json, os, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--args-json"), parser.add_argument("--out-json")
words = parser.parse_args()
given = json.load(open(words.args_json))
url = given["zarr_url"]
print("looking at", os.path.basename(url), "WARNING" if url.endswith("1.zarr") else "")
time.sleep(given.get("seconds", 0))
if os.path.basename(url) in given.get("refuse", []) and not os.path.exists(given.get("unless", "")):
    sys.exit("I can't do this one")
with open(os.path.join(url, "marks"), "a") as stream:
    stream.write("x")
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "zarr_url": {"type": "string"},
        "refuse": {"type": "array", "items": {"type": "string"}},
        "unless": {"type": "string"},
        "seconds": {"type": "number"},
    },
    "required": ["zarr_url"],
    "additionalProperties": False,
}
TASKS = [
    {"name": "Make", "type": "converter_non_parallel", "executable_non_parallel": "make.py"},
    {
        "name": "Mark",
        "type": "parallel",
        "executable_parallel": "mark.py",
        "args_schema_parallel": SCHEMA,
        "output_types": {"marked": True},
    },
]


def step(name: str, **more: Any) -> dict[str, Any]:
    return {**more, "task": {"pkg_name": "marks", "version": "1.0", "name": name}}


def make(count: int = 3) -> dict[str, Any]:
    return step("Make", args_non_parallel={"count": count})


class Lab:
    """A home with the package, and a place for workflows and images."""

    def __init__(self, root: Path, trivet: Trivet) -> None:
        self.root = root
        self.home = root / "home"
        self.trivet = trivet
        package = root / "package"
        package.mkdir()
        (package / "make.py").write_text(MAKE)
        (package / "mark.py").write_text(MARK)
        manifest = written(package / "manifest.json", {"manifest_version": "2", "task_list": TASKS})
        words = ("--custom", manifest, "--package-root", package, "--python", sys.executable)
        self.done("fractal", "collect", *words, "--label", "marks", "--version", "1.0")

    def workflow(self, *steps: dict[str, Any], name: str = "Marks") -> Path:
        return written(self.root / "workflow.json", {"name": name, "task_list": list(steps)})

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self.trivet(*words, env={"TRIVET_HOME": str(self.home)})

    def done(self, *words: str | Path) -> str:
        answer = self.run(*words)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.done(*words, "--json"))

    def json_of_any(self, *words: str | Path) -> Any:
        return json.loads(self.run(*words, "--json").stdout)

    def marks(self) -> dict[str, str]:
        """How often each image was marked."""
        paths = sorted((self.root / "z").glob("*.zarr"))
        return {path.stem: (path / "marks").read_text() if (path / "marks").exists() else "" for path in paths}


@pytest.fixture
def lab(tmp_path: Path, trivet: Trivet) -> Lab:
    return Lab(tmp_path, trivet)


def test_a_workflow_runs_from_nothing_to_images_and_is_told(lab: Lab) -> None:
    answer = lab.run("job", "run", lab.workflow(make(), step("Mark")), "--zarr-dir", "z")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    assert "FINISHED" in answer.stderr
    assert lab.marks() == {"0": "x", "1": "x", "2": "x"}
    shown = lab.json("dataset", "show", "Marks")
    assert all(image["types"]["marked"] for image in shown["images"])
    [job] = lab.json("job", "list")
    assert job["state"] == "FINISHED"
    assert [(one["name"], one["state"], one["done"], one["failed"]) for one in job["steps"]] == [
        ("Make", "done", 1, 0),
        ("Mark", "done", 3, 0),
    ]
    assert [one["warned"] for one in job["steps"]] == [0, 1]
    assert lab.done("job", "logs", "last", "--step", "0") == "==> non_par <==\nmade 3\n"
    line = "looking at 1.zarr WARNING\n"
    assert lab.done("job", "logs", "last", "--step", "Mark", "--unit", "par-000000-0000001") == line
    assert set(lab.json("job", "show", "last", "--images", "Mark").values()) == {"done"}


def test_a_dry_run_tells_what_is_expected_and_leaves_nothing(lab: Lab) -> None:
    path = lab.workflow(make(), step("Mark"))
    before = sorted(lab.home.rglob("*"))
    answer = lab.run("job", "run", path, "--zarr-dir", "z", "--dry-run")
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[:2] for line in answer.stdout.splitlines()[1:]] == [["0", "Make"], ["1", "Mark"]]
    assert sorted(lab.home.rglob("*")) == before
    data = lab.json("job", "run", path, "--zarr-dir", "z", "--dry-run")
    assert [(one["name"], one["images"]) for one in data["steps"]] == [("Make", 0), ("Mark", None)]


def test_everything_that_is_wrong_is_told_before_anything_starts(lab: Lab) -> None:
    path = lab.workflow(make(), step("Mark", args_parallel={"seconds": "long", "refus": []}), step("Nothing"))
    answer = lab.run("job", "run", path, "--zarr-dir", "z")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "W022" in answer.stderr
    path = lab.workflow(make(), step("Mark", args_parallel={"seconds": "long", "refus": []}))
    answer = lab.run("job", "run", path, "--zarr-dir", "z")
    assert answer.returncode == 1
    for words in ("W032 Mark: `args_parallel.seconds`", "did you mean `refuse`?", "--no-validate-args"):
        assert words in answer.stderr
    assert not (lab.home / "jobs").exists()
    assert not (lab.home / "datasets").exists()


def test_arguments_are_checked_also_where_another_task_is_missing(lab: Lab) -> None:
    path = lab.workflow(step("Mark", args_parallel={"seconds": "x"}), step("Nobody"))
    answer = lab.run("job", "run", path, "--zarr-dir", "z")
    assert (answer.returncode, "W022" in answer.stderr, "W032" in answer.stderr) == (1, True, True)


def test_a_failed_unit_is_told_with_its_log_and_what_is_done_stays(lab: Lab) -> None:
    gate = lab.root / "gate"
    refusing = step("Mark", args_parallel={"refuse": ["1.zarr"], "unless": str(gate)})
    answer = lab.run("job", "run", lab.workflow(make(), refusing, step("Mark", alias="Again")), "--zarr-dir", "z")
    assert answer.returncode == 1
    for words in ("FAILED", "I can't do this one", "par-000000-0000001", "trivet job continue"):
        assert words in answer.stderr
    assert lab.marks() == {"0": "x", "1": "", "2": "x"}
    [unit] = lab.json("job", "show", "last", "--units", "1", "--failed")
    assert (unit["name"], unit["reason"]) == ("par-000000-0000001", "exit_code")
    assert Path(unit["log"]).read_text().endswith("I can't do this one\n")
    assert lab.run("job", "status", "last").returncode == 1
    gate.touch()
    lab.done("job", "continue", "last")
    assert lab.marks() == {"0": "xx", "1": "xx", "2": "xx"}


def test_only_images_of_a_status_are_done_again(lab: Lab) -> None:
    gate = lab.root / "gate"
    path = lab.workflow(make(), step("Mark", args_parallel={"refuse": ["1.zarr"], "unless": str(gate)}))
    assert lab.run("job", "run", path, "--zarr-dir", "z").returncode == 1
    gate.touch()
    answer = lab.run("job", "run", path, "--dataset", "Marks", "--first", "Mark", "--only", "failed,unset")
    assert answer.returncode == 0, answer.stderr
    assert lab.marks() == {"0": "x", "1": "x", "2": "x"}


def test_a_part_of_a_workflow_runs_on_chosen_images(lab: Lab) -> None:
    path = lab.workflow(make(), step("Mark"))
    lab.done("job", "run", path, "--zarr-dir", "z", "--last", "0")
    assert lab.marks() == {"0": "", "1": "", "2": ""}
    lab.done("job", "run", path, "--dataset", "Marks", "--first", "1", "--attribute", "number=0,2")
    assert lab.marks() == {"0": "x", "1": "", "2": "x"}
    lab.done("job", "run", path, "--dataset", "Marks", "--first", "1", "--type", "is_3D=true")
    assert lab.marks() == {"0": "xx", "1": "", "2": "x"}
    answer = lab.run("job", "run", path, "--dataset", "Marks", "--first", "1", "--attribute", "number=7")
    assert answer.returncode == 1
    assert "none of the 3 images has number=7" in answer.stderr


def test_a_list_of_first_images_is_checked_with_line_and_column(lab: Lab) -> None:
    path = lab.workflow(step("Mark"))
    twice = [{"zarr_url": str(lab.root / "z/a")}, {"zarr_url": f"{lab.root}/z//a/"}]
    (lab.root / "images.json").write_text("[\n" + ",\n".join(map(json.dumps, twice)) + "]")
    answer = lab.run("job", "run", path, "--zarr-dir", "z/", "--images", "images.json")
    assert answer.returncode == 1
    assert answer.stderr.startswith("images.json:3:2: error D002 ")
    long = lab.run("job", "run", path, "--dataset", "x" * 5000)
    assert (long.returncode, "there is no dataset" in long.stderr) == (1, True)


def test_a_dataset_file_is_imported_and_never_over_another(lab: Lab) -> None:
    images = [{"zarr_url": str(lab.root / f"z/{n}.zarr")} for n in range(2)]
    for image in images:
        Path(image["zarr_url"]).mkdir(parents=True)
    file = written(lab.root / "ds.json", {"name": "given", "zarr_dir": str(lab.root / "z"), "images": images})
    path = lab.workflow(step("Mark"))
    lab.done("job", "run", path, "--dataset", file)
    assert lab.marks() == {"0": "x", "1": "x"}
    answer = lab.run("job", "run", path, "--dataset", file)
    assert answer.returncode == 1
    assert "--dataset given" in answer.stderr
    listed = written(lab.root / "images.json", images[:1])
    lab.done("job", "run", path, "--zarr-dir", "z", "--images", listed)
    assert lab.marks() == {"0": "xx", "1": "x"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--dataset"),
        (("--dataset", "a", "--zarr-dir", "b"), "not both"),
        (("--dataset", "a", "--images", "b"), "--zarr-dir"),
        (("--zarr-dir", "z", "--first", "9"), "counted from 0"),
        (("--zarr-dir", "z", "--first", "Marc"), "did you mean `Mark`?"),
        (("--zarr-dir", "z", "--first", "1", "--last", "0"), "comes after"),
        (("--zarr-dir", "z", "--first=--1"), "there is no step `--1`"),
        (("--zarr-dir", "z", "--first", "9" * 5000), "there is no step"),
        (("--zarr-dir", "z", "--only", "failing"), "no status"),
        (("--zarr-dir", "z", "--only", ","), "no status"),
        (("--zarr-dir", "z", "--only", ""), "no status"),
        (("--zarr-dir", "z", "--retries", "-1"), "--retries"),
        (("--zarr-dir", "z", "--engine", "lokal"), "did you mean `local`?"),
    ],
)
def test_wrong_words_are_told_with_exit_code_2(lab: Lab, words: tuple[str, ...], told: str) -> None:
    answer = lab.run("job", "run", lab.workflow(make(), step("Mark")), *words)
    assert answer.returncode == 2, answer.stderr
    assert told in answer.stderr


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(lab: Lab) -> bool:
    """Whether a unit of the second step has begun: its log says so."""
    return any(path.stat().st_size for path in lab.home.glob("jobs/*/1_mark/*-log.txt"))


def lose(lab: Lab, job: str) -> None:
    """Kill the process that drives a job in the background."""
    owner = max(lab.home.glob(f"jobs/{job}/journal/*.jsonl"), key=lambda path: int(path.stem))
    os.kill(json.loads(owner.read_text().splitlines()[0])["owner"]["pid"], signal.SIGKILL)
    wait_for(lambda: lab.json_of_any("job", "status", job)["state"] == "LOST")


def test_a_detached_job_is_looked_at_stopped_continued_and_removed(lab: Lab) -> None:
    path = lab.workflow(make(2), step("Mark", args_parallel={"seconds": 60}))
    job = lab.done("job", "run", path, "--zarr-dir", "z", "--grace", "1", "--detach").strip()
    wait_for(lambda: running(lab))
    assert "looking at" in lab.done("job", "logs", job, "--step", "1")
    status = lab.json("job", "status", job)
    assert (status["id"], status["state"]) == (job, "RUNNING")
    other = lab.run("job", "run", path, "--dataset", "Marks")
    assert other.returncode == 1
    assert job in other.stderr
    assert lab.run("job", "rm", job).returncode == 1
    lab.done("job", "stop", job)
    assert lab.run("job", "status", job).returncode == 1
    assert lab.marks() == {"0": "", "1": ""}
    assert lab.done("job", "rm", job[:-2]).strip() == job
    assert lab.done("job", "list") == ""


def test_logs_are_followed_until_the_job_is_over(lab: Lab) -> None:
    gate = lab.root / "gate"
    path = lab.workflow(make(2), step("Mark", args_parallel={"seconds": 1, "unless": str(gate)}))
    job = lab.done("job", "run", path, "--zarr-dir", "z", "--detach").strip()
    told = lab.done("job", "logs", job, "--follow")
    assert told == lab.done("job", "logs", job)
    assert told.splitlines()[-1].endswith("job FINISHED")
    assert lab.done("job", "logs", job, "--step", "Mark", "-f") == lab.done("job", "logs", job, "--step", "Mark")
    one = lab.done("job", "logs", job, "--step", "1", "--unit", "par-000000-0000000", "-f")
    assert one.split() == ["looking", "at", "0.zarr"]


def test_a_job_is_told_of_without_its_dataset(lab: Lab) -> None:
    path = lab.workflow(make(2), step("Mark", args_parallel={"refuse": ["1.zarr"]}))
    lab.run("job", "run", path, "--zarr-dir", "z")
    (lab.home / "datasets/Marks").rename(lab.root / "gone")
    assert "FAILED" in lab.done("job", "show", "last")
    logs = lab.done("job", "logs", "last", "--step", "1")
    assert logs.count("==> par-000000-000000") == 2
    assert "I can't do this one" in logs
    for words in (["show", "last", "--units", "1"], ["show", "last", "--images", "1"], ["continue", "last"]):
        answer = lab.run("job", *words)
        assert answer.returncode == 1
        assert "the dataset of job" in answer.stderr
    nobody = lab.run("job", "logs", "last", "--step", "1", "--unit", "par-000000-0000009")
    assert (nobody.returncode, "did you mean `par-000000-000000" in nobody.stderr) == (1, True)


def test_units_that_were_never_started_are_told_as_such(lab: Lab) -> None:
    path = lab.workflow(make(3), step("Mark", args_parallel={"seconds": 60}))
    job = lab.done("job", "run", path, "--zarr-dir", "z", "--grace", "1", "--slots", "1", "--detach").strip()
    wait_for(lambda: running(lab))
    lab.done("job", "stop", job)
    messages = [unit["message"] for unit in lab.json_of_any("job", "show", job, "--units", "1")]
    assert messages[0] == "ended by signal 15"
    assert not [message for message in messages if "None" in message]


def test_a_job_whose_engine_is_gone_can_be_removed_by_force(lab: Lab) -> None:
    path = lab.workflow(make(1), step("Mark", args_parallel={"seconds": 60}))
    job = lab.done("job", "run", path, "--zarr-dir", "z", "--grace", "1", "--detach").strip()
    wait_for(lambda: running(lab))
    assert lab.run("job", "rm", "--force", job).returncode == 1  # somebody drives it
    lose(lab, job)
    record = lab.home / "jobs" / job / "job.json"
    known = json.loads(record.read_text())
    gone = {"engine": "slurm", "site": str(lab.root / "nowhere.toml")}
    written(record, {**known, "options": {**known["options"], **gone}})
    stopped = lab.run("job", "stop", job)
    assert stopped.returncode == 1
    assert f"trivet job rm --force {job}" in stopped.stderr
    assert lab.run("job", "rm", job).returncode == 1
    written(record, known)
    lab.done("job", "stop", job)  # what runs is ended after all
    written(record, known)  # as one that was lost, again
    assert lab.done("job", "rm", "--force", job).strip() == job
    assert lab.done("job", "list") == ""


def test_a_job_whose_process_was_killed_is_taken_up_or_stopped(lab: Lab) -> None:
    gate = lab.root / "gate"
    wait = {"seconds": 60, "unless": str(gate)}
    path = lab.workflow(make(2), step("Mark", args_parallel=wait))
    words = [sys.executable, "-m", "trivet", "job", "run", str(path), "--zarr-dir", "z", "--grace", "1"]
    process = subprocess.Popen(
        words, cwd=lab.root, env=environment({"TRIVET_HOME": str(lab.home)}), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: running(lab))
    process.kill()
    process.wait()
    status = lab.run("job", "status", "last")
    assert (status.returncode, status.stdout.split()[1]) == (1, "LOST")
    assert lab.run("job", "rm", "last").returncode == 1
    job = lab.done("job", "continue", "last", "--detach").strip()
    assert lab.json("job", "status", job)["state"] == "RUNNING"
    lose(lab, job)
    lab.done("job", "stop", job)
    assert lab.json_of_any("job", "status", job)["state"] == "FAILED"
    assert lab.marks() == {"0": "", "1": ""}
    assert lab.done("job", "rm", job).strip() == job


def test_an_interrupt_stops_the_job_and_its_units(lab: Lab) -> None:
    path = lab.workflow(make(2), step("Mark", args_parallel={"seconds": 60}))
    words = [sys.executable, "-m", "trivet", "job", "run", str(path), "--zarr-dir", "z", "--grace", "1"]
    env = environment({"TRIVET_HOME": str(lab.home)})
    process = subprocess.Popen(words, cwd=lab.root, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: running(lab))
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "CANCELLED" in said
    [job] = lab.json("job", "list")
    assert job["state"] == "CANCELLED"


def test_a_job_nobody_knows_is_told(lab: Lab) -> None:
    for command in ("show", "status", "logs", "stop", "continue", "rm"):
        answer = lab.run("job", command, "20200101")
        assert answer.returncode == 1
        assert "there is no job" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_workflow_file_is_checked_with_line_and_column_and_is_no_task(trivet: Trivet, tmp_path: Path) -> None:
    old = {"name": "W", "task_list": [step("Mark", input_filters={"attributes": {}, "types": {"is_3D": True}})]}
    good, bad = written(tmp_path / "good.json", old), written(tmp_path / "bad.json", {**old, "task_list": [{"tsk": 1}]})
    assert trivet("check", good).stdout == f"ok fractal workflow {good}\n"
    answer = trivet("fractal", "workflow", good)
    assert json.loads(answer.stdout)["task_list"][0]["type_filters"] == {"is_3D": True}
    bad.write_text(good.read_text().replace('"args', '"arg').replace('"version"', '"vershun"'))
    for words in (("check", bad), ("fractal", "workflow", bad)):
        answer = trivet(*words)
        assert answer.returncode == 1
        assert "W003 unknown field `vershun`" in answer.stdout + answer.stderr
    answer = trivet("run", good)
    assert answer.returncode == 1
    assert "trivet job run" in answer.stderr
