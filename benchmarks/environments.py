"""Private environments for the engines that Trivet is compared with; made once, kept in a cache directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TIMEOUT = 600.0


class UnavailableError(RuntimeError):
    """The environment can't be made; the message says why."""


def cache() -> Path:
    """Where environments and compiled bytecode are kept between two runs of the benchmarks."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "trivet-benchmarks"
    path.mkdir(parents=True, exist_ok=True)
    return path


def python(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment that holds exactly these requirements. Raises UnavailableError."""
    place = cache() / name
    ready, interpreter = place / "requirements.txt", place / "bin" / "python"
    wanted = "\n".join([sys.version, *requirements])
    if ready.exists() and ready.read_text() == wanted:
        return interpreter
    shutil.rmtree(place, ignore_errors=True)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is not None:
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(place))
        _run(uv, "pip", "install", "--quiet", "--python", str(interpreter), *requirements)
    else:
        _run(sys.executable, "-m", "venv", str(place))
        _run(str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    ready.write_text(wanted)
    return interpreter


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(f"can't be installed: {last[-1] if last else argv[0]}")
