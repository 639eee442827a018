"""What a task's own interpreter runs as ``sitecustomize`` to import a script's modules once and to fork for each unit.

The interpreter is started as for a unit, ``python script.py``, and comes here while it starts, before it looks at the
script. It imports what the script's first statements import, and waits for requests on descriptor 3. For each it forks,
twice, so that the unit becomes a child of the worker; in the unit this module returns, and the interpreter goes on to
run the script as if nothing had happened: no frame, handler or variable of ours is left.

What can't be the same as in a process of its own is refused: the answer "cold" and a reason. Needs Linux's /proc, the
standard library of Python 3.9 or later, and of that as little as can be: what is imported here is imported in units.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import atexit
import gc
import os
import random
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ast
    from collections.abc import Iterator
    from typing import Any

CHANNEL = 3
IMPORTS_MAY_TAKE = 60
SAYS_AT_MOST = 1 << 20
MARK, ROOM = b"TRIVET_ATTEMPT=", 1000
GPU = (b"/libcuda.so", b"/dev/nvidia", b"/libamdhip64.so", b"/dev/kfd")
MODULES = sys.modules
HARMLESS = {"jemalloc_bg_thd", "polars-ooc-clea"}
"""Threads a fork can do without: an allocator's, which it starts again itself after a fork, and the one by which polars
deletes files it has spilled (it starts all others when it has work for them)."""
KEPT: list[Any] = []
"""Libraries that the end of a unit leaves alone, first by name; it contains itself, so nobody takes it apart either."""
KEPT.append(KEPT)

OWN = {"getpid": "its process's number", "urandom": "random bytes"}
"""What each process has of its own, by the function of `os` that tells it."""

LATER = {"argparse": ("locale", "shutil"), "skimage.measure": ("skimage.measure._regionprops",)}
"""What modules import only when they are used, as most scripts do that have them."""


class Cold(Exception):
    """The script's units must be processes of their own; the message says why."""


class Watch:
    """Notes what imports do that a unit would do again: files they write, and whether they ask where they are; of the
    script's own modules also whether they ask for what each process has of its own.

    An audit hook can't be taken away, so ``on`` says whether it still looks.
    """

    def __init__(self, script: str) -> None:
        self.on = True
        self.written: set[str] = set()
        self.asked_where = self.asked_own = ""
        self.numpy_state: object = None
        self.libraries = Libraries(script)
        self.real = {name: getattr(os, name) for name in ("getcwd", "getcwdb", "getpid", "urandom")}
        for name, function in self.real.items():
            watched = self.where(function) if name.startswith("getcwd") else self.own(function, OWN[name])
            setattr(os, name, watched)
        random._urandom = os.urandom  # type: ignore[attr-defined]  # numpy's generators begin with it
        sys.addaudithook(self.note)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "import":
            if self.numpy_state is None:
                self.numpy_state = numpy_state()
        elif event == "open":
            if isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.wrote(args[0])
        elif event in ("os.mkdir", "os.remove", "os.truncate", "sqlite3.connect"):
            if not (event == "os.mkdir" and os.path.isdir(args[0])):
                self.wrote(args[0])
        elif event in ("os.rename", "os.link", "os.symlink"):
            self.wrote(args[1])

    def wrote(self, path: object) -> None:
        if isinstance(path, (str, bytes)) and not os.fsdecode(path).startswith("/dev/"):
            self.written.add(os.fsdecode(path))

    def where(self, real: Any) -> Any:
        def asked() -> Any:
            caller = sys._getframe(1).f_globals.get("__name__")
            if caller == "posixpath":
                caller = sys._getframe(2).f_globals.get("__name__")
            if caller not in ("multiprocessing.process", "tempfile"):  # the first is put right in `become`
                self.asked_where = self.asked_where or str(caller)
            return real()

        return asked

    def own(self, real: Any, what: str) -> Any:
        def asked(*args: Any) -> Any:
            if self.on:
                self.note_own(sys._getframe(1), what)
            return real(*args)

        return asked

    def note_own(self, frame: Any, what: str) -> None:
        """Note it if the module that is being imported is the script's own; libraries know of forks."""
        while frame is not None and frame.f_code.co_name != "<module>":
            frame = frame.f_back
        if frame is not None and frame.f_code.co_filename not in self.libraries:
            self.asked_own = self.asked_own or "%s asks for %s" % (frame.f_globals.get("__name__"), what)

    def end(self) -> None:
        self.on = False
        for name, function in self.real.items():
            setattr(os, name, function)
        random._urandom = os.urandom  # type: ignore[attr-defined]

    def judge(self) -> None:
        """Raises Cold. Compiled modules, which are written once, and files that are gone again do not count."""
        for path in self.written:
            parent, name = os.path.split(path)
            compiled = ".pyc" in name or os.path.basename(parent) == "__pycache__" or name == "__pycache__"
            if not compiled and os.path.lexists(path):
                raise Cold("its imports write %s" % path)
        if self.asked_where:
            raise Cold("%s asks for the working directory when it is imported" % self.asked_where)
        if self.asked_own:
            raise Cold("%s when it is imported" % self.asked_own)
        if numpy_state() != self.numpy_state and self.numpy_state is not None:
            raise Cold("its imports use the random numbers of numpy")


