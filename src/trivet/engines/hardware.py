"""What this machine has: CPUs, memory, GPUs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path


def cpus() -> int | None:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def memory() -> dict[str, int]:
    """Bytes of memory: ``total``, and where the system says so what is ``available`` now."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = {"total": page * os.sysconf("SC_PHYS_PAGES")}
    information = Path("/proc/meminfo")
    if information.exists():
        match = re.search(r"MemAvailable:\s+(\d+) kB", information.read_text())
        if match is not None:
            found["available"] = int(match[1]) * 1024
    return found


def gpus() -> list[str]:
    """NVIDIA GPUs by name. Raises OSError or subprocess.SubprocessError when they can't be asked."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
