"""Building images from a directory with a Dockerfile, by the command of a container engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

BUILDERS = ("docker", "podman")


def build(directory: Path, tag: str, arguments: Mapping[str, str], runtime: str | None) -> None:
    """Build an image; what the builder says goes to stderr. Raises OSError and CalledProcessError."""
    builder = runtime if runtime in BUILDERS else next((name for name in BUILDERS if shutil.which(name)), BUILDERS[0])
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    environment = dict(os.environ)
    command = [builder]
    if builder == "docker" and _has_buildx():
        given += ["--provenance=false", "--sbom=false"]  # attestations are images that nothing can run
    elif builder == "docker":
        environment.setdefault("DOCKER_BUILDKIT", "0")  # what its client falls back to anyhow, with a warning
        given.append("--force-rm")  # without it, a step that fails leaves its container behind
    elif host := os.environ.get("CONTAINER_HOST"):
        command += ["--url", host]
    command += ["build", "--tag", tag, *given, str(directory)]
    subprocess.run(command, check=True, stdout=2, stdin=subprocess.DEVNULL, env=environment)


def _has_buildx() -> bool:
    return subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0