class Libraries:
    """The files that are not the script's own: Python's, and those of other packages than its own."""

    def __init__(self, script: str) -> None:
        installed, mark, path = script.rpartition("-packages/")
        self.own = installed + mark + path.partition("/")[0] + "/" if mark else ""
        self.python = os.path.join(os.path.dirname(os.__file__), "")

    def __contains__(self, path: str) -> bool:
        if self.own and path.startswith(self.own):
            return False
        return "-packages/" in path or path.startswith((self.python, "<frozen "))


class Arguments(list):  # type: ignore[type-arg]
    """The arguments, which tell who looks at them."""

    watch: Watch

    def __getitem__(self, key: Any) -> Any:
        if key != 0:
            self.watch.note_own(sys._getframe(1), "its arguments")
        return list.__getitem__(self, key)

    def __iter__(self) -> Any:
        self.watch.note_own(sys._getframe(1), "its arguments")
        return list.__iter__(self)

    def __contains__(self, one: object) -> bool:
        self.watch.note_own(sys._getframe(1), "its arguments")
        return list.__contains__(self, one)

    def __len__(self) -> int:
        self.watch.note_own(sys._getframe(1), "its arguments")
        return list.__len__(self)


def numpy_state() -> object:
    """The state of numpy's global generator, as something that can be compared; None where it is not loaded yet."""
    try:
        state = MODULES["numpy.random.mtrand"]._rand.get_state()
        return (state[1].tobytes(), *state[2:])
    except (AttributeError, KeyError):
        return None


# --- Importing ahead ----------------------------------------------------------------------------------------------


def imports_of(tree: _ast.Module) -> Iterator[tuple[Any, bool]]:
    """The imports a script begins with: (statement, whether it may fail).

    What stands behind a statement with an effect (``os.environ[…] = …``, a call) is left to the unit, since it may
    depend on it. What is imported where the script is run as the main program counts.
    """
    import _ast

    for node in tree.body:
        if isinstance(node, (_ast.Import, _ast.ImportFrom)):
            if getattr(node, "module", "") != "__future__":
                yield node, False
        elif isinstance(node, _ast.Try) and all(isinstance(one, (_ast.Import, _ast.ImportFrom)) for one in node.body):
            for one in node.body:
                yield one, True
        elif isinstance(node, _ast.If):
            names = {getattr(part, "id", getattr(part, "attr", "")) for part in (node.test, *children(node.test))}
            if "TYPE_CHECKING" in names and not node.orelse:
                continue
            if "__name__" in names:
                for one in node.body:
                    if not isinstance(one, (_ast.Import, _ast.ImportFrom)):
                        break
                    yield one, False
            return
        elif not plain(node):
            return


def plain(node: _ast.AST) -> bool:
    """Whether a statement only gives names to things."""
    import _ast

    if isinstance(node, _ast.Expr):
        return isinstance(node.value, _ast.Constant)
    if isinstance(node, _ast.Assign):
        return all(isinstance(target, _ast.Name) for target in node.targets)
    if isinstance(node, _ast.AnnAssign):
        return isinstance(node.target, _ast.Name)
    return isinstance(node, (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef))


def children(node: _ast.AST) -> Iterator[Any]:
    for field in node._fields:
        value = getattr(node, field, None)
        for one in value if isinstance(value, list) else [value]:
            if hasattr(one, "_fields"):
                yield one


def import_ahead(script: str) -> None:
    """Import as the script will. Raises Cold, or whatever an import raises."""
    with open(script, "rb") as file:
        tree: Any = compile(file.read(), script, "exec", 0x400, dont_inherit=True)  # 0x400: the tree only
    namespace = {"__name__": "__main__", "__file__": script, "__builtins__": __builtins__}
    for node, may_fail in list(imports_of(tree)):
        tree.body = [node]
        try:
            exec(compile(tree, script, "exec", dont_inherit=True), namespace)
        except ImportError:
            if not may_fail:
                raise
    for name in [name for user, names in LATER.items() if user in MODULES for name in names]:
        try:
            __import__(name)
        except ImportError:
            pass  # another version of the library, which does without it


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def threads() -> set[str]:
    """The names of this process's threads, but for the first."""
    names = set()
    for number in os.listdir("/proc/self/task"):
        if int(number) != os.getpid():
            with open("/proc/self/task/%s/comm" % number) as file:
                names.add(file.read().strip())
    return names


