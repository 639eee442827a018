"""The parts of the SLURM engine that need no cluster: what is asked for, what SLURM's words mean, what jobs leave."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from trivet.engines import Attempt, Ended, EngineError, EngineEvent, Started, Waiting
from trivet.engines.slurm import submission as submissions
from trivet.engines.slurm.batching import Batching
from trivet.engines.slurm.check import check
from trivet.engines.slurm.cluster import USUAL, Cluster, Partition, read_partitions, seconds
from trivet.engines.slurm.commands import Commands, SlurmError, elements, read_accounts, read_jobs, read_rows, spans
from trivet.engines.slurm.desk import Desk
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.grouping import Group, groups, wishes_of
from trivet.engines.slurm.job import Job
from trivet.engines.slurm.pace import Pace
from trivet.engines.slurm.reasons import Final, ending, waiting
from trivet.engines.slurm.script import Array, job_time, script
from trivet.engines.slurm.shipping import ship
from trivet.engines.slurm.site import Site, read_site
from trivet.engines.slurm.site_file import default_site, load_site, site_file
from trivet.engines.slurm.submission import Submission
from trivet.engines.slurm.wishes import wishes
from trivet.engines.worker_words import STARTED_AGAIN, UNWRITABLE
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment, Resources
from trivet.tasks.work import Demand, Invocation

GIB = 1024**3
LIMITS = {
    "target_cpus_per_job": 4,
    "max_cpus_per_job": 8,
    "target_mem_per_job": 4000,
    "max_mem_per_job": 8000,
    "target_num_jobs": 10,
    "max_num_jobs": 20,
}
CONFIG = """Configuration data as of 2026-01-01T00:00:00
AccountingStorageType   = accounting_storage/slurmdbd
ClusterName             = lab
DefMemPerCPU            = 2000
KillWait                = 30 sec
MaxArraySize            = 1001
SLURM_VERSION           = 23.11.4
"""
SINFO = """short|up|2:00:00|4|8|16000|(null)
long*|up|7-00:00:00|10|64|256000|(null)
long*|up|7-00:00:00|2|128|1000000+|(null)
gpu|up|1-00:00:00|2|32|128000|gpu:a100:4(S:0-1),mps:400
old|down|infinite|1|4|8000|(null)
"""


def site(default: dict[str, Any] | None = None, **more: Any) -> Site:
    problems: list[Problem] = []
    sets = {"partition": "long", "cpus_per_task": 1, "mem": 1000, **(default or {})}
    found = read_site({"default_slurm_config": sets, "batching_config": LIMITS, **more}, problems)
    assert found is not None, problems
    return found


def invocation(text: str = "exit 0", **fields: Any) -> Invocation:
    return Invocation(Environment(), ("sh", "-c", text), **fields)


def sized(array: int = 1000, **times: float) -> Cluster:
    """A cluster of small partitions whose jobs may take so many seconds."""
    partitions = (Partition(name, False, True, time, 1, 64, 256_000, 64, 0) for name, time in times.items())
    return replace(USUAL, partitions=tuple(partitions), largest_array=array)


def attempts(count: int, text: str = "exit 0", **fields: Any) -> list[Attempt]:
    return [Attempt(f"run/unit-{n}/1", invocation(text, **fields)) for n in range(count)]


# --- What a cluster says ------------------------------------------------------------------------------------------


def test_partitions() -> None:
    found = {one.name: one for one in read_partitions(SINFO)}
    assert found["long"] == Partition("long", True, True, 7 * 86400.0, 12, 128, 1_000_000, 896, 0)
    assert found["short"].max_time == 7200
    assert (found["gpu"].gpus, found["short"].gpus) == (4, 0)
    assert (found["old"].up, found["old"].max_time) == (False, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 300), ("5:30", 330), ("1:00:00", 3600), ("2-0", 172800), ("1-12:30", 131400), ("1-0:0:5", 86405)],
)
def test_lengths_of_time(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_what_is_no_length_of_time() -> None:
    assert seconds("UNLIMITED") is seconds("0") is seconds("00:00:00") is None
    with pytest.raises(ValueError, match="'soon'"):
        seconds("soon")


def test_lists_of_elements() -> None:
    assert list(elements("0-3,7,10-20:5%2")) == [0, 1, 2, 3, 7, 10, 15, 20]
    assert list(elements("N/A")) == []
    assert spans([3, 0, 1, 2, 9]) == "0-3,9"


def test_rows_of_the_list() -> None:
    text = "12|4|RUNNING|n1|None\n12|5-7%2|PENDING||Resources\n13|N/A|CANCELLED||JobHeldUser\n14|0-9,...|PENDING||x|y\n"
    rows = list(read_rows(text))
    assert [(row.array, row.elements, row.rest) for row in rows[:3]] == [
        ("12", (4,), False),
        ("12", (5, 6, 7), False),
        ("13", (), True),
    ]
    assert (rows[3].rest, rows[3].reason) == (True, "x|y")


def test_ends_by_accounting_and_by_the_controller() -> None:
    found = read_accounts("12_0|CANCELLED by 0|0:0\n12_1|OUT_OF_MEMORY|0:125\n12_[3-4]|CANCELLED by 99999|0:0\n")
    assert found["12_0"] == Final("CANCELLED", 0, "root")
    assert found["12_1"].state == "OUT_OF_MEMORY"
    assert found["12_4"].by == "user 99999"
    text = (
        "JobId=15 ArrayJobId=12 ArrayTaskId=2 JobName=a b JobState=FAILED Reason=NonZeroExitCode ExitCode=74:0 x\n"
        "JobId=12 ArrayJobId=12 ArrayTaskId=4294967294 JobState=CANCELLED ExitCode=0:0\n"
    )
    assert read_jobs(text) == {"12_2": Final("FAILED", 74), "12": Final("CANCELLED", 0)}


# --- Sites --------------------------------------------------------------------------------------------------------


def cluster(**more: Any) -> Cluster:
    return replace(Cluster("lab", "23.11", read_partitions(SINFO), True, 1000, 2000, 30.0), **more)


def test_a_cluster_without_configuration() -> None:
    made = default_site(cluster())
    assert made.default == {"partition": "long", "cpus_per_task": 1, "mem": 2000}
    assert made.gpu == {"partition": "gpu", "gres": "gpu:1"}
    assert (made.limits.max_cpus, made.limits.max_mem) == (128, 1_000_000)


def test_a_cluster_without_partitions() -> None:
    with pytest.raises(ProblemsError, match="no partition"):
        default_site(cluster(partitions=()))


def test_sites_in_files(tmp_path: Path) -> None:
    data = {"default_slurm_config": {"partition": "long"}, "batching_config": LIMITS, "modules": ["python/3.11"]}
    as_json = tmp_path / "site.json"
    as_json.write_text(json.dumps(data))
    as_toml = tmp_path / "site.toml"
    limits = "\n".join(f"{name} = {value}" for name, value in LIMITS.items())
    text = f'modules = ["python/3.11"]\n[default_slurm_config]\npartition = "long"\n[batching_config]\n{limits}\n'
    as_toml.write_text(text)
    assert load_site(as_json) == load_site(as_toml)
    assert load_site(as_toml).modules == ("python/3.11",)


def test_a_site_with_faults(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('pyhton = "x"\nmodules = "a"\n[default_slurm_config]\nmem = "1K"\n')
    with pytest.raises(ProblemsError) as caught:
        load_site(path)
    told = {(problem.code, problem.path) for problem in caught.value.problems}
    assert told == {
        ("S001", ()),  # no batching_config
        ("S002", ("pyhton",)),
        ("S003", ("modules",)),
        ("S003", ("default_slurm_config", "mem")),
    }
    assert {problem.file for problem in caught.value.problems} == {str(path)}
    path.write_text("a = 1\nb = = 2\n")
    with pytest.raises(ProblemsError) as caught:
        load_site(path)
    assert caught.value.problems[0].line == 2
    with pytest.raises(ProblemsError, match="can't be read"):
        load_site(tmp_path / "absent.toml")


def test_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIVET_SITE", raising=False)
    assert site_file(None, tmp_path) is None
    (tmp_path / "slurm.toml").touch()
    assert site_file(None, tmp_path) == tmp_path / "slurm.toml"
    monkeypatch.setenv("TRIVET_SITE", "/other.toml")
    assert site_file(None, tmp_path) == Path("/other.toml")
    assert site_file("mine.json", tmp_path) == Path("mine.json")


# --- What is asked for --------------------------------------------------------------------------------------------


def test_resources_count_more_than_meta() -> None:
    needs = Resources(cpus=1.5, memory=3 * GIB, gpus=2)
    found = wishes_of(site(), invocation(resources=needs, meta={"mem": 10, "cpus_per_task": 9, "time": "5"}), "x")
    assert (found.cpus_per_task, found.mem, found.gres, found.time) == (2, 3072, "gpu:2", "5")
    none = wishes_of(site(gpu_slurm_config={"gres": "gpu:1"}), invocation(resources=Resources(gpus=0)), "x")
    assert none.gres is None


def test_units_are_gathered() -> None:
    (one,) = groups(site(), attempts(10), None)
    members, group = one
    assert isinstance(group, Group)
    assert group.array.batching == Batching(4, 4)
    assert [len(element) for element in group.elements] == [4, 4, 2]
    assert len(members) == 10


def test_slots_and_large_arrays() -> None:
    found = [group for _, group in groups(site(), attempts(10), 2, sized(array=3))]
    assert all(isinstance(group, Group) for group in found)
    arrays = [group.array for group in found if isinstance(group, Group)]
    assert [(array.batching, array.elements, array.throttle) for array in arrays] == [(Batching(4, 2), 3, 1)]
    found = [group for _, group in groups(site(), attempts(40), 2, sized(array=3))]
    assert [group.array.elements for group in found if isinstance(group, Group)] == [3, 3, 3, 1]


def test_time_limits_bound_how_many_units_share_a_job() -> None:
    limited = attempts(1000, time_limit=600.0, grace=0.0)
    ((_, group),) = groups(site(), limited, None, sized(long=3660.0))
    assert isinstance(group, Group)
    assert group.array.batching == Batching(48, 8)  # six turns of eight
    assert job_time(group.array) == "61"
    ((_, refused),) = groups(site(), limited, None, sized(long=300.0))
    assert isinstance(refused, ProblemsError)


def test_what_differs_does_not_share_a_job() -> None:
    mixed = [*attempts(2), Attempt("run/big/1", invocation(resources=Resources(memory=2 * GIB)))]
    assert [len(members) for members, _ in groups(site(), mixed, None)] == [2, 1]


def test_script() -> None:
    configured = site(
        {"extra_lines": ["#SBATCH --qos=fast", "ulimit -c 0"], "account": "lab", "shebang_line": "#!/bin/bash"},
        modules=["python/3.11"],
        setup=["export A=1"],
        python="/opt/python 3".replace(" ", ""),
        user_local_exports={"CELLPOSE": "cell pose"},
    )
    asked = wishes(configured, "my task", {"cpus_per_task": 2, "mem": "1G", "gres": "gpu:1", "time": "1:00:00"})
    text = script(Array(asked, Batching(10, 3), 5, "abc", 2), configured, "/r/runner.pyz", "/run/a b/0001")
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    last = max(number for number, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert all(line.startswith("#SBATCH") for line in lines[1 : last + 1])
    expected = {
        "--job-name=my_task", "--array=0-4%2", "--no-requeue", "--partition=long", "--nodes=1", "--ntasks=3",
        "--cpus-per-task=2", "--mem=3000M", "--gres=gpu:1", "--time=1:00:00", "--account=lab", "--qos=fast",
        "--comment=trivet:abc",
    }  # fmt: skip
    assert expected <= {line.removeprefix("#SBATCH ") for line in lines[1 : last + 1]}
    assert lines[last + 1 :] == [
        "export CELLPOSE=\"${XDG_CACHE_HOME:-$HOME/.cache}\"/'cell pose'",
        "command -v module >/dev/null 2>&1 || . /etc/profile",
        "module load python/3.11 || exit 1",
        "export A=1",
        "ulimit -c 0",
        "exec /opt/python3 -I -S -X utf8 /r/runner.pyz '/run/a b/0001' \"$SLURM_ARRAY_TASK_ID\"",
    ]


NASTY = "x\n#SBATCH --comment=evil\ntouch 'it' # \\"


def test_no_name_of_a_task_becomes_a_line_of_the_script() -> None:
    ((_, group),) = groups(site(), attempts(1, title=NASTY), None)
    assert isinstance(group, Group)
    lines = script(group.array, site(), "/w", "/p").splitlines()
    assert lines[1] == "#SBATCH --job-name=x__SBATCH_--comment=evil_touch__it_____"
    assert sum("evil" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("gpus", "meta", "sets", "asked", "parallel"),
    [
        (1, {}, {"gres": "gpu:1"}, "--gres=gpu:1", 1),
        (1, {}, {"gres": "gpu:a100:2,disk:5"}, "--gres=gpu:a100:2,disk:5", 2),
        (2, {}, {"gres": "gpu:a100:1,disk:5"}, "--gres=gpu:a100:2,disk:5", 1),
        (2, {}, {"gres": "disk:5"}, "--gres=disk:5,gpu:2", 1),
        (3, {}, {"gpus": "a100:1"}, "--gpus=a100:3", 1),
        (1, {}, {}, "--gres=gpu:1", 1),
        (1, {"tasks_per_job": 6, "parallel_tasks_per_job": 3}, {"gres": "gpu:1"}, "--gres=gpu:1", 3),
    ],
)
def test_units_do_not_share_a_gpu(gpus: int, meta: Any, sets: Any, asked: str, parallel: int) -> None:
    wanted = attempts(6, resources=Resources(gpus=gpus), meta=meta)
    ((_, group),) = groups(site(gpu_slurm_config=sets), wanted, None)
    assert isinstance(group, Group)
    assert group.array.batching.parallel == parallel
    assert f"#SBATCH {asked}" in script(group.array, site(), "/w", "/p").splitlines()


def test_memory_per_cpu() -> None:
    configured = site({"use_mem_per_cpu": True, "cpus_per_task": 4})
    text = script(Array(wishes(configured, "t", {}), Batching(2, 2), 1, "t"), configured, "r", "p")
    assert "#SBATCH --mem-per-cpu=250M\n" in text
    assert "--mem=" not in text


# --- What can be known before -------------------------------------------------------------------------------------


class Answers:
    """SLURM's commands, answering what they are told to."""

    def __init__(self, **said: Any) -> None:
        self.said = {"scontrol": CONFIG, "sinfo": SINFO, "sbatch": "12\n", "squeue": "", **said}
        self.asked: list[Sequence[str]] = []

    def __call__(self, arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        self.asked.append(arguments)
        said = self.said.get(arguments[0], "")
        if isinstance(said, str):
            return subprocess.CompletedProcess(arguments, 0, said, "")
        return subprocess.CompletedProcess(arguments, 1, "", said[0])


def test_everything_at_once() -> None:
    needs = Resources(memory=2000 * GIB, gpus=1)
    wide = [Attempt("run/unit/1", invocation(resources=needs, meta={"time": "30-0"}))]
    found = check(site(), wide, Commands(Answers()))
    assert len([problem for problem in found if "memory" in problem.message]) == 2
    assert any("GPU" in problem.message and "gpu" in problem.hint for problem in found)
    found = check(site(), [Attempt("run/unit/1", invocation(meta={"time": "30-0"}))], Commands(Answers()))
    assert [problem.code for problem in found] == ["S007"]
    assert "7 d" in found[0].message or "168 h" in found[0].message
    found = check(site({"partition": "lnog"}), attempts(1), Commands(Answers()))
    assert (found[0].code, found[0].hint) == ("S006", "did you mean `long`?")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"partition": "long,nosuch"}, "no partition `nosuch`"),
        ({"partition": "short,gpu", "time": "2-0"}, "at most 24 h"),
        ({"partition": "short", "time": "0"}, "no limit of its time"),
        ({"partition": "short", "time": "UNLIMITED"}, "no limit of its time"),
    ],
)
def test_what_only_waits_for_ever_is_said_before(changes: dict[str, Any], words: str) -> None:
    (problem,) = check(site(changes), attempts(1), Commands(Answers()))
    assert words in problem.message


