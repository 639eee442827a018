"""Units that are forked of a process with imported modules: nobody can tell them from those that start alone."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Attempt
from trivet.engines.local import LocalEngine
from trivet.packages.installer import _of_pyenv
from trivet.tasks.states import Reason
from trivet.tasks.task import Environment, Resources
from trivet.tasks.work import Invocation, Outcome
from trivet.testing.watching import Gate, Sign, Watch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm units need Linux's /proc")

MIB = 1024 * 1024
NOTED = """
import os
PID = os.readlink("/proc/self")  # who asks for it by `os.getpid` is not imported ahead
def __getattr__(name):
    if name == "forked" and os.readlink("/proc/self") != PID:
        open("forked", "w").close()
"""
"""A module that leaves a file where something of it is imported in another process than itself was."""


@dataclass
class Seen:
    """Everything that can be seen of a unit afterwards."""

    exit_code: int | None
    signal: int | None
    reason: Reason | None
    message: str
    log: str
    files: Mapping[str, str]


class Place:
    """A directory with scripts, and engines that run them both ways."""

    def __init__(self, root: Path, python: str) -> None:
        self.python = python
        self.work, self.engine, self.scripts = root / "work", root / "engine", root / "scripts"
        self.scripts.mkdir()
        (self.scripts / "noted.py").write_text(NOTED)

    def script(self, text: str, name: str = "task.py") -> str:
        path = self.scripts / name
        path.write_text(text)
        return str(path)

    def run(self, script: str, warm: bool, units: int = 2, **fields: Any) -> list[Seen]:
        """Let units run one after the other, each in a directory of its own."""
        for path in (self.work, self.engine):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        ids = [f"run/unit-{number}/1" for number in range(units)]
        attempts = []
        for number, id in enumerate(ids):
            place = self.work / str(number)
            place.mkdir()
            attempts.append(Attempt(id, self.invocation(script, warm, place, **fields)))
        engine = LocalEngine(self.engine, slots=1)
        try:
            engine.submit(attempts)
            outcomes = Watch(engine).ended(*ids)
        finally:
            engine.close()
        assert {path.name for path in (self.engine / "worker").iterdir()} == {"record.jsonl", "worker.log"}
        assert (self.engine / "worker" / "worker.log").read_text() == ""
        return [self.seen(outcome, self.work / str(number)) for number, outcome in enumerate(outcomes)]

    def invocation(self, script: str, warm: bool, place: Path, **fields: Any) -> Invocation:
        given = {"args": ("--out", str(place), "ä 'b"), "workdir": str(place), **fields}
        return Invocation(Environment(), (self.python, script), warm=warm, log=str(place / "log"), **given)

    def seen(self, outcome: Outcome, place: Path) -> Seen:
        files = {str(path.relative_to(place)): path.read_text() for path in sorted(place.rglob("*")) if path.is_file()}
        log = files.pop("log", "")
        return Seen(outcome.exit_code, outcome.signal, outcome.reason, outcome.message, log, files)

    def refused(self) -> list[str]:
        """Why scripts of the last run were started cold."""
        lines = (self.engine / "worker" / "record.jsonl").read_text().splitlines()
        return [why for kind, rows in map(json.loads, lines) if kind == "cold" for _, _, why in rows]


def pythons() -> list[str]:
    """This interpreter, and the others on this machine that can run tasks."""
    others = ("3.9", "3.10", "3.12", "3.13", "3.14")
    return [sys.executable, *(str(path) for version in others for path in _of_pyenv(version)[:1])]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, sys.executable)


@pytest.fixture(params=pythons(), ids=lambda path: "-".join(Path(path).parts[-3:-2]))
def any_python(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param)


ALIKE = {
    "what it is given": """
