"""The local engine's processes: what every engine promises, and what only a worker can be tested for."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Attempt, Engine, EngineError
from trivet.engines.local import LocalEngine
from trivet.engines.worker_logs import Logs
from trivet.engines.worker_memory import Cgroup, Sampled, delegated
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment, Resources
from trivet.tasks.work import Invocation
from trivet.testing import EngineTests
from trivet.testing.watching import Gate, Sign, Watch

MIB = 1024 * 1024
ENGINES = Path(sys.modules["trivet.engines"].__file__ or "").parent
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")


def processes(directory: Path) -> dict[int, str]:
    """Live processes that belong to an engine's directory: its worker and its units."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        mine = f"TRIVET_ENGINE={directory}".encode() in environment.split(b"\0")
        if state != "Z" and (mine or str(directory).encode() in command.split(b"\0")):
            found[int(path.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def worker(directory: Path) -> int:
    """The process of the directory's worker."""
    (pid,) = [pid for pid, command in processes(directory).items() if "worker.py" in command]
    return pid


class TestLocalProcesses(EngineTests):
    log_cap = 4 * MIB

    def make(self, directory: Path) -> Engine:
        return LocalEngine(directory, slots=2, log_cap=self.log_cap)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(Environment(), argv, **fields)

    def leftovers(self, directory: Path) -> list[str]:
        files = [
            str(path) for path in (directory / "worker").iterdir() if path.name not in ("record.jsonl", "worker.log")
        ]
        assert (directory / "worker" / "worker.log").read_text() == ""
        return [*processes(directory).values(), *files]

    def start(self, watch: Watch, text: str, **fields: Any) -> str:
        """Submit one script without waiting for it."""
        id = f"run/started-{len(watch.seen)}/1"
        watch.engine.submit([self.script(id, text, **fields)])
        return id

    # --- What can't be started ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("memory", [None, 256 * MIB])
    def test_programs_that_can_not_be_started(self, watch: Watch, shared: Path, memory: int | None) -> None:
        (shared / "plain").write_text("echo no")
        (shared / "nothing").touch(0o755)
        programs = {
            "no-such-program": "was not found on PATH",
            str(shared / "absent"): "was not found",
            "./absent": "was not found",
            str(shared / "plain"): "is not executable",
            str(shared): "was not found",
            "/bin/sh\0nul": "was not found",
            "": "no command",
        }
        attempts = [
            Attempt(f"run/{n}/1", self.invocation(program, workdir=str(shared), resources=Resources(memory=memory)))
            for n, program in enumerate(programs)
        ]
        watch.engine.submit(attempts)
        outcomes = watch.ended(*(attempt.id for attempt in attempts))
        for (program, message), outcome in zip(programs.items(), outcomes, strict=True):
            assert (outcome.reason, outcome.exit_code, outcome.log) == (Reason.SUBMIT_ERROR, None, None)
            assert message in outcome.message
            assert program.partition("\0")[0] in outcome.message
        assert self.outcome(watch, "exit 2").exit_code == 2

    def test_script_without_interpreter(self, watch: Watch, shared: Path) -> None:
        script = shared / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        watch.engine.submit([Attempt("run/unit/1", self.invocation(str(script)))])
        (outcome,) = watch.ended("run/unit/1")
        assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
        assert str(script) in outcome.message
        assert "interpreter" in outcome.message

    def test_missing_working_directory(self, watch: Watch, shared: Path) -> None:
        outcome = self.outcome(watch, "exit 0", workdir=str(shared / "absent"))
        assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
        assert str(shared / "absent") in outcome.message

    def test_unwritable_log(self, watch: Watch, shared: Path) -> None:
        (shared / "file").touch()
        outcome = self.outcome(watch, "exit 0", log=str(shared / "file" / "log"))
        assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
        assert str(shared / "file") in outcome.message

    def test_too_many_arguments(self, watch: Watch) -> None:
        outcome = self.outcome(watch, "exit 0", *["x" * 100_000] * 100)
        assert (outcome.reason, outcome.exit_code) == (Reason.SUBMIT_ERROR, None)
        assert self.outcome(watch, "exit 2").exit_code == 2

    def test_environment_that_does_not_exist(self, engine: Engine, shared: Path) -> None:
        with pytest.raises(EngineError, match="absent"):
            engine.prepare([Environment(str(shared / "absent"))])

    # --- What units are given -----------------------------------------------------------------------------------

    def test_environment_prefix(self, watch: Watch, directory: Path, shared: Path) -> None:
        program = shared / "bin" / "sh"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\necho "$VIRTUAL_ENV $PATH"\n')
        program.chmod(0o755)
        invocation = Invocation(Environment(str(shared)), ("sh",))
        watch.engine.submit([Attempt("run/unit/1", invocation)])
        (outcome,) = watch.ended("run/unit/1")
        assert self.log(directory, outcome).decode().startswith(f"{shared} {shared}/bin:")

    def test_directory_that_was_made_anew(self, watch: Watch, shared: Path) -> None:
        place = shared / "place"
        for number in range(2):
            place.mkdir()
            assert self.outcome(watch, f"echo {number} > file", workdir=str(place)).exit_code == 0
            assert (place / "file").read_text() == f"{number}\n"
            shutil.rmtree(place)

    @linux
    def test_signals_and_files_are_as_in_a_shell(self, watch: Watch, directory: Path) -> None:
        outcome = self.outcome(watch, "grep -E 'Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd")
        blocked, ignored = (int(line.split()[1], 16) for line in self.log(directory, outcome).splitlines()[:2])
        own_signals_of_the_c_library = 0b11 << 31
        assert (blocked, ignored & ~own_signals_of_the_c_library) == (0, 0)
        assert self.log(directory, outcome).split()[4:] == [b"0", b"1", b"2", b"3"]

    # --- Logs -----------------------------------------------------------------------------------------------------

    def test_no_file_for_who_says_nothing(self, engine: Engine, directory: Path) -> None:
        assert self.outcome(Watch(engine), ":").log is None
        engine.close()
        assert not (directory / "logs").exists()

    def test_who_truncates_the_log_hurts_nobody_else(self, watch: Watch, directory: Path) -> None:
        first = self.outcome(watch, "echo first")
        second = self.outcome(watch, "echo lost; echo second > /dev/stderr; echo third")
        assert self.log(directory, first) == b"first\n"
        assert self.log(directory, second).endswith(b"second\nthird\n")

    def test_own_log_is_cut_and_what_was_there_is_kept(self, watch: Watch, shared: Path, directory: Path) -> None:
        path = shared / "own.log"
        path.write_text("earlier\n")
        outcome = self.outcome(watch, f"head -c {3 * self.log_cap} /dev/zero; echo last", log=str(path))
        assert outcome.log is not None
        assert outcome.log.offset == len("earlier\n")
        assert path.read_bytes().startswith(b"earlier\n\0")
        assert f"{3 * self.log_cap + 5 - self.log_cap} bytes cut".encode() in self.log(directory, outcome)
        assert self.log(directory, outcome).endswith(b"last\n")

    @linux
    def test_runaway_log_does_not_fill_the_disk(self, watch: Watch, directory: Path, shared: Path, sign: Sign) -> None:
        size = 20 * self.log_cap
        write = f"head -c {size} /dev/zero | tr '\\000' x"
        script = f"{write}; exec 3>{sign.path}; echo ready >&3; read x < {shared}/gate; echo last"
        gate = Gate(shared / "gate")
        id = self.start(watch, script)
        assert sign.line() == "ready"
        scratch = directory / "worker" / "slot-0.log"
        stop = 0
        while scratch.stat().st_blocks * 512 > 2 * self.log_cap:
            stop += 1
            os.sched_yield()
            assert stop < 10_000_000
        gate.open()
        (outcome,) = watch.ended(id)
        assert f"{size + 5 - self.log_cap} bytes cut".encode() in self.log(directory, outcome)
        gate.close()

    # --- Memory -----------------------------------------------------------------------------------------------------

    @linux
    def test_sampled_memory(self, shared: Path) -> None:
        gate, sign = Gate(shared / "gate"), Sign(shared / "sign")
        code = f"x=bytearray(50<<20); open({str(sign.path)!r},'w').write('ready\\n'); open({str(gate.path)!r}).read(1)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        try:
            assert sign.line() == "ready"
            limit, enough = Sampled(40 * MIB), Sampled(1000 * MIB)
            assert (limit.exceeded(child.pid), enough.exceeded(child.pid)) == (True, False)
            peak, how, killed = limit.finish(MIB)
            assert (how, killed) == ("sampled", True)
            assert 50 * MIB < peak < 200 * MIB
            assert enough.finish(2000 * MIB) == (2000 * MIB, "rusage (largest process)", False)
        finally:
            gate.open()
            child.wait()
            gate.close()
            sign.close()

    def test_small_units_do_not_look_like_the_driver(self, watch: Watch) -> None:
        ballast = bytearray(200 * MIB)
        outcome = self.outcome(watch, "exit 0")
        assert outcome.peak_memory is not None
        assert outcome.peak_memory < 40 * MIB < len(ballast)

    # --- The death of the worker ------------------------------------------------------------------------------------

    @linux
    def test_killed_worker(self, watch: Watch, directory: Path, shared: Path, sign: Sign) -> None:
        done = self.outcome(watch, "exit 3")
        running = self.start(watch, f"exec 3>{sign.path}; echo ready >&3; setsid sleep 1000 & sleep 1000")
        assert sign.line() == "ready"
        watch.started(running)
        others = [self.script(f"run/other-{number}/1", "sleep 1000") for number in range(3)]
        watch.engine.submit(others)
        watch.accepted(*(other.id for other in others))
        os.kill(worker(directory), signal.SIGKILL)
        outcomes = watch.ended(running, *(other.id for other in others))
        assert {(outcome.reason, outcome.exit_code) for outcome in outcomes} == {(Reason.LOST, None)}
        sign.gone()
        assert [command for command in processes(directory).values() if "worker.py" not in command] == []
        watch.engine.submit(others)
        assert self.outcome(watch, "exit 4").exit_code == 4
        assert done.exit_code == 3

    @linux
    def test_killed_worker_and_driver(self, directory: Path, shared: Path, sign: Sign) -> None:
        before = self.script("run/before/1", "exit 3")
        running = self.script("run/running/1", f"exec 3>{sign.path}; echo ready >&3; sleep 1000")
        handles = self.dead_driver(directory, ended=[before], started=[running])
        os.kill(worker(directory), signal.SIGKILL)
        with open(directory / "worker" / "record.jsonl", "ab") as record:
            record.write(b'["ended",[["run/running/1",0,17')
        engine = self.make(directory)
        try:
            engine.adopt(handles)
            known, lost = Watch(engine).ended("run/before/1", "run/running/1")
            assert (known.exit_code, known.reason) == (3, None)
            assert (lost.exit_code, lost.reason) == (None, Reason.LOST)
            assert lost.started is not None
            assert sign.line() == "ready"
            sign.gone()
        finally:
            engine.close()
        for line in (directory / "worker" / "record.jsonl").read_text().splitlines():
            if line[-2:] != "17":
                json.loads(line)

    @linux
    def test_unit_started_but_not_recorded(self, directory: Path, shared: Path, sign: Sign) -> None:
        (directory / "worker").mkdir()
        (directory / "worker" / "record.jsonl").write_text('["accepted",["run/unit/1"]]\n["starting",["run/unit/1"]]\n')
        marks = {"TRIVET_ATTEMPT": "run/unit/1", "TRIVET_ENGINE": str(directory)}
        script = f"exec 3>{sign.path}; echo ready >&3; sleep 1000"
        ours = subprocess.Popen(["sh", "-c", script], env=os.environ | marks, start_new_session=True)
        other = subprocess.Popen(["cat"], env=os.environ | marks | {"TRIVET_ENGINE": "/other"}, stdin=subprocess.PIPE)
        assert sign.line() == "ready"
        engine = self.make(directory)
        try:
            engine.adopt({"run/unit/1": None})
            assert Watch(engine).ended("run/unit/1")[0].reason is Reason.LOST
            assert ours.wait() == -signal.SIGKILL
            sign.gone()
            assert other.poll() is None
        finally:
            engine.close()
            other.communicate()

    @linux
    def test_unit_accepted_but_not_started(self, directory: Path) -> None:
        """What no worker began to start is started after the death of everything, once."""
        running, queued = (self.script(f"run/{name}/1", f"echo x >> {directory}/{name}") for name in ("a", "b"))
        (directory / "worker").mkdir()
        record = directory / "worker" / "record.jsonl"
        record.write_text('["accepted",["run/a/1","run/b/1"]]\n["starting",["run/a/1"]]\n')
        engine = self.make(directory)
        try:
            engine.submit([running, queued])
            lost, done = Watch(engine).ended("run/a/1", "run/b/1")
            assert (lost.reason, done.reason, done.exit_code) == (Reason.LOST, None, 0)
        finally:
            engine.close()
        engine = self.make(directory)
        try:
            engine.submit([running, queued])
            assert [one.exit_code for one in Watch(engine).ended("run/a/1", "run/b/1")] == [None, 0]
        finally:
            engine.close()
        assert (directory / "b").read_text() == "x\n"
        assert not (directory / "a").exists()

    def test_worker_that_can_not_start(self, directory: Path) -> None:
        (directory / "worker" / "record.jsonl").mkdir(parents=True)
        engine = self.make(directory)
        with pytest.raises(EngineError, match=r"worker\.log"):
            engine.submit([self.script("run/unit/1", "exit 0")])
        engine.close()

    def test_long_directory(self, tmp_path: Path) -> None:
        directory = tmp_path / ("long" * 30) / ("name" * 30)
        engine = self.make(directory)
        assert self.outcome(Watch(engine), "exit 5").exit_code == 5
        engine.close()

    def test_a_second_driver_takes_over(self, directory: Path, shared: Path, gate: Gate) -> None:
        first = LocalEngine(directory, slots=2)
        watch = Watch(first)
        id = self.start(watch, f"read x < {gate.path}; exit 6")
        watch.started(id)
        second = LocalEngine(directory, slots=2)
        second.adopt({id: None})
        gate.open()
        assert Watch(second).ended(id)[0].exit_code == 6
        for thread in threading.enumerate():
            if thread.name == "trivet-worker" and thread is not second._processes._reader:
                thread.join(timeout=1)
        with pytest.raises(EngineError, match="taken over"):
            first.submit([self.script("run/late/1", "exit 0")])
        second.close()
        first.close()

    @linux
    def test_full_disk(self, tmp_path: Path) -> None:
        directory = tmp_path / "small"
        directory.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory], check=False)
        if mounted.returncode:
            pytest.skip("a small file system can't be mounted here")
        try:
            engine = self.make(directory)
            watch = Watch(engine)
            assert self.outcome(watch, "exit 3").exit_code == 3
            with suppress(OSError):
                (directory / "ballast").write_bytes(bytes(MIB))
            assert shutil.disk_usage(directory).free == 0
            ids = [f"run/{'long name ' * 30}-{number}/1" for number in range(40)]
            engine.submit([self.script(id, "echo something; exit 4") for id in ids])
            assert {outcome.exit_code for outcome in watch.ended(*ids)} == {4}
            (directory / "ballast").unlink()
            engine.close()
            again = self.make(directory)
            again.adopt(dict.fromkeys(ids))
            assert {outcome.exit_code for outcome in Watch(again).ended(*ids)} == {4}
            again.close()
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