def prepare(script: str) -> None:
    """Import ahead, and make sure that nobody can tell. Raises Cold."""
    main, path = MODULES["__main__"], list(sys.path)
    state, files, arguments = random.getstate(), descriptors(), sys.argv
    watch = Watch(script)
    main.__file__ = script
    sys.argv = Arguments([script])
    sys.argv.watch = watch
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    inserted = list(sys.path)
    _signal.alarm(IMPORTS_MAY_TAKE)
    try:
        import_ahead(script)
    except BaseException as error:
        raise Cold("its imports fail: %s: %s" % (type(error).__name__, error)) from None
    finally:
        _signal.alarm(0)
        watch.end()
    if sys.path != inserted:
        raise Cold("its imports change sys.path")
    sys.path[:] = path
    if sys.getrefcount(sys.argv) > 2:
        raise Cold("its imports keep the arguments")
    sys.argv = arguments
    del main.__file__
    watch.judge()
    if random.getstate() != state:
        raise Cold("its imports use random numbers")
    extra = threads() - HARMLESS
    if extra:
        raise Cold("its imports start threads: " + ", ".join(sorted(extra)))
    if descriptors() != files:
        raise Cold("its imports leave files or sockets open")
    torch = MODULES.get("torch")
    with open("/proc/self/maps", "rb") as file:
        maps = file.read()
    if any(name in maps for name in GPU) or (torch is not None and torch.cuda.is_initialized()):
        raise Cold("its imports use a GPU")
    if os.lseek(1, 0, os.SEEK_END) > SAYS_AT_MOST:
        raise Cold("its imports say too much")


# --- What was imported may change ---------------------------------------------------------------------------------