import os, sys, json
print(sys.argv, sys.flags, sys.path, sys.executable, getattr(sys, "orig_argv", None), sys.prefix)
print({key: value for key, value in globals().items() if key not in ("__builtins__", "__loader__")}.keys())
print(__file__, __spec__, __package__, type(__loader__), __loader__.name, __loader__.path, __doc__, __name__)
print(os.getcwd(), sorted(os.environ.items()), list(os.environ), os.umask(0o22))
print(os.getsid(0) == os.getpid() == os.getpgrp(), sorted(os.listdir("/proc/self/fd")), os.isatty(0))
print(open("/proc/self/cmdline", "rb").read().rstrip(b"\\0"))
print(b"TRIVET_ATTEMPT=" + os.environb[b"TRIVET_ATTEMPT"] in open("/proc/self/environ", "rb").read().split(b"\\0"))
print(sys.stdout.encoding, sys.stdout.line_buffering, sys.stderr.line_buffering, sys.stdout.name, sys.stdin.read())
print([line for line in open("/proc/self/status") if line.startswith(("SigI", "SigB", "SigC", "Threads", "Umask"))])
print(sys.modules["__main__"].__dict__ is globals(), sys._getframe().f_back, "sitecustomize" in sys.modules)
print(sys.gettrace(), sys.getrecursionlimit(), sys.excepthook is sys.__excepthook__)
""",
    "text as exit": "import sys\nsys.exit('that was it')",
    "number as exit": "import sys\nsys.exit(7)",
    "nothing as exit": "import sys\nprint('x')\nsys.exit()",
    "odd number as exit": "import sys\nsys.exit(300)",
    "object as exit": "import sys\nsys.exit({1: 2})",
    "hard exit": "import os\nprint('lost in the buffer')\nos.write(1, b'seen')\nos._exit(9)",
    "traceback": """
import json
def inner(text):
    return json.loads(text)
if __name__ == "__main__":
    print("before")
    try:
        inner("{")
    except ValueError as error:
        raise RuntimeError("again") from error
""",
    "syntax error": "if True\n",
    "stack": """
import sys, traceback, inspect, warnings, logging
traceback.print_stack()
print([frame.function for frame in inspect.stack()])
warnings.warn("deep", stacklevel=50)
logging.basicConfig(format="%(pathname)s %(lineno)d %(funcName)s %(processName)s %(threadName)s %(message)s")
logging.warning("told")
""",
    "killed by itself": "import os, signal\nprint('x', flush=True)\nos.kill(os.getpid(), signal.SIGUSR1)",
    "aborted": "import os\nos.abort()",
    "interrupted": "raise KeyboardInterrupt",
    "closed pipe": "import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')",
    "at exit": """
import atexit, sys
atexit.register(print, "first registered, last called")
atexit.register(lambda: sys.stderr.write("at exit\\n"))
class Late:
    def __del__(self): print("deleted")
kept = Late()
raise ValueError("x")
""",
    "threads that go on": """
import threading, time
def late():
    threading.main_thread().join()
    print("after main")
threading.Thread(target=late).start()
print("main is done", threading.current_thread().name, threading.main_thread() is threading.current_thread())
""",
    "order of streams": """
import subprocess
import sys
print("to stdout, in the end")
sys.stderr.write("to stderr, at once\\n")
sys.stdout.write("y" * 20000)
sys.stderr.write("no newline")
""",
    "huge log": "for number in range(200000): print('line', number)",
    "prints at import": "import loud\nprint('mine')\n",
    "unflushed at import": "import muttering, os\nos.write(2, b'direct\\n')\nprint('mine')\n",
    "warns at import": "import warning\nprint('mine')",
    "registers at import": "import registering\nprint('mine')",
    "multiprocessing": """
import multiprocessing, os
class Thing:
    def __init__(self, value): self.value = value
def double(thing): return Thing(thing.value * 2)
if __name__ == "__main__":
    for how in ("fork", "spawn"):
        with multiprocessing.get_context(how).Pool(2) as pool:
            print([thing.value for thing in pool.map(double, [Thing(1), Thing(2)])], Thing.__module__, flush=True)
    print(multiprocessing.process.ORIGINAL_DIR, multiprocessing.current_process().name)
""",
    "pickle of main": """
import pickle
class Thing: pass
print(pickle.loads(pickle.dumps(Thing())).__class__.__qualname__, Thing, pickle.dumps(Thing()))
""",
    "main that is known": "import knowing\nclass Thing: pass\nprint(knowing.main.Thing)",
    "subprocess": """
