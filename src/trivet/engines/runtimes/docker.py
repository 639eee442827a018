"""Where a Docker daemon answers."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "docker"


def sockets() -> list[str]:
    """Sockets to try, in order: DOCKER_HOST alone when it is set, else the system's, the user's own, Docker Desktop's.

    Raises ValueError for a DOCKER_HOST that is no Unix socket.
    """
    return socket_from("DOCKER_HOST") or [
        "/var/run/docker.sock",
        *([f"{runtime}/docker.sock"] if (runtime := os.environ.get("XDG_RUNTIME_DIR")) else []),
        str(Path.home() / ".docker/run/docker.sock"),
    ]


def socket_from(variable: str) -> list[str]:
    """The socket an environment variable names, if it is set. Raises ValueError when it is no Unix socket."""
    host = os.environ.get(variable)
    if not host:
        return []
    if not host.startswith("unix://"):
        raise ValueError(
            f"{variable}={host}: only unix:// sockets can be used, since files are mounted from this machine"
        )
    return [host.removeprefix("unix://")]
