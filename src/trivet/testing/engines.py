"""What every engine promises, as a class of tests to inherit from.

class TestMine(EngineTests):
    def make(self, directory):
        return MyEngine(directory, slots=2)

    def invocation(self, *argv, **fields):
        return Invocation(Environment(), argv, **fields)
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from trivet.engines import Attempt, Engine, EngineError
from trivet.tasks.states import Reason
from trivet.tasks.task import Resources
from trivet.tasks.work import Mount
from trivet.testing.case import EngineCase
from trivet.testing.watching import PATIENCE, Gate, Sign, Watch

MIB = 1024 * 1024
READY = "exec 3>{sign}; echo ready >&3"


class EngineTests(EngineCase):
    """Inherit, and give `make` and `invocation`; see `EngineCase` for what else can be said about an engine."""

    # --- How units end ------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("code", [0, 7, 255])
    def test_exit_code(self, watch: Watch, code: int) -> None:
        outcome = self.outcome(watch, f"exit {code}")
        assert (outcome.exit_code, outcome.signal, outcome.reason) == (code, None, None)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
    def test_signal(self, watch: Watch, number: int) -> None:
        if not self.signals_itself:
            pytest.skip("a unit's first process can't signal itself here")
        outcome = self.outcome(watch, f"kill -{int(number)} $$")
        assert (outcome.exit_code, outcome.signal, outcome.reason) == (128 + number, number, None)

    def test_usage(self, watch: Watch) -> None:
        before = time.time()
        outcome = self.outcome(watch, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
        assert outcome.started is not None
        assert outcome.ended is not None
        assert before - 1 <= outcome.started < outcome.ended <= time.time() + 1
        assert outcome.cpu is not None
        assert 0.01 < outcome.cpu < PATIENCE
        assert outcome.peak_memory is not None
        assert 100_000 < outcome.peak_memory < 1 << 30
        assert outcome.measured_by
        assert outcome.host

    def test_out_of_memory(self, watch: Watch) -> None:
        grow = "x=0123456789abcdef; while :; do x=$x$x; done"
        outcome = self.outcome(watch, grow, resources=Resources(memory=64 * MIB))
        assert (outcome.reason, outcome.exit_code) == (Reason.OOM, 137)

    def test_enough_memory(self, watch: Watch) -> None:
        outcome = self.outcome(watch, "exit 3", resources=Resources(memory=256 * MIB))
        assert (outcome.reason, outcome.exit_code) == (None, 3)

    def test_time_limit(self, watch: Watch, shared: Path, sign: Sign) -> None:
        script = f"{READY.format(sign=sign.path)}; sleep 1000"
        outcome = self.outcome(watch, script, time_limit=0.3, grace=0.3, **self.seeing(shared))
        assert outcome.reason is Reason.TIMEOUT
        assert outcome.exit_code in (128 + signal.SIGTERM, 128 + signal.SIGKILL)
        assert outcome.started is not None
        assert outcome.ended is not None
        assert 0.3 <= outcome.ended - outcome.started < PATIENCE
        sign.gone()

    def test_time_limit_not_reached(self, watch: Watch) -> None:
        assert self.outcome(watch, "exit 4", time_limit=PATIENCE).exit_code == 4

    def test_nothing_of_a_unit_outlives_it(self, watch: Watch, shared: Path, sign: Sign) -> None:
        script = f"{READY.format(sign=sign.path)}; sleep 1000 & setsid sleep 1000 & exit 6"
        assert self.outcome(watch, script, **self.seeing(shared)).exit_code == 6
        assert sign.line() == "ready"
        sign.gone()

    # --- Cancel ---------------------------------------------------------------------------------------------------

    def test_cancel_queued(self, watch: Watch, shared: Path, gate: Gate) -> None:
        engine, see = watch.engine, self.seeing(shared)
        holders = [f"run/holder-{number}/1" for number in range(engine.capacity().slots)]
        engine.submit([self.script(id, f"read x < {gate.path}; exit 3", **see) for id in holders])
        watch.started(*holders)
        engine.submit([self.script("run/late/1", f"echo started > {shared}/late", **see)])
        watch.accepted("run/late/1")
        engine.cancel(["run/late/1"], 1.0)
        (late,) = watch.ended("run/late/1")
        assert (late.reason, late.exit_code, late.started) == (Reason.CANCELLED, None, None)
        gate.open(len(holders))
        assert [outcome.exit_code for outcome in watch.ended(*holders)] == [3] * len(holders)
        assert not (shared / "late").exists()

    def test_cancel_starting(self, watch: Watch) -> None:
        ids = [f"run/unit-{number}/1" for number in range(10)]
        watch.engine.submit([self.script(id, "sleep 1000") for id in ids])
        watch.engine.cancel(ids, 0.1)
        assert {outcome.reason for outcome in watch.ended(*ids)} == {Reason.CANCELLED}

    def test_cancel_running_with_children(self, watch: Watch, shared: Path, sign: Sign) -> None:
        script = f"trap 'exit 5' TERM; {READY.format(sign=sign.path)}; sleep 1000 & sleep 1000 & wait"
        watch.engine.submit([self.script("run/unit/1", script, **self.seeing(shared))])
        assert sign.line() == "ready"
        watch.engine.cancel(["run/unit/1"], PATIENCE)
        (outcome,) = watch.ended("run/unit/1")
        assert (outcome.reason, outcome.exit_code) == (Reason.CANCELLED, 5)
        sign.gone()

    def test_cancel_who_ignores_it(self, watch: Watch, shared: Path, sign: Sign) -> None:
        script = f"trap '' TERM; {READY.format(sign=sign.path)}; sleep 1000"
        watch.engine.submit([self.script("run/unit/1", script, **self.seeing(shared))])
        assert sign.line() == "ready"
        watch.engine.cancel(["run/unit/1"], 0.2)
        (outcome,) = watch.ended("run/unit/1")
        assert (outcome.reason, outcome.exit_code) == (Reason.CANCELLED, 137)
        sign.gone()

    def test_cancel_what_is_not_there(self, watch: Watch) -> None:
        assert self.outcome(watch, "exit 0").exit_code == 0
        watch.engine.cancel([*watch.seen, "run/unknown/1"], 1.0)
        assert self.outcome(watch, "exit 1").exit_code == 1

    # --- What units are given ---------------------------------------------------------------------------------------

    def test_environment(self, watch: Watch, directory: Path) -> None:
        given = {"GREETING": "Grüß Gott\n'\"$HOME", "EMPTY": ""}
        outcome = self.outcome(watch, 'printf %s "$GREETING-${EMPTY-unset}"', environment=given)
        assert self.log(directory, outcome).decode() == given["GREETING"] + "-"

    def test_arguments(self, watch: Watch, directory: Path) -> None:
        args = ["", " ", "a b", "ä€😀", "line\nline", "'\"`$HOME`*", "-n", "\\", "--"]
        outcome = self.outcome(watch, r'printf "%s\000" "$@"', *args)
        assert self.log(directory, outcome).decode().split("\0")[:-1] == args

    def test_working_directory(self, watch: Watch, directory: Path, shared: Path) -> None:
        outcome = self.outcome(watch, "pwd; echo here > file", workdir=str(shared), **self.seeing(shared))
        assert self.log(directory, outcome).decode() == f"{shared}\n"
        assert (shared / "file").read_text() == "here\n"

    def test_standard_input_is_empty(self, watch: Watch) -> None:
        assert self.outcome(watch, "cat; exit 9").exit_code == 9

    # --- Logs -------------------------------------------------------------------------------------------------------

    def test_log_of_any_bytes(self, watch: Watch, directory: Path) -> None:
        octal = "".join(f"\\{byte:03o}" for byte in range(256))
        outcome = self.outcome(watch, f"printf '{octal}'")
        assert self.log(directory, outcome) == bytes(range(256))

    def test_log_of_both_streams(self, watch: Watch, directory: Path) -> None:
        outcome = self.outcome(watch, "echo to stdout; echo to stderr >&2")
        assert sorted(self.log(directory, outcome).splitlines()) == [b"to stderr", b"to stdout"]

    def test_logs_do_not_mix(self, watch: Watch, directory: Path) -> None:
        ids = [f"run/unit-{number}/1" for number in range(8)]
        watch.engine.submit([self.script(id, f"echo begin {id}; echo end {id}") for id in ids])
        for id, outcome in zip(ids, watch.ended(*ids), strict=True):
            assert self.log(directory, outcome).decode() == f"begin {id}\nend {id}\n"

    def test_big_log(self, watch: Watch, directory: Path) -> None:
        outcome = self.outcome(watch, "head -c 3000000 /dev/zero | tr '\\000' x")
        assert self.log(directory, outcome) == b"x" * 3_000_000

    def test_log_cap(self, watch: Watch, directory: Path) -> None:
        if self.log_cap is None:
            pytest.skip("this engine's logs are not limited")
        outcome = self.outcome(watch, f"echo first; head -c {3 * self.log_cap} /dev/zero | tr '\\000' x; echo last")
        log = self.log(directory, outcome)
        assert log.startswith(b"first\nxxx")
        assert log.endswith(b"xxxlast\n")
        assert b"bytes cut" in log
        assert self.log_cap / 2 < len(log) < self.log_cap + 500

    def test_log_of_its_own(self, watch: Watch, directory: Path, shared: Path) -> None:
        path = shared / "own.log"
        outcome = self.outcome(watch, "echo mine", log=str(path))
        assert path.read_text() == "mine\n"
        assert outcome.log is not None
        assert self.log(directory, outcome) == b"mine\n"

    def test_no_log_of_nothing(self, watch: Watch, shared: Path) -> None:
        path = shared / "own.log"
        assert self.outcome(watch, ":", log=str(path)).log is None
        assert self.outcome(watch, ":").log is None
        assert not path.exists()

    # --- What can't be started --------------------------------------------------------------------------------------

    def test_missing_program(self, watch: Watch) -> None:
        watch.engine.submit([Attempt("run/unit/1", self.invocation("no-such-program", "x"))])
        (outcome,) = watch.ended("run/unit/1")
        assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
        assert "no-such-program" in outcome.message

    def test_missing_input(self, watch: Watch, tmp_path: Path) -> None:
        missing = str(tmp_path / "missing-input")
        outcome = self.outcome(watch, "exit 0", mounts=(Mount(missing, "/input"),))
        assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
        assert missing in outcome.message

    def test_unusable_directory(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a directory")

        def use() -> None:
            engine = self.make(tmp_path / "file" / "engine")
            engine.submit([self.script("run/unit/1", "exit 0")])

        with pytest.raises(EngineError):
            use()

    # --- Many, again, and after the driver's death ------------------------------------------------------------------

    def test_many(self, watch: Watch) -> None:
        ids = [f"run/unit-{number}/1" for number in range(self.many)]
        watch.engine.submit([self.script(id, f"exit {number % 3}") for number, id in enumerate(ids)])
        outcomes = watch.ended(*ids)
        assert [outcome.exit_code for outcome in outcomes] == [number % 3 for number in range(self.many)]

    def test_submitted_twice(self, watch: Watch, shared: Path) -> None:
        attempt = self.script("run/unit/1", f"echo once >> {shared}/count", **self.seeing(shared))
        watch.engine.submit([attempt, attempt])
        watch.engine.submit([attempt])
        watch.ended("run/unit/1")
        watch.engine.submit([attempt])
        assert self.outcome(watch, "exit 0").exit_code == 0
        assert (shared / "count").read_text() == "once\n"

    def test_adopt_what_is_not_known(self, watch: Watch) -> None:
        watch.engine.adopt({"run/unknown/1": None})
        assert watch.ended("run/unknown/1")[0].reason is Reason.LOST

    def test_close_lets_go(self, engine: Engine, directory: Path, shared: Path, gate: Gate) -> None:
        watch = Watch(engine)
        engine.submit([self.script("run/unit/1", f"read x < {gate.path}; exit 8", **self.seeing(shared))])
        handles = watch.accepted("run/unit/1")
        watch.started("run/unit/1")
        engine.close()
        gate.open()
        again = self.make(directory)
        try:
            again.adopt(handles)
            assert Watch(again).ended("run/unit/1")[0].exit_code == 8
        finally:
            again.close()

    def test_killed_driver(self, directory: Path, shared: Path, gate: Gate, other_gate: Gate, sign: Sign) -> None:
        see = self.seeing(shared)
        count = f"echo started >> {shared}/count"
        before = self.script("run/before/1", f"{count}; echo before; exit 3", **see)
        during = self.script(
            "run/during/1", f"{count}; {READY.format(sign=sign.path)}; read x < {gate.path}; exit 4", **see
        )
        after = self.script("run/after/1", f"{count}; read x < {other_gate.path}; exit 5", **see)
        handles = self.dead_driver(directory, ended=[before], started=[during, after])
        assert sign.line() == "ready"
        gate.open()
        sign.gone()
        engine = self.make(directory)
        watch = Watch(engine)
        try:
            engine.adopt(handles)
            other_gate.open()
            outcomes = watch.ended(*handles)
            assert {id: outcome.exit_code for id, outcome in zip(handles, outcomes, strict=True)} == {
                "run/before/1": 3,
                "run/during/1": 4,
                "run/after/1": 5,
            }
            assert b"before\n" in [self.log(directory, outcome) for outcome in outcomes]
            assert all(outcome.started and outcome.ended for outcome in outcomes)
            engine.submit([before, during, after])
            assert self.outcome(watch, "exit 0").exit_code == 0
            assert (shared / "count").read_text() == "started\n" * 3
        finally:
            engine.close()

    def test_killed_driver_with_a_queue(self, directory: Path, shared: Path, gate: Gate) -> None:
        slots = self.make(directory).capacity().slots
        see = self.seeing(shared)
        holders = [self.script(f"run/holder-{n}/1", f"read x < {gate.path}; exit 3", **see) for n in range(slots)]
        queued = self.script("run/queued/1", f"echo started >> {shared}/count; exit 7", **see)
        handles = self.dead_driver(directory, started=holders, accepted=[queued])
        engine = self.make(directory)
        try:
            engine.adopt(handles)
            gate.open(slots)
            watch = Watch(engine)
            assert [outcome.exit_code for outcome in watch.ended(*(one.id for one in holders))] == [3] * slots
            (outcome,) = watch.ended(queued.id)
            if self.queue_survives:
                assert (outcome.exit_code, outcome.reason) == (7, None)
                assert (shared / "count").read_text() == "started\n"
            else:
                assert (outcome.exit_code, outcome.reason) == (None, Reason.LOST)
                assert not (shared / "count").exists()
        finally:
            engine.close()

    def test_nothing_is_left_behind(self, directory: Path, shared: Path) -> None:
        def open_files() -> int:
            return len(os.listdir("/dev/fd"))  # noqa: PTH208

        files, threads = open_files(), threading.active_count()
        engine = self.make(directory)
        watch = Watch(engine)
        assert self.outcome(watch, "sleep 0.01; echo x; exit 1", **self.seeing(shared)).exit_code == 1
        engine.cancel(list(watch.seen), 1.0)
        engine.close()
        assert self.leftovers(directory) == []
        assert threading.active_count() == threads
        assert open_files() == files