def test_a_job_that_is_larger_than_any_node() -> None:
    limits = {**LIMITS, "target_cpus_per_job": 16, "max_cpus_per_job": 16, "target_mem_per_job": "64G"}
    large = site({"partition": "short"}, batching_config={**limits, "max_mem_per_job": "64G"})
    (problem,) = check(large, attempts(20), Commands(Answers()))
    assert "16 units at once asks for 16 CPUs, and no node has more than 8" in problem.message


def test_slurm_has_the_last_word() -> None:
    answers = Answers(sbatch=["sbatch: error: Invalid account or account/partition combination specified\n"])
    found = check(site(), attempts(1), Commands(answers))
    assert found[0].code == "S008"
    assert "Invalid account" in found[0].message
    assert check(site(), attempts(1), Commands(Answers())) == []
    down = Answers(scontrol=["slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)"])
    assert [problem.severity for problem in check(site(), attempts(1), Commands(down))] == ["warning"]


# --- SLURM's words ------------------------------------------------------------------------------------------------


def test_why_a_job_waits() -> None:
    assert "higher priority" in waiting("12", "Priority")
    assert "limit of your account" in waiting("12", "AssocGrpCpuLimit")
    assert "not available now" in waiting("12", "ReqNodeNotAvail, UnavailableNodes:n[1-3]")
    assert "down, drained" in waiting("12", "Nodes required for job are DOWN, DRAINED or reserved for jobs")
    assert waiting("12", "Unheard_Of") == "SLURM job 12 waits (Unheard_Of)"


