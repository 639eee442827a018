"""How much memory and CPU time a container used: from a control group of its own, else from the daemon's samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from trivet.engines.runtimes.api import Api, ApiError, UnreachableError

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Usage:
    """``peak_memory`` in bytes, ``cpu`` in seconds; None is not known. ``measured_by`` says how the peak was found."""

    peak_memory: int | None = None
    cpu: float | None = None
    measured_by: str = ""


def can_have_parent(info: Mapping[str, Any]) -> bool:
    """Whether containers may be started in control groups of ours, which outlive them and so tell their peak.

    The daemon must make plain directories (driver ``cgroupfs``) in the tree that we see, and we must be root to
    remove them.
    """
    memory = _ROOT if str(info.get("CgroupVersion")) == "2" else _ROOT / "memory"
    return (
        info.get("CgroupDriver") == "cgroupfs"
        and not any("rootless" in option for option in info.get("SecurityOptions") or ())
        and os.geteuid() == 0
        and os.access(memory, os.W_OK)
    )


def read_parent(parent: str) -> Usage:
    """What everything in a control group used together, the ended included."""
    name = parent.strip("/")
    peak = _number(_ROOT / name / "memory.peak")
    if peak:
        return Usage(peak, _cpu_stat(_ROOT / name / "cpu.stat"), "cgroup v2 memory.peak")
    peak = _number(_ROOT / "memory" / name / "memory.max_usage_in_bytes")
    spent = _number(_ROOT / "cpuacct" / name / "cpuacct.usage")
    if not peak:
        return Usage()
    return Usage(peak, None if spent is None else spent / 1e9, "cgroup v1 memory.max_usage_in_bytes")


def remove_parent(parent: str) -> bool:
    """Remove a control group, with what the daemon left below it, from every hierarchy; True when all of it is gone."""
    name = parent.strip("/")
    places = [place for place in (_ROOT / name, *_ROOT.glob(f"*/{name}")) if place.is_dir() and not place.is_symlink()]
    for place in places:
        for below, _, _ in os.walk(place, topdown=False):
            with suppress(OSError):
                os.rmdir(below)  # noqa: PTH106 (as os.walk gives it)
    return not any(place.exists() for place in places)


class Sampler:
    """The daemon's statistics of one container, about once a second, until it ends.

    A container shorter than that leaves no sample, and a short peak may be missed.
    """

    def __init__(self, api: Api, name: str) -> None:
        self._usage = Usage()
        self._thread = Thread(target=self._follow, args=(api, name), name=f"stats {name}", daemon=True)
        self._thread.start()

    def result(self) -> Usage:
        """What was seen; called once the container has ended."""
        self._thread.join(timeout=2)
        return self._usage

    def _follow(self, api: Api, name: str) -> None:
        with suppress(ApiError, UnreachableError, ValueError):
            for sample in api.stats(name):
                memory = sample.get("memory_stats") or {}
                seen = max(memory.get("max_usage") or 0, memory.get("usage") or 0, self._usage.peak_memory or 0)
                spent = ((sample.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
                if not seen:
                    return
                cpu = spent / 1e9 if spent else self._usage.cpu
                self._usage = Usage(seen, cpu, "sampled by the container engine")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _cpu_stat(path: Path) -> float | None:
    try:
        words = path.read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6
    except (OSError, ValueError, IndexError):
        return None