import subprocess, sys, os
print(subprocess.run([sys.executable, "-c", "import sys; print(sys.path[1:], sys.argv)"], capture_output=True))
print(subprocess.run(["env"], capture_output=True).stdout)
print(open("/proc/%d/stat" % os.getpid()).read().split(") ")[1].split()[3] == str(os.getpid()))
os.system("echo from a shell >&2")
""",
    "what is left over": "import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)",
    "writes files": "import sys\nopen('here', 'w').write(sys.argv[2])\nopen(sys.argv[2] + '/there', 'w').write('x')",
    "effects before imports": "import os\nos.environ['SEEN'] = 'by import'\nimport reading\nprint(reading.SEEN)",
    "main guard": """
import os
if __name__ == "__main__":
    from reading import SEEN
    print(SEEN, __name__)
else:
    print("imported")
""",
    "unguarded work": "open('made', 'x').write('once')\nprint(open('made').read())",
    "changed at run time": "import noted\nnoted.PID = 1\nimport reading\nreading.SEEN = 5\nprint(noted.PID)",
}

MODULES = {
    "knowing.py": "import __main__ as main\n",
    "loud.py": "import sys\nprint('loud: out')\nsys.stderr.write('loud: err\\n')\nsys.stdout.flush()\n",
    "muttering.py": "import sys\nprint('muttering: stays in the buffer')\nsys.stderr.write('muttering: err')\n",
    "warning.py": "import warnings\nwarnings.warn('careful')\n",
    "registering.py": "import atexit, signal\n"
    "atexit.register(print, 'bye')\nsignal.signal(signal.SIGUSR2, signal.SIG_IGN)\n",
    "reading.py": "import os\nSEEN = os.environ.get('SEEN')\n",
}


@pytest.mark.parametrize("name", ALIKE)
def test_cold_and_warm_are_alike(any_python: Place, name: str) -> None:
    place = any_python
    for module, text in MODULES.items():
        place.script(text, module)
    script = place.script("from noted import forked\n" + ALIKE[name].lstrip("\n"))
    cold = place.run(script, warm=False)
    assert not any("forked" in seen.files for seen in cold)
    warm = place.run(script, warm=True)
    assert [seen.files.pop("forked", None) for seen in warm] == ["", ""] or "syntax" in name, place.refused()
    for one, other in zip(warm, cold, strict=True):
        assert one.log.splitlines() == other.log.splitlines()
    assert warm == cold


# --- What can't be the same is started cold -----------------------------------------------------------------------

COLD = {
    "threads": ("import threading, signal\nthreading.Thread(target=signal.pause, daemon=True).start()\n", "threads"),
    "files": ("import noted\nopen(noted.__file__ + '.written', 'a').write('x')\n", "write"),
    "open files": ("import os\nkept = os.open('/dev/null', os.O_RDONLY)\n", "open"),
    "sockets": ("import socket\nkept = socket.socketpair()\n", "open"),
    "the working directory": ("import os\nhere = os.path.abspath('x')\n", "working directory"),
    "random numbers": ("import random\nrandom.seed(0)\n", "random"),
    "the process": ("import os\nNAME = f'/tmp/x-{os.getpid()}'\n", "process's number"),
    "a name of its own": ("import uuid\nNAME = uuid.uuid4()\n", "random bytes"),
    "a generator": ("import secrets\nSEED = secrets.randbits(8)\n", "random bytes"),
    "the arguments": ("import sys\nLOUD = '--verbose' in sys.argv\n", "its arguments"),
    "the number of arguments": ("import sys\nLOUD = len(sys.argv) > 1\n", "its arguments"),
    "the arguments for later": ("from sys import argv\n", "keep the arguments"),
    "the search path": ("import sys\nsys.path.insert(0, '/nowhere')\n", "sys.path"),
    "a failure": ("raise RuntimeError('not today')\n", "not today"),
    "the end": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "the end at once": ("import os\nos._exit(4)\n", "ended while it imported"),
    "too many words": ("print('x' * 3_000_000, flush=True)\n", "say too much"),
}


@pytest.mark.parametrize("what", COLD)
def test_imports_with_effects_make_units_cold(place: Place, what: str) -> None:
    text, why = COLD[what]
    place.script(text, "effect.py")
    script = place.script("from noted import forked\nimport os, random\nimport effect\nprint(random.getstate()[2])\n")
    cold, warm = place.run(script, warm=False), place.run(script, warm=True)
    assert not any("forked" in seen.files for seen in warm)
    assert [why in reason for reason in place.refused()] == [True], place.refused()
    assert warm == cold


def test_gpu_libraries_make_units_cold(place: Place) -> None:
    fake = place.scripts / "libcuda.so"
    fake.write_bytes(b"\0" * 4096)
    place.script(
        "import mmap, os\nfile = open(os.path.dirname(__file__) + '/libcuda.so', 'rb')\n"
        "kept = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\nfile.close()\n",
        "gpu.py",
    )
    torch = "class cuda:\n    @staticmethod\n    def is_initialized(): return True\n"
    place.script(torch, "torch.py")
    for imports in ("import torch", "import gpu"):
        script = place.script(f"from noted import forked\n{imports}\n")
        assert not any("forked" in seen.files for seen in place.run(script, warm=True))
        assert len(place.refused()) == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"environment": {"PYTHONPATH": "relative"}}, "relative"),
        ({"resources": Resources(gpus=1)}, None),
    ],
)
def test_what_is_never_forked(place: Place, fields: dict[str, Any], why: str | None) -> None:
    script = place.script("from noted import forked\n")
    seen = place.run(script, warm=True, **fields)
    assert [one.exit_code for one in seen] == [0, 0]
    assert not any("forked" in one.files for one in seen)
    assert [why in reason for reason in place.refused()] == ([True] if why else [])


def test_programs_that_are_not_the_interpreter(place: Place) -> None:
    wrapper = place.scripts / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -I "$@"\n')
    wrapper.chmod(0o755)
    place.python = str(wrapper)
    script = place.script("open('count', 'a').write('x')\n")
    assert [seen.files for seen in place.run(script, warm=True)] == [{"count": "x"}] * 2
    assert "not the Python interpreter" in place.refused()[0]


def test_one_unit_alone_is_cold(place: Place) -> None:
    script = place.script("from noted import forked\n")
    assert [seen.files for seen in place.run(script, warm=True, units=1)] == [{}]


def test_missing_scripts(place: Place) -> None:
    script = str(place.scripts / "absent.py")
    warm = place.run(script, warm=True)
    assert warm == place.run(script, warm=False)
    assert [seen.exit_code for seen in warm] == [2, 2]


@pytest.mark.parametrize("has_it", [True, False])
def test_what_libraries_import_when_they_are_used_is_imported_ahead_where_it_is_there(
    place: Place, has_it: bool
) -> None:
    library = place.scripts / "skimage" / "measure"
    library.mkdir(parents=True)
    (library.parent / "__init__.py").touch()
    (library / "__init__.py").touch()
    if has_it:
        (library / "_regionprops.py").write_text("import time\nWHEN = time.monotonic_ns()\n")
    ask = "from skimage.measure import _regionprops\nprint(_regionprops.WHEN)\n" if has_it else ""
    script = place.script(f"from noted import forked\nimport os, skimage.measure\nos.umask(0o22)\n{ask}")
    seen = place.run(script, warm=True)
    assert all("forked" in one.files for one in seen), place.refused()
    assert len({one.log for one in seen}) == 1  # nobody imported it for himself
    assert bool(seen[0].log) == has_it


# --- What forks must not share ------------------------------------------------------------------------------------


def test_units_share_no_random_numbers(place: Place) -> None:
    pytest.importorskip("numpy")
    script = place.script(
        "from noted import forked\nimport random, tempfile, uuid, secrets\nimport numpy as np\n"
        "import multiprocessing\nprint(random.random(), np.random.random(), next(tempfile._get_candidate_names()),"
        " uuid.uuid4(), np.random.default_rng().random(), bytes(multiprocessing.current_process().authkey))\n"
    )
    seen = place.run(script, warm=True, units=4, environment={"OPENBLAS_NUM_THREADS": "1"})
    assert all("forked" in one.files for one in seen), place.refused()
    columns = list(zip(*(one.log.split(" ", 5) for one in seen), strict=True))
    assert [len(set(column)) for column in columns] == [4] * 6


def test_numpy_that_was_seeded_at_import_is_as_seeded(place: Place) -> None:
    pytest.importorskip("numpy")
    place.script("import numpy\nimport numpy.random\nimport json\nnumpy.random.seed(7)\n", "seeding.py")
    script = place.script("from noted import forked\nimport seeding, numpy\nprint(numpy.random.random())\n")
    fields = {"environment": {"OPENBLAS_NUM_THREADS": "1"}}
    assert place.run(script, warm=True, **fields) == place.run(script, warm=False, **fields)


# --- Limits, cancel, deaths ---------------------------------------------------------------------------------------


@pytest.fixture
def engine(place: Place) -> Iterator[LocalEngine]:
    place.engine.mkdir()
    engine = LocalEngine(place.engine, slots=2)
    yield engine
    engine.close()


def submit(engine: LocalEngine, place: Place, script: str, units: int = 2, first: int = 0, **fields: Any) -> list[str]:
    ids = [f"run/unit-{number}/1" for number in range(first, first + units)]
    attempts = []
    for number, id in enumerate(ids, first):
        directory = place.work / str(number)
        directory.mkdir(parents=True)
        attempts.append(Attempt(id, place.invocation(script, True, directory, **fields)))
    engine.submit(attempts)
    return ids


def forked(place: Place, units: int = 2, first: int = 0) -> list[bool]:
    return [(place.work / str(number) / "forked").exists() for number in range(first, first + units)]


def parents(place: Place) -> list[int]:
    """The processes that have imported something for units of this place's engine."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        if f"TRIVET_ENGINE={place.engine}".encode() in environment.split(b"\0") and b"(imports what" in command:
            found.append(int(path.name))
    return found