@pytest.mark.parametrize(
    ("final", "started", "reason"),
    [
        (Final("OUT_OF_MEMORY"), True, Reason.OOM),
        (Final("OUT_OF_MEMORY"), False, Reason.EVICTED),
        (Final("TIMEOUT"), True, Reason.TIMEOUT),
        (Final("TIMEOUT"), False, Reason.EVICTED),
        (Final("NODE_FAIL"), True, Reason.EVICTED),
        (Final("PREEMPTED"), False, Reason.EVICTED),
        (Final("CANCELLED", by="ann"), True, Reason.CANCELLED),
        (Final("FAILED", UNWRITABLE), True, Reason.LOST),
        (Final("FAILED", STARTED_AGAIN), True, Reason.EVICTED),
        (Final("FAILED", 127), False, Reason.SUBMIT_ERROR),
        (Final("FAILED", 1), True, Reason.LOST),
        (Final("COMPLETED"), True, Reason.LOST),
        (Final("UNKNOWN"), False, Reason.LOST),
    ],
)
def test_what_became_of_units(final: Final, started: bool, reason: Reason) -> None:
    found = ending("12_3", final, started)
    assert found.reason is reason
    assert "12_3" in found.message


def test_looks_become_rare() -> None:
    pace = Pace(1.0, 4.0)
    waits = []
    for _ in range(5):
        now = pace.due
        pace.looked(now)
        waits.append(pace.due - now)
    assert waits == [1.0, 1.5, 2.25, 3.375, 4.0]
    pace.hurry(pace.due - 3.0)
    assert pace.interval == 1.0