@linux
class TestWarmProcesses(TestLocalProcesses):
    """Everything once more with units that are forked of a Python process, and become the shell they are to be."""

    @pytest.fixture(autouse=True)
    def every_unit_is_forked(self, tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr("trivet.engines.messages.WORTH", 1)
        self.become = tmp_path / "become.py"
        self.become.write_text(
            "import os, sys\n"
            "from signal import SIG_DFL, SIGPIPE, SIGXFSZ, signal\n"
            "signal(SIGPIPE, SIG_DFL), signal(SIGXFSZ, SIG_DFL)  # Python ignores them\n"
            "os.execvp(sys.argv[1], sys.argv[1:])\n"
        )
        yield
        record = directory / "worker" / "record.jsonl"
        if record.is_file():
            assert '["cold"' not in record.read_text()

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        if argv[0] == "sh" and "environment" not in fields:
            return Invocation(Environment(), (sys.executable, str(self.become), *argv), warm=True, **fields)
        return super().invocation(*argv, **fields)

    def test_too_many_arguments(self, watch: Watch) -> None:
        pytest.skip("what is too long for one message is started cold, and told of by what the script does with it")

    def test_small_units_do_not_look_like_the_driver(self, watch: Watch) -> None:
        pytest.skip("an interpreter is not small")


# --- Parts of the worker ------------------------------------------------------------------------------------------


@linux
def test_units_are_recorded_before_they_start(tmp_path: Path) -> None:
    """The first unit kills the worker while that still starts the others."""
    engine = LocalEngine(tmp_path, slots=64)
    try:
        attempts = [
            Attempt(f"run/{number}/1", Invocation(Environment(), ("sh", "-c", "true" if number else "kill -9 $PPID")))
            for number in range(64)
        ]
        engine.submit(attempts)
        Watch(engine).ended(*(attempt.id for attempt in attempts))
        first = (tmp_path / "worker" / "record.jsonl").read_text().partition("\n")[0]
        assert json.loads(first) == ["accepted", [attempt.id for attempt in attempts]]
    finally:
        engine.close()


@linux
def test_memory_limit_by_samples(tmp_path: Path) -> None:
    """Where no cgroup may be made, in a process of its own since it reaps all children."""
    code = f"""
import sys, json, time; sys.path.append({str(ENGINES)!r})
import worker_units, worker_logs, worker_memory
worker_memory.candidates = list
timers = worker_units.Timers()
units = worker_units.Units({str(tmp_path)!r}, 1, worker_logs.Logs({str(tmp_path)!r}, {str(tmp_path)!r}, 1000), timers)
hog = "x = bytearray(70 << 20); import os, signal; os.fork(); signal.pause()"
fields = {{"env": {{}}, "grace": 1, "memory": 100 << 20}}
units.start("run/unit/1", worker_units.Common({{}}, fields), [sys.executable, "-c", hog], "/", None)
while not units.ended:
    timers.run(); units.reap(); time.sleep(0.01)
print(json.dumps(units.ended))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, timeout=60)
    ((_, exit_code, _, _, _, peak, _, more),) = json.loads(done.stdout)
    assert (exit_code, more["reason"], more["measured_by"], more["signal"]) == (137, "oom", "sampled", 9)
    assert 130 * MIB < peak < 250 * MIB


def test_cgroup_version_2(tmp_path: Path) -> None:
    """The kernel's files, in an ordinary directory."""
    group = Cgroup(str(tmp_path / "group"), 2, 1000)
    wanted = {"memory.max": "1000", "memory.swap.max": "0", "memory.oom.group": "1"}
    assert {path.name: path.read_text() for path in (tmp_path / "group").iterdir()} == wanted
    assert group.finish(77) == (77, "rusage (largest process)", False)
    (tmp_path / "group" / "memory.peak").write_text("900\n")
    (tmp_path / "group" / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 2\n")
    assert group.finish(77) == (900, "cgroup v2", True)
    argv = group.wrap(["printf", "%s", "$HOME"])
    assert subprocess.run(argv, check=True, capture_output=True).stdout == b"$HOME"
    assert (tmp_path / "group" / "cgroup.procs").read_text().strip().isdigit()


@pytest.mark.parametrize(
    ("passed_on", "own_limit", "usable"),
    [("", "max", []), ("parent", "max", ["parent"]), ("parent", "1000", []), ("own", "1000", ["own"])],
)
def test_cgroup_that_may_be_used(tmp_path: Path, passed_on: str, own_limit: str, usable: list[str]) -> None:
    groups = {"parent": tmp_path / "parent", "own": tmp_path / "parent" / "own"}
    groups["own"].mkdir(parents=True)
    for name, path in groups.items():
        (path / "cgroup.subtree_control").write_text("cpu memory\n" if name == passed_on else "cpu\n")
    (groups["own"] / "memory.max").write_text(own_limit + "\n")
    assert delegated(str(groups["own"]), str(tmp_path)) == [str(groups[name]) for name in usable]


def test_log_is_cut_on_file_systems_without_holes(tmp_path: Path) -> None:
    logs = Logs(str(tmp_path), str(tmp_path), 100)
    logs.punch = lambda *_: False
    log = logs.slot(0)
    os.write(log.fd, b"a" * 500)
    logs.trim(log)
    assert os.fstat(log.fd).st_size == 50
    os.write(log.fd, b"b" * 20)
    part = logs.finish(log)
    assert part is not None
    text = (tmp_path / part[0]).read_bytes()
    assert text.startswith(b"a" * 50 + b"\n")
    assert text.endswith(b"\n" + b"b" * 20)
    assert b"450 bytes cut" in text
    os.write(log.fd, b"next")
    assert logs.finish(log) == [part[0], len(text), 4]
    logs.remove()


# --- The worker's files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(ENGINES.glob("worker*.py")), ids=lambda path: path.name)
def test_worker_is_for_old_pythons_and_needs_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert all(name.rpartition(".")[2].startswith("worker_") for name in foreign)


def test_worker_imports_where_there_is_no_linux() -> None:
    code = (
        "import sys; sys.platform = 'darwin'; sys.modules['ctypes'] = None\n"
        f"sys.path.append({str(ENGINES)!r})\n"
        "import worker, worker_memory, os\n"
        "os.path.exists = os.path.isdir = lambda path: False\n"
        "assert worker_memory.group_memory(1) == 0\n"
        "import worker_system\n"
        "assert worker_system.become_reaper() is None\n"
        "import worker_logs; assert worker_logs.hole_puncher()(0, 0, 1) is False\n"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