def test_memory_limit(engine: LocalEngine, place: Place) -> None:
    script = place.script("from noted import forked\nkept = bytearray(200 << 20)\nprint('too far')\n")
    ids = submit(engine, place, script, resources=Resources(memory=100 * MIB))
    outcomes = Watch(engine).ended(*ids)
    assert [(one.reason, one.exit_code) for one in outcomes] == [(Reason.OOM, 137)] * 2
    assert forked(place) == [True, True]


def test_usage_is_that_of_the_unit(engine: LocalEngine, place: Place) -> None:
    place.script("sum(range(20_000_000))\n", "heavy.py")
    script = place.script(
        "import heavy\nfrom noted import forked\nimport time\nend = time.process_time() + 0.2\n"
        "kept = bytearray(b'x' * (50 << 20))\nwhile time.process_time() < end: pass\n"
    )
    for outcome in Watch(engine).ended(*submit(engine, place, script)):
        assert outcome.cpu is not None
        assert 0.2 <= outcome.cpu < 0.2 + 0.3
        assert outcome.peak_memory is not None
        assert 50 * MIB < outcome.peak_memory < 200 * MIB
        assert outcome.started is not None
        assert outcome.ended is not None
        assert outcome.ended - outcome.started >= 0.2
    assert forked(place) == [True, True]


