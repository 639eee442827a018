"""Credentials for registries, from where `docker login` and `podman login` leave them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")


def registry_auth(reference: str) -> dict[str, str]:
    """The header that lets the daemon pull ``reference``; empty when nobody logged in to its registry."""
    host, slash, _ = reference.partition("/")
    named = slash and ("." in host or ":" in host or host == "localhost")
    servers = (host, f"https://{host}") if named and host not in _HUB else _HUB
    for config in _configs():
        for server in servers:
            found = _stored(config, server)
            if found is not None:
                text = json.dumps({"username": found[0], "password": found[1], "serveraddress": server})
                return {"X-Registry-Auth": base64.urlsafe_b64encode(text.encode()).decode()}
    return {}


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
        user, _, password = base64.b64decode(config["auths"][server]["auth"]).decode().partition(":")
    except (KeyError, TypeError, ValueError):
        return None
    return (user, password) if password else None