# --- What jobs leave ----------------------------------------------------------------------------------------------


def written(tmp_path: Path, units: Sequence[Attempt], per_job: int = 2) -> Submission:
    split = [units[at : at + per_job] for at in range(0, len(units), per_job)]
    new = submissions.write(tmp_path / "slurm", tmp_path, split, 2, Demand(1), 1 << 20)
    submissions.save(new.place / "script.sh", b"")
    return new


def record(found: Submission, element: int, *lines: Any, torn: bytes = b"") -> None:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    found.record(element).write_bytes(data + torn)
    found.look()


def test_submissions_are_found_again(tmp_path: Path) -> None:
    new = written(tmp_path, attempts(3))
    (again,) = submissions.read(tmp_path / "slurm")
    assert (again.token, again.elements, again.job) == (
        new.token,
        [["run/unit-0/1", "run/unit-1/1"], ["run/unit-2/1"]],
        None,
    )
    record(again, 1, ["job", {"job": "77_1", "host": "n1"}])
    assert [found.job for found in submissions.read(tmp_path / "slurm")] == ["77"]
    new.note(None, "refused")
    assert [found.over for found in submissions.read(tmp_path / "slurm")] == ["refused"]
    (tmp_path / "slurm" / "0002").mkdir()  # begun by somebody who died
    assert len(list(submissions.read(tmp_path / "slurm"))) == 1
    assert written(tmp_path, attempts(1)).place.name == "0003"