def test_cancel_while_it_imports(engine: LocalEngine, place: Place) -> None:
    sign, gate = Sign(place.scripts / "sign"), Gate(place.scripts / "gate")
    place.script(f"open({str(sign.path)!r}, 'w').write('ready\\n')\nopen({str(gate.path)!r}).readline()\n", "slow.py")
    ids = submit(engine, place, place.script("import slow\nopen('ran', 'w')\n"))
    assert sign.line() == "ready"
    engine.cancel(ids, 1.0)
    watch = Watch(engine)
    assert [(one.reason, one.started) for one in watch.ended(*ids)] == [(Reason.CANCELLED, None)] * 2
    other = submit(engine, place, place.script("pass", "other.py"), first=2)
    assert [one.exit_code for one in watch.ended(*other)] == [0, 0]
    gate.open()
    gate.close()
    sign.close()


def test_parent_that_is_killed(engine: LocalEngine, place: Place) -> None:
    sign, gate = Sign(place.scripts / "sign"), Gate(place.scripts / "gate")
    script = place.script(
        f"from noted import forked\nimport os, sys\n"
        f"with open({str(sign.path)!r}, 'w') as sign: sign.write('ready\\n')\n"
        f"os.read(os.open({str(gate.path)!r}, os.O_RDONLY), 1)\nsys.exit(5)\n"
    )
    ids = submit(engine, place, script, units=4)
    watch = Watch(engine)
    assert [sign.line(), sign.line()] == ["ready"] * 2
    watch.started(*ids[:2])
    (parent,) = parents(place)
    os.kill(parent, signal.SIGKILL)
    gate.open(4)
    assert [one.exit_code for one in watch.ended(*ids)] == [5] * 4
    assert forked(place)[:2] == [True, True]
    gate.close()
    sign.close()


