"""Runtimes: how an image becomes a process on a machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from trivet.engines import EngineError, EngineEvent

if TYPE_CHECKING:
    from trivet.engines.runtimes.api import Api, Version
    from trivet.engines.runtimes.containers import Containers

DAEMONS = ("docker", "podman")
"""Runtimes that are asked through a socket, and can build, hold and show images."""

APPTAINER = "apptainer"
RUNTIMES = (*DAEMONS, APPTAINER)
"""All runtimes, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """What `probe` found: where a runtime answers, or why it does not."""

    name: str
    available: bool
    version: str = ""
    socket: str = ""
    reason: str = ""


def connect(
    runtime: str | None,
    directory: Path,
    events: SimpleQueue[Sequence[EngineEvent]],
    slots: int,
    *,
    log_cap: int | None = None,
) -> Containers:
    """What runs containers for a run in ``directory``, ``slots`` at once, by ``runtime`` or by the first that answers.

    A log keeps at most ``log_cap`` bytes (default: 64 MiB), head and tail. Raises EngineError, which says what was
    tried and what to do.
    """
    from trivet.engines.runtimes.api import ApiError, UnreachableError
    from trivet.engines.runtimes.containers import Containers
    from trivet.engines.runtimes.logs import LOG_CAP

    api, version, release = open_api(runtime)
    try:
        return Containers(api, version, directory, events, slots=slots, log_cap=log_cap or LOG_CAP, release=release)
    except EngineError:
        release()
        raise
    except (ApiError, UnreachableError) as error:
        release()
        raise EngineError(f"the container engine at {api.path} does not work: {error}") from error


def open_api(runtime: str | None = None) -> tuple[Api, Version, Callable[[], None]]:
    """A client of ``runtime`` or of the first that answers, its version, and what to call when done with it.

    Raises EngineError, which says what was tried and what to do.
    """
    if runtime is not None and runtime not in DAEMONS:
        known = ", ".join(DAEMONS if runtime == APPTAINER else RUNTIMES)
        raise EngineError(f"there is no runtime {runtime!r} for this; known: {known}")
    reasons = []
    for name in (runtime,) if runtime else DAEMONS:
        try:
            return _open(name)
        except EngineError as error:
            reasons.append(f"{name}: {error}")
    packages = " or ".join({"docker": "docker.io"}.get(name, name) for name in ((runtime,) if runtime else DAEMONS))
    raise EngineError(f"no container engine (install {packages}, or start it): " + "; ".join(reasons))


def choose(runtime: str | None = None) -> str:
    """The name of ``runtime``, or of the first that can be used. Raises EngineError, which says what was tried."""
    if runtime is not None and runtime not in RUNTIMES:
        raise EngineError(f"there is no runtime {runtime!r}; known: {', '.join(RUNTIMES)}")
    if runtime != APPTAINER:
        try:
            _, version, release = open_api(runtime)
        except EngineError as error:
            reason = str(error)
        else:
            release()
            return version.name
        if runtime is not None:
            raise EngineError(reason)
    found = apptainer_status()
    if not found.available:
        raise EngineError(found.reason if runtime else f"{reason}; apptainer: {found.reason}")
    return found.name


def apptainer_status() -> RuntimeStatus:
    """Whether there is an Apptainer on PATH that runs. Never raises."""
    import shutil
    import subprocess

    from trivet.engines.runtimes.apptainer.sif import installed

    path = shutil.which(APPTAINER)
    if path is None:
        return RuntimeStatus(APPTAINER, False, reason="there is no apptainer command (a cluster may need a module)")
    try:
        return RuntimeStatus(APPTAINER, True, installed(), path)
    except (OSError, subprocess.SubprocessError) as error:
        return RuntimeStatus(APPTAINER, False, reason=f"{path} does not run: {error}")


def probe() -> list[RuntimeStatus]:
    """Every runtime, whether it answers, and why not. Never raises."""
    found = []
    for name in DAEMONS:
        try:
            api, version, release = _open(name)
            release()
            found.append(RuntimeStatus(name, True, f"{version.name} {version.version}", api.path))
        except Exception as error:  # whatever is wrong with a runtime is an answer here
            found.append(RuntimeStatus(name, False, reason=str(error) or type(error).__name__))
    return [*found, apptainer_status()]


def _open(name: str) -> tuple[Api, Version, Callable[[], None]]:
    from trivet.engines.runtimes import docker, podman
    from trivet.engines.runtimes.api import Api, ApiError, UnreachableError

    reasons = []
    try:
        paths = docker.sockets() if name == docker.NAME else podman.sockets()
    except ValueError as error:
        raise EngineError(str(error)) from error
    for path in paths:
        api = Api(path)
        try:
            return api, api.version(), api.close
        except (UnreachableError, ApiError) as error:
            reasons.append(str(error))
    if name == podman.NAME and not os.environ.get("CONTAINER_HOST"):
        try:
            path, end = podman.start_service()
            api = Api(path)
            return api, api.version(), end
        except (UnreachableError, ApiError) as error:
            reasons.append(str(error))
    raise EngineError(", ".join(reasons))
