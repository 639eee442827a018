"""Logins for registries, from where `docker login` and `podman login` leave them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trivet.images.references import HUB
from trivet.tasks.work import Login

_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")


def stored_login(host: str) -> Login | None:
    """The login for a registry by its host, as `references.host_of` spells it; None when nobody logged in there.

    ``config.json`` of Docker comes first, then Podman's ``auth.json``; a credential helper that they name is asked.
    """
    servers = _HUB if host == HUB else (host, f"https://{host}", f"http://{host}")
    for config in _configs():
        for server in servers:
            found = _stored(config, server)
            if found is not None:
                return Login(server, *found)
    return None


def _configs() -> Iterator[Mapping[str, Any]]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    docker = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
    for path in (Path(docker, "config.json"), Path(runtime, "containers/auth.json") if runtime else None):
        try:
            config = json.loads(path.read_text()) if path else None
        except (OSError, ValueError):
            continue
        if isinstance(config, dict):
            yield config


def _stored(config: Mapping[str, Any], server: str) -> tuple[str, str] | None:
    """User and password for a server, from the file itself or from the helper it names."""
    helper = (config.get("credHelpers") or {}).get(server) or config.get("credsStore")
    if helper:
        try:
            answer = subprocess.run(
                [f"docker-credential-{helper}", "get"],
                input=server.encode(),
                capture_output=True,
                timeout=30,
                check=True,
            )
            found = json.loads(answer.stdout)
            return found["Username"], found["Secret"]
        except (OSError, subprocess.SubprocessError, ValueError, KeyError):
            return None
    try:
        entry = config["auths"][server]
        if "auth" not in entry:
            return entry["username"], entry["password"]
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except (KeyError, TypeError, ValueError):
        return None
    return (user, password) if password else None
