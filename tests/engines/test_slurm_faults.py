"""What goes wrong on clusters: each fault on a real one, ended in the right state and in SLURM's own words."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Accepted, Attempt, Ended, Waiting
from trivet.engines.slurm.commands import Commands, here
from trivet.engines.slurm.engine import SlurmEngine
from trivet.engines.slurm.site import Site, read_site
from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason
from trivet.tasks.task import ContainerImage, Environment
from trivet.tasks.work import Invocation, Outcome
from trivet.testing.watching import Gate, Sign, Watch

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]

MIB = 1024 * 1024
POLLS = (0.2, 1.0)
LIMITS = {
    "target_cpus_per_job": 2,
    "max_cpus_per_job": 2,
    "target_mem_per_job": 4000,
    "max_mem_per_job": 4000,
    "target_num_jobs": 6,
    "max_num_jobs": 6,
}


def site(**more: Any) -> Site:
    problems: list[Problem] = []
    config = {"partition": more.pop("partition", "main"), "cpus_per_task": 1, "mem": more.pop("mem", 100)}
    found = read_site({"default_slurm_config": config, "batching_config": LIMITS, **more}, problems)
    assert found is not None, problems
    return found


def say(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def state(job: str) -> str:
    return say("squeue", "-h", "--states=all", "-j", job, "-o", "%T")


Make = Callable[..., SlurmEngine]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture
def make(directory: Path) -> Iterator[Make]:
    made: list[SlurmEngine] = []

    def make(configured: Site | None = None, **more: Any) -> SlurmEngine:
        made.append(SlurmEngine(more.pop("directory", directory), configured or site(), polls=POLLS, **more))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    subprocess.run(["scancel", "--user=root"], check=False)


@pytest.fixture
def watch(make: Make) -> Watch:
    return Watch(make())


@pytest.fixture
def sign(tmp_path: Path) -> Iterator[Sign]:
    sign = Sign(tmp_path / "sign")
    yield sign
    sign.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.close()


def shell(id: str, text: str, **fields: Any) -> Attempt:
    return Attempt(id, Invocation(Environment(), ("sh", "-c", text), **fields))


def holding(sign: Sign) -> str:
    return f"exec 3>{sign.path}; echo ready >&3; echo said; sleep 1000"


def start(watch: Watch, sign: Sign, **fields: Any) -> str:
    """One unit that runs until it is ended; the job it runs in."""
    watch.engine.submit([shell("run/held/1", holding(sign), **fields)])
    assert sign.line() == "ready"
    watch.started("run/held/1")
    return str(watch.accepted("run/held/1")["run/held/1"])


def waited(watch: Watch, id: str, words: str) -> Waiting:
    """The event that says why an attempt waits, with these words in it."""

    def found() -> list[Waiting]:
        return [event for event in watch.seen.get(id, ()) if isinstance(event, Waiting) and words in event.message]

    watch.until(lambda: bool(found()))
    return found()[0]


def only(watch: Watch, id: str) -> Outcome:
    (outcome,) = watch.ended(id)
    return outcome


# --- What a job may use -------------------------------------------------------------------------------------------


GROW = "x=0123456789abcdef; while :; do x=$x$x; done"


def test_the_memory_of_a_job(watch: Watch) -> None:
    watch.engine.submit([shell("run/large/1", GROW), shell("run/small/1", "sleep 2; exit 3")])
    large, small = watch.ended("run/large/1", "run/small/1")
    assert (large.reason, large.exit_code) == (Reason.OOM, 137)
    assert "200 MB" in large.message
    assert (small.reason, small.exit_code) == (None, 3)


@pytest.mark.full
def test_the_memory_of_a_job_is_used_up_by_a_child(watch: Watch) -> None:
    watch.engine.submit([shell("run/parent/1", f"sh -c '{GROW}'; exit 5")])
    assert (only(watch, "run/parent/1").reason, only(watch, "run/parent/1").exit_code) == (Reason.OOM, 5)


def test_the_time_of_a_job(watch: Watch, sign: Sign) -> None:
    job = start(watch, sign, meta={"time": "00:05:00"})
    say("scontrol", "update", f"jobid={job}", "EndTime=now")
    outcome = only(watch, "run/held/1")
    assert outcome.reason is Reason.TIMEOUT
    assert "TIMEOUT" in outcome.message
    assert job in outcome.message
    sign.gone()


# --- What takes a job away ----------------------------------------------------------------------------------------


@pytest.mark.full
def test_node_failure(watch: Watch, sign: Sign) -> None:
    job = start(watch, sign)
    watch.engine.submit([shell("run/other/1", "exit 4")])
    node = say("squeue", "-h", "-j", job, "-o", "%N")
    try:
        say("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        outcome = only(watch, "run/held/1")
        assert outcome.reason is Reason.EVICTED
        assert "its node failed" in outcome.message
        assert "NODE_FAIL" in outcome.message
        assert outcome.started is not None
        sign.gone()  # nobody is left who could write what a later attempt writes, too
    finally:
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True, check=False)
    assert only(watch, "run/other/1").exit_code == 4


def test_a_dead_node_whose_processes_live_on(watch: Watch, sign: Sign, slurm: Path) -> None:
    job = start(watch, sign)
    node = say("squeue", "-h", "-j", job, "-o", "%N")
    daemon = slurm / "pid" / node
    os.kill(int(daemon.read_text()), signal.SIGKILL)
    daemon.unlink()
    try:
        say("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        assert only(watch, "run/held/1").reason is Reason.EVICTED
        sign.gone()  # the runner has seen that it is not wanted any more
    finally:
        subprocess.run([Path(__file__).parents[2] / "scripts/start-slurm.sh"], capture_output=True, check=True)
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True, check=False)


def test_requeue_from_outside(watch: Watch, sign: Sign) -> None:
    job = start(watch, sign)
    say("scontrol", "update", f"jobid={job}", "requeue=1")
    say("scontrol", "requeue", job)
    outcome = only(watch, "run/held/1")
    assert outcome.reason is Reason.EVICTED
    assert "queue" in outcome.message
    sign.gone()
    assert "PENDING" not in state(job)


def test_preemption(make: Make, sign: Sign) -> None:
    watch = Watch(make(site(partition="spare")))
    start(watch, sign)
    blockers = say("sbatch", "--parsable", "-p", "urgent", "-N3", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3")
    outcome = only(watch, "run/held/1")
    assert outcome.reason is Reason.EVICTED
    assert "PREEMPTED" in outcome.message
    sign.gone()
    say("scancel", blockers)


@pytest.mark.full
def test_cancelled_by_somebody(watch: Watch, sign: Sign) -> None:
    job = start(watch, sign)
    say("scancel", job.partition("_")[0])
    outcome = only(watch, "run/held/1")
    assert outcome.reason is Reason.CANCELLED
    assert "not by Trivet" in outcome.message
    assert outcome.log is not None


def test_one_job_of_several_cancelled_by_somebody(watch: Watch, gate: Gate) -> None:
    watch.engine.submit([shell(f"run/unit-{n}/1", f"read x < {gate.path}; exit 3") for n in range(4)])
    ids = [f"run/unit-{n}/1" for n in range(4)]
    watch.started(*ids)
    jobs = watch.accepted(*ids)
    assert len(set(jobs.values())) == 2
    say("scancel", str(jobs[ids[0]]))
    first, second = watch.ended(*ids[:2])
    assert {first.reason, second.reason} == {Reason.CANCELLED}
    gate.open(2)
    assert [outcome.exit_code for outcome in watch.ended(*ids[2:])] == [3, 3]


def test_cancelled_by_somebody_while_it_waits(watch: Watch) -> None:
    watch.engine.submit([shell("run/held/1", "exit 0", meta={"extra_lines": ["#SBATCH --hold"]})])
    waited(watch, "run/held/1", "held")
    say("scancel", str(watch.accepted("run/held/1")["run/held/1"]))
    outcome = only(watch, "run/held/1")
    assert (outcome.reason, outcome.started) == (Reason.CANCELLED, None)


# --- What a job waits for -----------------------------------------------------------------------------------------


@pytest.mark.full
def test_a_job_that_is_held(watch: Watch) -> None:
    watch.engine.submit([shell("run/held/1", "exit 5", meta={"extra_lines": ["#SBATCH --hold"]})])
    event = waited(watch, "run/held/1", "held by its user")
    job = str(watch.accepted("run/held/1")["run/held/1"]).partition("_")[0]
    assert f"scontrol release {job}" in event.message
    say("scontrol", "release", job)
    assert only(watch, "run/held/1").exit_code == 5


def test_jobs_that_wait_for_ever(watch: Watch) -> None:
    other = say("sbatch", "--parsable", "--hold", "-o", "/dev/null", "--wrap", "true")
    dependent = {"extra_lines": [f"#SBATCH --dependency=afterok:{other}"]}
    watch.engine.submit([shell("run/long/1", "exit 0", meta={"time": "99:00:00"})])
    watch.engine.submit([shell("run/dependent/1", "exit 0", meta=dependent)])
    waited(watch, "run/long/1", "for ever: it asks for more")
    waited(watch, "run/dependent/1", "waits for another job to end")
    say("scancel", other)
    waited(watch, "run/dependent/1", "DependencyNeverSatisfied")
    watch.engine.cancel(["run/long/1", "run/dependent/1"], 1.0)
    assert {one.reason for one in watch.ended("run/long/1", "run/dependent/1")} == {Reason.CANCELLED}


# --- What SLURM refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "words"),
    [
        ({"partition": "nosuch"}, "invalid partition specified: nosuch"),
        ({"mem": 1_000_000}, "not available"),
    ],
)
def test_what_slurm_refuses(make: Make, configured: dict[str, Any], words: str) -> None:
    limits = {**LIMITS, "target_mem_per_job": "1T", "max_mem_per_job": "1T"}
    watch = Watch(make(site(**configured, batching_config=limits)))
    watch.engine.submit([shell(f"run/unit-{n}/1", "exit 0") for n in range(3)])
    outcomes = watch.ended(*(f"run/unit-{n}/1" for n in range(3)))
    assert {outcome.reason for outcome in outcomes} == {Reason.SUBMIT_ERROR}
    assert all(words in outcome.message for outcome in outcomes)


def test_a_node_without_python(make: Make) -> None:
    watch = Watch(make(site(python="/no/such/python")))
    watch.engine.submit([shell("run/unit/1", "exit 0")])
    outcome = only(watch, "run/unit/1")
    assert outcome.reason is Reason.SUBMIT_ERROR
    assert "127" in outcome.message
    assert "/no/such/python" in outcome.message


def test_units_that_can_not_be_batched(watch: Watch) -> None:
    watch.engine.submit([shell("run/wide/1", "exit 0", meta={"cpus_per_task": 99}), shell("run/unit/1", "exit 6")])
    wide, unit = watch.ended("run/wide/1", "run/unit/1")
    assert wide.reason is Reason.SUBMIT_ERROR
    assert "99 CPUs" in wide.message
    assert unit.exit_code == 6


def test_containers_without_apptainer(watch: Watch) -> None:
    watch.engine.submit([Attempt("run/image/1", Invocation(ContainerImage("busybox"), ("true",)))])
    outcome = only(watch, "run/image/1")
    assert outcome.reason is Reason.SUBMIT_ERROR
    assert "Apptainer" in outcome.message


# --- When SLURM itself fails --------------------------------------------------------------------------------------


def test_a_controller_that_is_down(watch: Watch, gate: Gate, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = slurm / "impatient.conf"  # SLURM's own commands try for as many seconds
    impatient.write_text((slurm / "slurm.conf").read_text().replace("MessageTimeout=10", "MessageTimeout=2"))
    monkeypatch.setenv("SLURM_CONF", str(impatient))
    watch.engine.submit([shell("run/before/1", f"read x < {gate.path}; exit 3")])
    watch.started("run/before/1")
    controller = int((slurm / "pid" / "slurmctld").read_text())
    os.kill(controller, signal.SIGTERM)
    while Path(f"/proc/{controller}").exists():
        time.sleep(0.05)
    try:
        watch.engine.submit([shell("run/during/1", "exit 4")])
        waited(watch, "run/during/1", "asked again")
        gate.open()
        assert only(watch, "run/before/1").exit_code == 3
    finally:
        subprocess.run([Path(__file__).parents[2] / "scripts/start-slurm.sh"], capture_output=True, check=True)
    assert only(watch, "run/during/1").exit_code == 4


def test_a_full_disk(make: Make, small_disk: Path) -> None:
    watch = Watch(make(directory=small_disk))
    fill = f"head -c 3000000 /dev/zero > {small_disk}/data; echo full"
    watch.engine.submit([shell("run/fill/1", f"{fill}; sleep 1; rm {small_disk}/data; exit 7")])
    assert only(watch, "run/fill/1").exit_code == 7
    with pytest.raises(OSError, match="No space"):
        (small_disk / "data").write_bytes(bytes(2 * MIB))
    watch.engine.submit([shell("run/late/1", "exit 0")])
    outcome = only(watch, "run/late/1")
    assert outcome.reason is Reason.SUBMIT_ERROR
    assert "No space left on device" in outcome.message


# --- When the driver dies -----------------------------------------------------------------------------------------


def _drive_and_die(directory: Path, attempts: Sequence[Attempt], before: bool) -> None:
    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if arguments[0] != "sbatch":
            return here(arguments)
        if not before:
            here(arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    engine = SlurmEngine(directory, site(), polls=POLLS, commands=Commands(run))
    engine.submit(attempts)
    signal.pause()


@pytest.mark.parametrize(
    ("before", "again"),
    [
        pytest.param(True, "submit", marks=pytest.mark.full),
        (True, "adopt"),
        (False, "submit"),
        pytest.param(False, "adopt", marks=pytest.mark.full),
    ],
)
def test_a_driver_killed_around_sbatch(make: Make, directory: Path, tmp_path: Path, before: bool, again: str) -> None:
    attempts = [shell(f"run/unit-{n}/1", f"echo {n} >> {tmp_path}/count; exit 3") for n in range(3)]
    driver = multiprocessing.get_context("fork").Process(target=_drive_and_die, args=(directory, attempts, before))
    driver.start()
    driver.join()
    assert driver.exitcode == -signal.SIGKILL
    watch = Watch(make())
    if again == "submit":
        watch.engine.submit(attempts)
    else:
        watch.engine.adopt({attempt.id: None for attempt in attempts})
    assert [one.exit_code for one in watch.ended(*(attempt.id for attempt in attempts))] == [3, 3, 3]
    assert sorted((tmp_path / "count").read_text().split()) == ["0", "1", "2"]


def test_one_question_for_all_jobs(make: Make, gate: Gate) -> None:
    asked: list[tuple[float, Sequence[str]]] = []

    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        asked.append((time.monotonic(), arguments))
        return here(arguments)

    watch = Watch(make(commands=Commands(run)))
    for n in range(3):
        watch.engine.submit([shell(f"run/unit-{n}-{m}/1", f"read x < {gate.path}; exit 1") for m in range(2)])
    ids = [f"run/unit-{n}-{m}/1" for n in range(3) for m in range(2)]
    watch.started(*ids)
    time.sleep(3 * POLLS[1])
    gate.open(6)
    watch.ended(*ids)
    lists = [at for at, arguments in asked if arguments[0] == "squeue"]
    assert all(later - earlier >= POLLS[0] for earlier, later in pairwise(lists))
    assert sum(arguments[0] == "sbatch" for _, arguments in asked) <= 3
    assert not any(arguments[0] in ("sacct", "scancel") for _, arguments in asked)
    assert all(isinstance(watch.seen[id][0], Accepted) and isinstance(watch.seen[id][-1], Ended) for id in ids)