def sources(script: str) -> dict[str, object]:
    """What must not change while modules are kept: the environment, and the modules that somebody may be writing."""
    installed = [path for path in sys.path if os.path.isdir(path)]
    own = os.path.dirname(os.path.realpath(script)) + "/"
    watched = {script, os.path.join(sys.prefix, "pyvenv.cfg"), own, *installed}
    libraries = tuple(os.path.join(path, "") for path in installed if path.endswith("-packages"))
    library = os.path.join(os.path.dirname(os.__file__), "")
    for module in list(MODULES.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and (path.startswith(own) or not path.startswith((*libraries, library))):
            watched.add(path)
    return {path: stamp(path) for path in watched}


def stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


# --- Forking ------------------------------------------------------------------------------------------------------


def serve(channel: Any, script: str, known: dict[str, object]) -> None:
    """Fork for each request; returns in units only."""
    said = os.pread(1, SAYS_AT_MOST, 0)
    while True:
        data, ancillary, _, _ = channel.recvmsg(1 << 20, _socket.CMSG_SPACE(4))
        if not data:
            os._exit(0)
        log = int.from_bytes(ancillary[0][2], sys.byteorder)
        if any(stamp(path) != before for path, before in known.items()):
            channel.send(b"stale")
            os._exit(0)
        between = os.fork()
        if between == 0:
            if os.fork() != 0:
                os._exit(0)
            try:
                become(channel, script, log, said, data.split(b"\0"))
            except BaseException as error:
                try:
                    channel.send(b"failed " + repr(error).encode("utf-8", "replace")[:1000])
                finally:
                    os._exit(1)
            return
        os.close(log)
        os.waitpid(between, 0)


def become(channel: Any, script: str, log: int, said: bytes, request: list[bytes]) -> None:
    """Be the unit: everything a process of its own would have been given."""
    attempt, cwd, group, *arguments = request
    os.setsid()
    if group:
        with open(group, "wb", buffering=0) as file:
            file.write(b"%d" % os.getpid())
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir(cwd)
    python = sys.orig_argv[0] if hasattr(sys, "orig_argv") else sys.executable
    mark(attempt, [os.fsencode(python), os.fsencode(script), *arguments])
    os.environb[MARK[:-1]] = attempt
    sys.argv[1:] = map(os.fsdecode, arguments)
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[2:] = map(os.fsdecode, arguments)
    start_anew()
    while said:
        said = said[os.write(1, said) :]
    channel.send(b"%d" % os.getpid())
    channel.close()


def mark(attempt: bytes, command: list[bytes]) -> None:
    """Let others see in /proc whose process this is, and its command (as far as there is room for it)."""
    with open("/proc/self/stat", "rb") as file:
        words = file.read().rpartition(b")")[2].split()
    begin, end, environment, last = map(int, words[45:49])
    memory = os.open("/proc/self/mem", os.O_RDWR)
    try:
        place = environment + os.pread(memory, last - environment, environment).index(MARK) + len(MARK)
        os.pwrite(memory, attempt.ljust(ROOM, b"\0"), place)
        if command:
            os.pwrite(memory, b"\0".join(command)[: end - begin - 1].ljust(end - begin, b"\0"), begin)
    finally:
        os.close(memory)


def start_anew() -> None:
    """What a process makes for itself when it imports modules, and forks must not share; `random` sees to itself."""
    if "numpy.random.mtrand" in MODULES:
        MODULES["numpy.random.mtrand"].seed()
    if "logging" in MODULES:
        logging: Any = MODULES["logging"]
        logging._startTime = time.time_ns() if isinstance(logging._startTime, int) else time.time()
    if "multiprocessing.process" in MODULES:
        process: Any = MODULES["multiprocessing.process"]
        process.ORIGINAL_DIR = os.getcwd()
        process.current_process().authkey = os.urandom(32)


def freeze() -> bool:
    """Keep the garbage collector of units away from what was imported: it would copy every page in every unit.

    What is frozen is not finalized either, so the main module must be made anew, and nobody may know the old one.
    """
    gc.collect()
    main = MODULES["__main__"]
    alone = all(one is MODULES or hasattr(one, "f_code") for one in gc.get_referrers(main))
    if alone:
        gc.freeze()
    return alone


def is_library(module: Any, watched: dict[str, object]) -> bool:
    """Whether a module was read from a file that is not the script's own, nor ours."""
    path = getattr(module, "__file__", None)
    return isinstance(path, str) and path not in watched and path != __file__


def keep() -> None:
    """Hide libraries from the end of the interpreter, which would take them apart and so copy every page of theirs.

    Called after everything else that was registered for the end. The script's own modules end as always.
    """
    for name in KEPT[1:]:
        KEPT.append(MODULES.pop(name, None))


def renew_main() -> None:
    """Let the main module be an object that the garbage collector knows."""
    old = MODULES["__main__"]
    new = type(old)("__main__")
    new.__dict__.update(old.__dict__)
    for name in ("__main__", "__mp_main__"):  # the second is what multiprocessing calls it
        if MODULES.get(name) is old:
            MODULES[name] = new


# --- In place of sitecustomize ------------------------------------------------------------------------------------


def find(name: str) -> Any:
    return MODULES["_frozen_importlib_external"].PathFinder.find_spec(name)


def undo(path: bytes) -> None:
    """Leave no trace of the way in which this module was found."""
    here = os.path.dirname(__file__)
    compiled = __spec__.cached or "/nowhere/x.pyc"
    for remove, place in ((os.unlink, compiled), (os.rmdir, os.path.dirname(compiled))):
        try:
            remove(place)
        except OSError:
            pass
    sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    if path:
        os.environb[b"PYTHONPATH"] = path[1:]
    else:
        os.environ.pop("PYTHONPATH", None)


def main() -> None:
    """Returns in units only, with the interpreter in the state in which ``sitecustomize`` found it."""
    channel = _socket.socket(fileno=CHANNEL)
    path, _, name = channel.recv(1 << 16).partition(b"\0")
    script = os.fsdecode(name)
    undo(path)
    try:
        mark(b"", [])
        other = find("sitecustomize")
        if other is not None:
            MODULES.pop("sitecustomize")
            __import__("sitecustomize")
        if MODULES["site"].ENABLE_USER_SITE and find("usercustomize") is not None:
            raise Cold("there is a usercustomize")
        if atexit._ncallbacks() == 0:
            atexit.register(keep)
        prepare(script)
        known = sources(script)
        frozen = freeze()
        if frozen:
            KEPT.extend(name for name, module in MODULES.items() if is_library(module, known))
        channel.send(b"ready")
        serve(channel, script, known)
    except Cold as reason:
        channel.send(b"cold " + str(reason).encode("utf-8", "replace")[:1000])
        os._exit(0)
    except BaseException as error:
        channel.send(b"cold " + repr(error).encode("utf-8", "replace")[:1000])
        os._exit(0)
    if frozen:
        renew_main()
    if other is None:
        raise ImportError("No module named 'sitecustomize'", name="sitecustomize")


if __name__ == "sitecustomize":
    main()