def test_changed_scripts_are_imported_anew(engine: LocalEngine, place: Place) -> None:
    place.script("VALUE = 'old'\n", "helper.py")
    script = place.script("from noted import forked\nimport helper\nprint(helper.VALUE)\n")
    watch = Watch(engine)
    watch.ended(*submit(engine, place, script))
    place.script("VALUE = 'changed'\n", "helper.py")
    watch.ended(*submit(engine, place, script, units=4, first=2))
    assert {(place.work / str(number) / "log").read_text() for number in range(2, 6)} == {"changed\n"}
    watch.ended(*submit(engine, place, script, units=2, first=6))
    assert forked(place, 2) == forked(place, 2, first=6) == [True, True]


def test_few_parents_are_kept(engine: LocalEngine, place: Place) -> None:
    watch = Watch(engine)
    for number in range(6):
        script = place.script("from noted import forked\n", f"task{number}.py")
        watch.ended(*submit(engine, place, script, first=2 * number))
    assert forked(place, 12) == [True] * 12
    deadline = time.monotonic() + 10
    while len(parents(place)) > 4:
        assert time.monotonic() < deadline
    engine.close()
    assert parents(place) == []


def test_parent_that_does_not_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has stopped it: its unit is to be started cold, and nothing of it runs later."""
    monkeypatch.syspath_prepend(str(Path(sys.modules["trivet.engines"].__file__ or "").parent))
    from worker_units import Common, Timers
    from worker_warm_pool import READY, Pool

    monkeypatch.setattr("worker_warm_pool.FORK_MAY_TAKE", 0.1)
    poll = select.poll()
    pool = Pool(str(place.scripts), Timers(), poll, 1 << 40)
    common = Common(dict(os.environb), {"env": {}, "grace": 1, "warm": 1})
    script = place.script("open('ran', 'w')\n")
    argv = [sys.executable, script]
    assert pool.importing(sys.executable, common, argv, True)
    ((fd, _),) = poll.poll(30_000)
    assert pool.heard(fd)
    ((key, parent),) = pool.parents.items()
    assert parent.state == READY
    os.kill(parent.pid, signal.SIGSTOP)
    with open(place.scripts / "log", "w") as log:
        assert pool.fork("run/unit/1", common, sys.executable, argv, str(place.scripts), log.fileno(), "") == 0
    assert os.waitpid(parent.pid, 0)[1] == signal.SIGKILL
    pool.reaped(parent.pid)
    pool.close()
    assert not (place.scripts / "ran").exists()
    assert not (place.scripts / "warm").exists()
    assert key not in pool.parents


def test_worker_in_a_zip_file(place: Place, tmp_path: Path) -> None:
    """As the runner of a batch job is shipped: what the parents run comes out of the zip, too."""
    modules = sorted((Path(sys.modules["trivet.engines"].__file__ or "").parent).glob("worker_*.py"))
    with zipfile.ZipFile(tmp_path / "worker.zip", "w") as archive:
        for module in modules:
            archive.write(module, module.name)
    script = place.script("import json\nfrom noted import forked\n")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path / "worker.zip")!r})
import os, select, worker_units, worker_logs
poll, argv = select.poll(), [sys.executable, {script!r}]
timers = worker_units.Timers()
units = worker_units.Units({str(tmp_path)!r}, 1, worker_logs.Logs({str(tmp_path)!r}, {str(tmp_path)!r}, 1000), timers)
common = worker_units.Common(dict(os.environb), {{"env": {{}}, "grace": 1, "warm": 1}})
while units.importing(common, argv, True, poll):
    for fd, _ in poll.poll(): units.warm.heard(fd)
units.start("run/unit/1", common, argv, {str(tmp_path)!r}, None)
while not units.ended: units.reap()
print(units.ended[0][1], units.warm.refused)
units.warm.close()
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("0 []\n", "")
    assert (tmp_path / "forked").exists()