def test_a_torn_record_of_a_node_whose_clock_is_wrong(tmp_path: Path) -> None:
    found = written(tmp_path, attempts(2))
    found.job = "5"
    job = Job(tmp_path, found, 0)
    long_ago, later = 1000.0, 1007.5
    ended = ["run/unit-0/1", 3, long_ago, later, 0.5, 1000, ["logs/slot-0.log", 0, 4], None]
    record(
        found,
        0,
        ["job", {"job": "5_0", "host": "n9"}],
        ["accepted", ["run/unit-0/1", "run/unit-1/1"]],
        ["started", [["run/unit-0/1", long_ago, 1, 1, 0], ["run/unit-1/1", long_ago, 2, 1, 1]]],
        ["ended", [ended]],
        torn=b'["ended",[["run/unit-1/1",0,',
    )
    events = job.read()
    (end,) = [event for event in events if isinstance(event, Ended)]
    assert (end.outcome.exit_code, end.outcome.host) == (3, "n9")
    assert end.outcome.ended is not None
    assert end.outcome.started is not None
    assert end.outcome.ended - end.outcome.started == 7.5
    assert end.outcome.log is not None
    assert end.outcome.log.path == "slurm/0001/slots-0/logs/slot-0.log"
    assert [event.id for event in events if isinstance(event, Started)][:1] == ["run/unit-0/1"]
    assert job.read() == []
    (tmp_path / "slurm/0001/slots-0").mkdir()
    (tmp_path / "slurm/0001/slots-0/slot-1.log").write_text("half\n")
    (rest,) = job.conclude(Final("NODE_FAIL"))
    assert (rest.id, rest.outcome.reason, rest.outcome.started) == ("run/unit-1/1", Reason.EVICTED, long_ago)
    assert rest.outcome.log is not None
    assert rest.outcome.log.length == 5
    assert job.done


