"""What this machine can do: looked at, never changed; every question has an answer, if only «unknown»."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from trivet import __version__
from trivet.engines import hardware
from trivet.records import home

_EXTRA = re.compile(r"""([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]([^'"]+)['"]""")

_INSTALL = {
    "docker": "apt install docker.io, or start its daemon",
    "podman": "apt install podman",
    "apptainer": "a cluster's administrator has it, as a module perhaps; else https://apptainer.org",
}


def examination() -> dict[str, Any]:
    """Everything `trivet doctor --json` tells: memory and disk in bytes, None where a question has no answer."""
    return {
        "trivet": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": _answer(hardware.cpus),
        "memory": _answer(hardware.memory),
        "gpus": _answer(hardware.gpus) or [],
        "cgroup": _answer(_cgroup),
        "home": _answer(_home),
        "engines": _answer(_engines) or [],
        "extras": _answer(_extras) or [],
        "packages": _answer(_packages),
    }


def _answer(question: Callable[[], Any]) -> Any:
    """What a question gives; no fault of a machine may stop the doctor."""
    try:
        return question()
    except Exception:
        return None


def _cgroup() -> str | None:
    """The version of the kernel's control groups, by which memory is measured and limited."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return "2"
    return "1" if (root / "memory").is_dir() else None


def _home() -> dict[str, Any]:
    """Where runs are kept, with the free bytes of its disk."""
    path = home()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    return {
        "path": str(path),
        "exists": path.is_dir(),
        "writable": existing.is_dir() and os.access(existing, os.W_OK | os.X_OK),
        "free": shutil.disk_usage(existing).free,
    }


def _engines() -> list[dict[str, Any]]:
    """Where units can be started: processes of this machine, every runtime of containers, a cluster."""
    from trivet.engines.runtimes import probe

    engines = [{"name": "local", "ready": True, "version": "", "message": "programs of this machine", "install": ""}]
    for runtime in probe():
        engines.append(
            {
                "name": runtime.name,
                "ready": runtime.available,
                "version": runtime.version,
                "message": runtime.socket if runtime.available else runtime.reason,
                "install": "" if runtime.available else _INSTALL.get(runtime.name, ""),
            }
        )
    submits = shutil.which("sbatch")
    engines.append(
        {
            "name": "slurm",
            "ready": submits is not None,
            "version": "",
            "message": "`trivet doctor --engine slurm` tells more" if submits else "no sbatch on PATH",
            "install": "" if submits else "log in to a login node of your cluster",
        }
    )
    return engines


def _extras() -> list[dict[str, Any]]:
    """The optional parts of Trivet: what they need, and the command that installs what is missing."""
    extras: dict[str, dict[str, str | None]] = {}
    for requirement in requires("trivet") or []:
        match = _EXTRA.match(requirement)
        if match is not None:
            extras.setdefault(match[2], {})[match[1]] = _installed(match[1])
    return [
        {
            "name": name,
            "ready": None not in packages.values(),
            "packages": packages,
            "install": "" if None not in packages.values() else f"{sys.executable} -m pip install 'trivet[{name}]'",
        }
        for name, packages in extras.items()
    ]


def _packages() -> dict[str, Any]:
    """What task packages are installed by, and the Pythons that their environments could have."""
    from trivet.packages.installer import located, pythons, version_of

    uv = located()
    if uv is None:
        return {"uv": None, "pythons": []}
    found = [{"version": version, "path": path} for version, path in pythons(uv).items()]
    return {"uv": {"version": version_of(uv), "path": uv}, "pythons": found}


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
