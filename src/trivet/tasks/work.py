"""Pieces of work: units, what an engine needs to start one, what it saw, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivet.tasks.problem import Problem
from trivet.tasks.states import Reason, RunState
from trivet.tasks.task import UNLIMITED, Program, Resources
from trivet.tasks.values import Value

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "BLOSC_NTHREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
"""Variables by which numerical libraries are told how many threads to start; without, one for each CPU there is."""

AttemptId = str
"""``<run>/<unit>/<number>``; given to the engine as the name of what it starts."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work of a run, for one process or container.

    ``name`` is unique in the run and safe as a file name. ``values`` holds what differs from the call's values.
    """

    name: str
    phase: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttemptDirectory:
    """Where an attempt may write. Nothing exists until `make` is called, so a unit that needs no file costs none.

    ``prefix`` begins the names of files where several attempts share one directory. ``cache`` is a directory that all
    attempts share, for what tasks keep beyond one (None: there is none).
    """

    attempt: AttemptId
    root: Path
    prefix: str = ""
    cache: Path | None = None

    def file(self, name: str) -> Path:
        """The attempt's own file of that name, directly in its directory."""
        return self.root / f"{self.prefix}{name}"

    def make(self, *parts: str) -> Path:
        """A directory below this attempt's own, created when absent."""
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path that a container sees at ``target``: a directory, or else a file."""

    source: str
    target: str
    writable: bool = False
    directory: bool = True


@dataclass(frozen=True, slots=True)
class Login:
    """Who somebody is to a registry. ``server`` as the user wrote it: a host, or a URL.

    Never written down: no record has it, and it does not show its password.
    """

    server: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What a pod gets beyond what its invocation says, in Kubernetes' own words; other engines pass it over.

    ``resources`` holds limits and requests as quantities, in place of the invocation's own. ``environment``,
    ``volumes`` and ``mounts`` are lists of V1EnvVar, V1Volume and V1VolumeMount.
    """

    namespace: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    pull_policy: str | None = None
    pull_secrets: tuple[str, ...] = ()
    resources: Mapping[str, Mapping[str, str]] | None = None
    environment: tuple[Mapping[str, Any], ...] = ()
    volumes: tuple[Mapping[str, Any], ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """Everything an engine needs to start one attempt, and nothing else.

    ``command`` replaces the image's entrypoint when given (None: the image's own); for an `Environment` it is the
    argument vector. ``environment`` is added to the engine's own. ``log`` is the file that takes stdout and stderr;
    None lets the engine choose. ``time_limit`` and ``grace`` in seconds. ``title`` is what people call it, ``labels``
    are put on containers and pods beside the engine's own. ``login`` is for the registry of the image. ``notes`` is
    what staging wants said about this attempt; no engine reads it.

    ``warm``: the command is a Python interpreter and a script, and nothing forbids an engine to import the script once
    and to fork for each unit. ``meta`` says in the words of Fractal's meta data what a batch system is asked for; other
    engines pass it over. ``forwards``: the command hands TERM on to what it started, which would otherwise have it
    twice.
    """

    program: Program
    command: tuple[str, ...] | None
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    workdir: str | None = None
    user: str | None = None
    resources: Resources = UNLIMITED
    network: bool = True
    time_limit: float | None = None
    grace: float = 10.0
    log: str | None = None
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    login: Login | None = None
    pod: PodSettings | None = None
    notes: tuple[Problem, ...] = ()
    warm: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)
    forwards: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What one unit asks for: CPUs, bytes of memory, seconds. None: nothing was said."""

    cpus: float | None = None
    memory: int | None = None
    time: float | None = None


NOTHING_SAID = Demand()


@dataclass(frozen=True, slots=True)
class LogPart:
    """A piece of a log file: bytes ``offset`` to ``offset + length`` of ``path`` (relative to the run's directory)."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine saw of one attempt.

    Exactly one of three: it ended by itself (``exit_code``), by a signal (``signal``; ``exit_code`` is 128 + it), or
    never ran (both None, with a ``reason``). ``reason`` is also set when the engine knows why (oom, timeout,
    cancelled …). Times are seconds since the epoch (UTC), ``cpu`` seconds, ``peak_memory`` bytes with the way it was
    measured in ``measured_by``.
    """

    exit_code: int | None
    signal: int | None = None
    reason: Reason | None = None
    message: str = ""
    started: float | None = None
    ended: float | None = None
    cpu: float | None = None
    peak_memory: int | None = None
    measured_by: str = ""
    log: LogPart | None = None
    image_digest: str | None = None
    host: str = ""


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What one unit gave. ``note`` is plain JSON data a contract hands from one phase to the next."""

    unit: str
    reason: Reason | None = None
    message: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, Value] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    note: Any = None

    @property
    def ok(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class RunResult:
    """The fold of all unit results: how a run ended (``state`` is final), with what, and why."""

    state: RunState
    reason: Reason | None = None
    message: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, Value] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
