"""Where Podman answers; without a socket, a service of our own is started on a private one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from threading import Thread

from trivet.engines.runtimes.api import Api, ApiError, UnreachableError
from trivet.engines.runtimes.docker import socket_from as _socket_from

NAME = "podman"
_START = 20.0  # seconds a service may need until it answers


def sockets() -> list[str]:
    """Sockets to try, in order: CONTAINER_HOST alone when it is set, else the user's own and the system's.

    Raises ValueError for a CONTAINER_HOST that is no Unix socket.
    """
    return _socket_from("CONTAINER_HOST") or [
        *([f"{runtime}/podman/podman.sock"] if (runtime := os.environ.get("XDG_RUNTIME_DIR")) else []),
        "/run/podman/podman.sock",
    ]


def start_service() -> tuple[str, Callable[[], None]]:
    """Start ``podman system service`` on a private socket; returns the socket and what ends the service.

    We keep one request open, and seconds after the last one the service ends by itself: a driver that is killed leaves
    none behind. Containers don't depend on it. Raises UnreachableError.
    """
    if shutil.which("podman") is None:
        raise UnreachableError("there is no podman command")
    place = Path(tempfile.mkdtemp(prefix="trivet-podman-"))
    path = place / "podman.sock"
    with open(place / "log", "wb") as log:
        service = subprocess.Popen(
            ["podman", "system", "service", "--time", "10", f"unix://{path}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            cwd=place,  # a container's monitor leaves a file `oom` where the service works
        )  # fmt: skip
    api = Api(str(path))

    def end() -> None:
        api.close()
        with suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            service.wait(timeout=10)
        shutil.rmtree(place, ignore_errors=True)

    deadline = time.monotonic() + _START
    while service.poll() is None and time.monotonic() < deadline:
        with suppress(UnreachableError, ApiError):
            api.version()
            Thread(target=_hold, args=(api,), name="trivet-podman", daemon=True).start()
            return str(path), end
        time.sleep(0.05)
    said = (place / "log").read_text(errors="replace").strip().splitlines()
    end()
    raise UnreachableError(f"`podman system service` did not start: {said[-1] if said else 'no reason given'}")


def _hold(api: Api) -> None:
    """Keep one request open as long as this process lives."""
    nothing = {"filters": '{"label":["trivet.nothing"]}'}
    with suppress(UnreachableError, ApiError), api.request("GET", "/events", nothing, timeout=None) as response:
        _drain(response)


def _drain(response: HTTPResponse) -> None:
    while response.read1(65536):
        pass
