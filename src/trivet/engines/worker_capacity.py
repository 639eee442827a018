"""What units need and what the worker's machine has: CPUs, memory, GPUs."""

from __future__ import annotations

import glob
import os
from typing import Any, Optional

DEVICES = b"CUDA_VISIBLE_DEVICES"
Demand = tuple[int, int, int]
"""Thousandths of a CPU, bytes of memory, whole GPUs."""

NOTHING: Demand = (0, 0, 0)


def demand_of(fields: dict[str, Any]) -> Demand:
    """What a unit needs by its own word: one CPU unless it says otherwise, of the rest nothing."""
    return (max(1, round(1000 * fields.get("cpus", 1))), fields.get("memory") or 0, fields.get("gpus") or 0)


class Capacity:
    """What is free. Who needs more than there is takes everything, and so runs alone.

    Where there is no GPU, one token stands for it: programs that ask for one come one after the other.
    """

    def __init__(self, cpus: int, memory: Optional[int] = None, devices: Optional[list[str]] = None) -> None:
        self.devices = gpu_devices() if devices is None else devices
        self.total: Demand = (1000 * cpus, machine_memory() if memory is None else memory, len(self.devices) or 1)
        self.free, self.idle = self.total, list(self.devices)

    def share(self, demand: Demand) -> Demand:
        """What a unit takes while it runs."""
        if demand[0] > self.total[0] or demand[1] > self.total[1]:
            return (*self.total[:2], min(demand[2], self.total[2]))
        return demand[0], demand[1], min(demand[2], self.total[2])

    def fits(self, share: Demand, kept: Demand = NOTHING) -> bool:
        """Whether a share is free beside what is ``kept`` for those who came before."""
        free = self.free
        return (
            share[0] <= free[0] - kept[0]
            and (not share[1] or share[1] <= free[1] - kept[1])
            and (not share[2] or share[2] <= free[2] - kept[2])
        )

    def take(self, share: Demand) -> list[str]:
        """Take a share; its GPUs."""
        free = self.free
        self.free = (free[0] - share[0], free[1] - share[1], free[2] - share[2])
        return [self.idle.pop(0) for _ in range(min(share[2], len(self.idle)))]

    def give(self, share: Demand, devices: list[str]) -> None:
        """Give a share back."""
        free = self.free
        self.free = (free[0] + share[0], free[1] + share[1], free[2] + share[2])
        self.idle += devices


def more(one: Demand, other: Demand) -> Demand:
    """Two demands together."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def machine_memory() -> int:
    """Bytes of memory units may use together: the machine's, or this process's cgroup's if that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        with open("/proc/self/cgroup") as file:
            groups = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return total
    limits = [total]
    for _, controllers, path in groups:
        if controllers == "":
            places = ["/sys/fs/cgroup" + path, "/sys/fs/cgroup"]
            limits += [amount for place in places for amount in number(place + "/memory.max")]
        elif "memory" in controllers.split(","):
            places = ["/sys/fs/cgroup/memory" + path, "/sys/fs/cgroup/memory"]
            limits += [amount for place in places for amount in number(place + "/memory.limit_in_bytes")]
    return min(limits)


def number(path: str) -> list[int]:
    try:
        with open(path) as file:
            return [int(file.read())]
    except (OSError, ValueError):
        return []


def gpu_devices() -> list[str]:
    """NVIDIA GPUs by their index: those this process was given, or else all there are."""
    given = os.environb.get(DEVICES)
    if given is not None:
        return [word.strip() for word in os.fsdecode(given).split(",") if word.strip() not in ("", "-1")]
    return [str(index) for index in range(len(glob.glob("/dev/nvidia[0-9]*")))]
