"""Units start when what they need is free: CPUs, memory, GPUs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.engines import Attempt
from trivet.engines.local import LocalEngine
from trivet.tasks.task import Environment, Resources
from trivet.tasks.work import Invocation
from trivet.testing.watching import Gate, Watch

with pytest.MonkeyPatch.context() as patch:  # the worker's modules find each other as files of one directory
    patch.syspath_prepend(str(Path(sys.modules["trivet.engines"].__file__ or "").parent))
    from worker_capacity import Capacity, Demand, demand_of
    from worker_queue import Queue

GIB = 1024**3


class Kind:
    """As much of what units share as the queue looks at."""

    kind = None

    def __init__(self, cpus: float = 1, memory: int = 0, gpus: int = 0) -> None:
        self.demand = demand_of({"cpus": cpus, "memory": memory, "gpus": gpus})


class Machine:
    """Starts what the queue gives, and ends it by name."""

    def __init__(self, cpus: int = 4, memory: int = 8 * GIB, gpus: int = 1) -> None:
        self.capacity = Capacity(cpus, memory, [str(number) for number in range(gpus)])
        self.queue = Queue(self.capacity)
        self.running: dict[str, tuple[Demand, list[str]]] = {}

    def add(self, id: str, **needs: Any) -> None:
        self.queue.add(id, Kind(**needs), [], "/", None)  # type: ignore[arg-type]

    def start(self, held: Any = lambda lane: False) -> list[str]:
        started = []
        while (job := self.queue.next(held)) is not None:
            share = self.capacity.share(job[1].demand)
            self.running[job[0]] = (share, self.capacity.take(share))
            started.append(job[0])
        return started

    def end(self, id: str) -> None:
        self.capacity.give(*self.running.pop(id))


def test_as_many_as_there_are_cpus() -> None:
    machine = Machine(cpus=2)
    for name in "abc":
        machine.add(name)
    assert machine.start() == ["a", "b"]
    machine.end("a")
    assert machine.start() == ["c"]


def test_cpus_count_not_units() -> None:
    machine = Machine(cpus=4)
    machine.add("three", cpus=3)
    machine.add("also three", cpus=3)
    assert machine.start() == ["three"]
    machine.end("three")
    assert machine.start() == ["also three"]


def test_parts_of_a_cpu() -> None:
    machine = Machine(cpus=1)
    for name in "abc":
        machine.add(name, cpus=0.5)
    assert machine.start() == ["a", "b"]


def test_memory_and_gpus() -> None:
    machine = Machine(memory=8 * GIB, gpus=2)
    machine.add("a", memory=6 * GIB)
    machine.add("b", memory=6 * GIB)
    machine.add("c", gpus=1)
    machine.add("d", gpus=1)
    machine.add("e", gpus=1)
    assert machine.start() == ["a", "c", "d"]
    assert machine.running["c"][1] == ["0"]
    assert machine.running["d"][1] == ["1"]
    machine.end("d")
    assert machine.start() == ["e"]
    assert machine.running["e"][1] == ["1"]
    machine.end("a")
    assert machine.start() == ["b"]


def test_one_token_where_there_is_no_gpu() -> None:
    machine = Machine(gpus=0)
    for name in "ab":
        machine.add(name, gpus=1)
    assert machine.start() == ["a"]
    assert machine.running["a"][1] == []
    machine.end("a")
    assert machine.start() == ["b"]


@pytest.mark.parametrize("needs", [{"cpus": 9}, {"memory": 100 * GIB}])
def test_what_is_larger_than_the_machine_runs_alone(needs: dict[str, Any]) -> None:
    machine = Machine(cpus=4)
    machine.add("before")
    machine.add("large", **needs)
    machine.add("after")
    assert machine.start() == ["before"]
    machine.end("before")
    assert machine.start() == ["large"]
    machine.end("large")
    assert machine.start() == ["after"]


def test_small_ones_do_not_keep_a_large_one_from_starting() -> None:
    machine = Machine(cpus=4)
    machine.add("first")
    machine.add("large", cpus=4)
    for number in range(100):
        machine.add(f"small {number}")
    assert machine.start() == ["first"]
    machine.end("first")
    assert machine.start() == ["large"]


def test_who_waits_for_a_gpu_does_not_hold_up_the_others() -> None:
    machine = Machine(cpus=4, gpus=1)
    for name in ("first gpu", "second gpu", "third gpu"):
        machine.add(name, gpus=1)
    for number in range(4):
        machine.add(f"cpu {number}")
    assert machine.start() == ["first gpu", "cpu 0", "cpu 1"]  # a CPU stays free for the next that waits
    machine.end("first gpu")
    assert machine.start()[0] == "second gpu"


def test_lanes_take_turns_as_their_units_came() -> None:
    machine = Machine(cpus=1)
    for number in range(3):
        machine.add(f"a{number}")
        machine.add(f"b{number}", memory=GIB)
    order = []
    while machine.queue:
        (name,) = machine.start()
        order.append(name)
        machine.end(name)
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_units_that_wait_for_something_else_are_passed_by() -> None:
    machine = Machine(cpus=1)
    machine.add("importing", memory=GIB)
    machine.add("ready")
    assert machine.start(held=lambda lane: lane.share[1] > 0) == ["ready"]


def test_cancelled_units_are_forgotten() -> None:
    machine = Machine(cpus=1)
    for name in "abc":
        machine.add(name)
    assert machine.queue.remove("b")
    assert not machine.queue.remove("b")
    assert machine.start() == ["a"]
    machine.end("a")
    assert machine.start() == ["c"]
    assert not machine.queue


needs = st.fixed_dictionaries(
    {
        "cpus": st.sampled_from([0.5, 1, 2, 4, 9]),
        "memory": st.sampled_from([0, GIB, 7 * GIB, 99 * GIB]),
        "gpus": st.integers(0, 3),
    }
)


@settings(max_examples=100, deadline=None)
@given(st.lists(needs, min_size=1, max_size=12), st.randoms())
def test_everything_runs_and_nothing_is_given_twice(units: list[dict[str, Any]], random: Any) -> None:
    machine = Machine(cpus=4, gpus=2)
    for number, one in enumerate(units):
        machine.add(str(number), **one)
    seen: set[str] = set()
    while machine.queue or machine.running:
        seen |= set(machine.start())
        assert machine.running, "something waits, and nothing runs"
        assert all(amount >= 0 for amount in machine.capacity.free)
        devices = [device for _, given in machine.running.values() for device in given]
        assert len(devices) == len(set(devices))
        machine.end(random.choice(sorted(machine.running)))
    assert seen == {str(number) for number in range(len(units))}
    assert machine.capacity.free == machine.capacity.total


# --- Through the engine -------------------------------------------------------------------------------------------


def submit(engine: LocalEngine, id: str, text: str, **fields: Any) -> None:
    engine.submit([Attempt(id, Invocation(Environment(), ("sh", "-c", text), **fields))])


def test_a_unit_of_two_cpus_waits_for_both(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    engine = LocalEngine(tmp_path / "engine", slots=2)
    watch = Watch(engine)
    try:
        submit(engine, "run/one/1", f"read x < {gate.path}; echo one >> {tmp_path}/order")
        submit(engine, "run/two/1", f"echo two >> {tmp_path}/order", resources=Resources(cpus=2))
        submit(engine, "run/three/1", f"echo three >> {tmp_path}/order")
        watch.accepted("run/one/1", "run/two/1", "run/three/1")
        gate.open()
        watch.ended("run/one/1", "run/two/1", "run/three/1")
        assert (tmp_path / "order").read_text().split() == ["one", "two", "three"]
    finally:
        engine.close()
        gate.close()


def test_half_cpus_have_logs_of_their_own(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    engine = LocalEngine(tmp_path / "engine", slots=1)
    watch = Watch(engine)
    ids = ["run/a/1", "run/b/1", "run/c/1"]
    try:
        for id in ids[:2]:
            submit(engine, id, f"echo begin {id}; read x < {gate.path}; echo end", resources=Resources(cpus=0.5))
        watch.started(*ids[:2])
        submit(engine, ids[2], "exit 3", resources=Resources(cpus=0.5))
        gate.open(2)
        outcomes = watch.ended(*ids)
        for id, outcome in zip(ids[:2], outcomes, strict=False):
            assert outcome.log is not None
            data = (tmp_path / "engine" / outcome.log.path).read_bytes()
            part = data[outcome.log.offset : outcome.log.offset + outcome.log.length]
            assert part == f"begin {id}\nend\n".encode()
        assert outcomes[2].exit_code == 3
    finally:
        engine.close()
        gate.close()


@pytest.mark.parametrize("own", [None, "7"])
def test_units_see_their_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None) -> None:
    """Without GPUs nothing is said; what the user says himself is left alone."""
    if list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has GPUs")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    engine = LocalEngine(tmp_path / "engine", slots=2)
    try:
        submit(
            engine,
            "run/a/1",
            f"echo ${{CUDA_VISIBLE_DEVICES-unset}} > {tmp_path}/seen",
            environment={"CUDA_VISIBLE_DEVICES": own} if own else {},
            resources=Resources(gpus=1),
        )
        Watch(engine).ended("run/a/1")
        assert (tmp_path / "seen").read_text() == f"{own or 'unset'}\n"
    finally:
        engine.close()


def test_units_share_the_gpus_that_the_caller_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    engine, gate = LocalEngine(tmp_path / "engine", slots=2), Gate(tmp_path / "gate")
    try:
        for id in ("a", "b"):
            text = f"echo $CUDA_VISIBLE_DEVICES > {tmp_path}/{id}; read x < {gate.path}"
            submit(engine, f"run/{id}/1", text, resources=Resources(gpus=1))
        watch = Watch(engine)
        watch.started("run/a/1", "run/b/1")
        gate.open(2)
        watch.ended("run/a/1", "run/b/1")
        assert {(tmp_path / id).read_text() for id in ("a", "b")} == {"3\n", "5\n"}
    finally:
        engine.close()
        gate.close()


def test_gpus_of_the_worker_are_dealt_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glob.glob", lambda pattern: ["a", "b", "c"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    capacity = Capacity(4)
    assert capacity.take(capacity.share((1000, 0, 2))) == ["0", "1"]
    assert capacity.take(capacity.share((1000, 0, 1))) == ["2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-x, 4")
    assert Capacity(4).devices == ["GPU-x", "4"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert Capacity(4).total[2] == 1