def runner(found: Submission, element: int, python: str = sys.executable, **more: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(element), **more}
    command = [python, "-I", "-S", "-X", "utf8", str(ship(found.place.parent)), str(found.place), str(element)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def oldest() -> str | None:
    """A Python 3.9 that runs, wherever it is."""
    found = [shutil.which("python3.9"), *map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python"))]
    runs = (
        one for one in found if one and subprocess.run([one, "-V"], capture_output=True, check=False).returncode == 0
    )
    return next(runs, None)


OLD = oldest()


@pytest.mark.parametrize(
    "python", [sys.executable, pytest.param(OLD, marks=pytest.mark.skipif(OLD is None, reason="there is no python3.9"))]
)
def test_the_runner_by_itself(tmp_path: Path, python: str) -> None:
    units = [
        *attempts(2, "echo $OMP_NUM_THREADS; exit 4"),
        Attempt("run/no/1", Invocation(Environment(), ("no-such",))),
    ]
    found = written(tmp_path, units, 3)
    process = runner(found, 0, python)
    said = process.communicate(timeout=60)[0]
    assert (process.returncode, said) == (0, b"")
    found.job = "7"
    found.look()
    job = Job(tmp_path, found, 0)
    outcomes = {event.id: event.outcome for event in job.read() if isinstance(event, Ended)}
    assert [outcomes[f"run/unit-{n}/1"].exit_code for n in range(2)] == [4, 4]
    assert outcomes["run/no/1"].reason is Reason.SUBMIT_ERROR
    log = outcomes["run/unit-0/1"].log
    assert log is not None
    assert (tmp_path / log.path).read_bytes()[log.offset : log.offset + log.length] == b"1\n"
    assert (job.begun, job.over, job.done) == (True, True, True)


@pytest.mark.parametrize("how", ["twice", "restarted"])
def test_a_job_is_never_run_twice(tmp_path: Path, how: str) -> None:
    found = written(tmp_path, attempts(1, f"echo x >> {tmp_path}/count"))
    assert runner(found, 0).wait(60) == 0
    if how == "restarted":
        found.record(0).unlink()
    again = runner(found, 0, **({"SLURM_RESTART_COUNT": "1"} if how == "restarted" else {}))
    said = again.communicate(timeout=60)[0]
    assert again.returncode == STARTED_AGAIN
    assert b"not run a second time" in said
    assert (tmp_path / "count").read_text() == "x\n"


def test_the_runner_is_told_to_end(tmp_path: Path) -> None:
    found = written(tmp_path, attempts(3, f"echo > {tmp_path}/up-$$; sleep 100"), 3)
    process = runner(found, 0)
    while len(list(tmp_path.glob("up-*"))) < 2:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    found.job = "7"
    found.look()
    job = Job(tmp_path, found, 0)
    assert not [event for event in job.read() if isinstance(event, Ended)]
    assert job.told
    reasons = [event.outcome.reason for event in job.conclude(Final("TIMEOUT"))]
    assert sorted(reasons, key=str) == [Reason.EVICTED, Reason.TIMEOUT, Reason.TIMEOUT]


def test_the_runner_ends_what_is_cancelled(tmp_path: Path) -> None:
    found = written(tmp_path, attempts(3, "sleep 100"), 3)
    found.cancel(0, ["run/unit-0/1", "run/unit-1/1", "run/unit-2/1"], 0.1)
    assert runner(found, 0).wait(60) == 0
    found.look()
    ends = [event.outcome for event in Job(tmp_path, found, 0).read() if isinstance(event, Ended)]
    assert {(end.reason, end.started) for end in ends} == {(Reason.CANCELLED, None)}


@pytest.mark.full
def test_a_record_that_can_not_be_written(small_disk: Path) -> None:
    found = written(small_disk, attempts(200, f"head -c 3000000 /dev/zero >> {small_disk}/data; exit 0"), 200)
    process = runner(found, 0)
    said = process.communicate(timeout=250)[0]
    assert process.returncode == UNWRITABLE
    assert b'"over"' in said  # what the record lacks is in the job's own output, if that has a place


# --- The engine, with commands that answer what they are told to --------------------------------------------------


def told(engine: SlurmEngine, kind: type[EngineEvent], count: int = 1) -> Iterator[EngineEvent]:
    events: SimpleQueue[Sequence[EngineEvent]] = engine.events
    while count:
        try:
            batch = events.get(timeout=30)
        except Empty:
            raise AssertionError("nothing more happened") from None
        for event in batch:
            if isinstance(event, kind):
                count -= 1
                yield event


def test_a_limit_of_jobs_is_waited_for(tmp_path: Path) -> None:
    message = "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates limit"
    answers = Answers(sbatch=[message])
    engine = SlurmEngine(tmp_path, site(), commands=Commands(answers), polls=(0.05, 0.1))
    engine.submit(attempts(7))
    (event,) = told(engine, Waiting)
    assert isinstance(event, Waiting)
    assert "AssocMaxSubmitJobLimit" in event.message
    assert "it has 2 jobs: if you may not submit so many, lower max_num_jobs" in event.message
    engine.cancel([f"run/unit-{n}/1" for n in range(7)], 1.0)
    engine.close()
    assert not list(tmp_path.glob("slurm/*/job.json"))


def test_a_limit_that_no_waiting_helps_against() -> None:
    said = (
        "QOSMaxWallDurationPerJobLimit\nJob violates accounting/QOS policy (job submit limit, user's size and/or time)"
    )
    with pytest.raises(SlurmError) as error:
        Commands(Answers(sbatch=[said])).submit("/p", "/p/script.sh")
    assert not error.value.passing


def test_a_directory_whose_name_means_something_to_slurm() -> None:
    answers = Answers()
    Commands(answers).submit("/a%j b", "/a%j b/script.sh")
    assert "--output=/a%%j b/%a.out" in answers.asked[-1]


def test_what_slurm_has_forgotten_is_lost(tmp_path: Path) -> None:
    engine = SlurmEngine(tmp_path, site(), commands=Commands(Answers()), polls=(0.05, 0.1))
    engine.submit(attempts(2))
    ends = list(told(engine, Ended, 2))
    engine.close()
    assert {end.outcome.reason for end in ends if isinstance(end, Ended)} == {Reason.LOST}


def test_a_fault_of_the_engine_ends_what_waits_and_whatever_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = SlurmEngine(tmp_path, site(), commands=Commands(Answers()), polls=(0.05, 0.1))

    def turn(self: Desk) -> float:
        raise RuntimeError("broken")

    monkeypatch.setattr(Desk, "turn", turn)
    engine.submit(attempts(2))
    ends = list(told(engine, Ended, 2))
    assert {one.outcome.reason for one in ends if isinstance(one, Ended)} == {Reason.LOST}
    with pytest.raises(EngineError, match="RuntimeError: broken"):
        engine.submit(attempts(3))
    engine.close()
    assert "RuntimeError" in capsys.readouterr().err


def test_a_python_that_is_too_old_says_so(tmp_path: Path) -> None:
    path = str(ship(tmp_path))
    text = f"import runpy, sys; sys.version_info = (3, 6, 8); runpy.run_path({path!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, "Python 3.9 or later is needed on the nodes" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_a_directory_that_slurm_can_not_write_to(tmp_path: Path) -> None:
    engine = SlurmEngine(tmp_path / "a\\b", site(), commands=Commands(Answers()))
    with pytest.raises(EngineError, match="backslash"):
        engine.submit(attempts(1))


def test_a_question_that_fails_ends_nothing(tmp_path: Path) -> None:
    answers = Answers(squeue=["slurm_load_jobs error: Unable to contact slurm controller (connect failure)"])
    engine = SlurmEngine(tmp_path, site(), commands=Commands(answers), polls=(0.02, 0.02))
    engine.submit(attempts(1))
    (event,) = told(engine, Waiting)
    assert isinstance(event, Waiting)
    assert "SLURM does not answer" in event.message
    while sum(arguments[0] == "squeue" for arguments in answers.asked) < 5:
        assert engine.events.empty()
    engine.close()
    assert engine.events.empty()


def test_commands_that_are_not_here() -> None:
    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(arguments[0])

    with pytest.raises(SlurmError, match="login node") as caught:
        Commands(run).cluster()
    assert not caught.value.passing
