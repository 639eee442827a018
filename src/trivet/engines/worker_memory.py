"""Memory limits of the worker's units: a cgroup of their own where that is allowed, else samples of /proc."""

from __future__ import annotations

import glob
import os
import zlib
from typing import Any, Iterator, Optional

JOIN = 'echo $$ > "$0" && exec "$@"'
ENTRIES = {  # version: its limit, its limit of memory and swap, its peak, its count of kills
    1: ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
    2: ("memory.max", "memory.swap.max", "memory.peak", "memory.events"),
}


class Limits:
    """Makes limits, each for one unit, in the best way this machine allows."""

    def __init__(self, directory: str) -> None:
        self.prefix = f"trivet-{zlib.crc32(os.fsencode(directory)):08x}"
        self.count = 0
        self.parent, self.version = self._usable()

    def _usable(self) -> tuple[Optional[str], int]:
        """A cgroup in which processes may be limited, proven by putting one there."""
        for path, version in candidates():
            try:
                group = Cgroup(os.path.join(path, f"{self.prefix}-probe"), version, 1 << 30)
            except OSError:
                continue
            argv = group.wrap(["/bin/sh", "-c", "exit 42"])
            status = os.waitpid(os.posix_spawn(argv[0], argv, os.environ), 0)[1]
            group.remove()
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 42:
                return path, version
        return None, 0

    def limit(self, amount: int) -> Any:
        """A limit of ``amount`` bytes for the next unit."""
        if self.parent is None:
            return Sampled(amount)
        self.count += 1
        return Cgroup(os.path.join(self.parent, f"{self.prefix}-{os.getpid()}-{self.count}"), self.version, amount)

    def sweep(self) -> None:
        """Remove what a worker that died left."""
        for path in glob.glob(os.path.join(self.parent, self.prefix + "-*")) if self.parent else ():
            try:
                os.rmdir(path)
            except OSError:
                pass


class Cgroup:
    """A limit kept by the kernel."""

    sampled = False

    def __init__(self, path: str, version: int, limit: int) -> None:
        self.path, self.version, self.limit = path, version, limit
        maximum, swap, self.peak, self.kills = ENTRIES[version]
        try:
            os.mkdir(path)
        except FileExistsError:
            pass
        try:
            self._write(maximum, str(limit))
        except OSError:
            self.remove()
            raise
        try:
            self._write(swap, str(limit) if version == 1 else "0")
        except OSError:
            pass  # no accounting of swap
        if version == 2:
            self._write("memory.oom.group", "1")

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.path, name), "w") as file:
            file.write(text)

    def _read(self, name: str) -> list[str]:
        try:
            with open(os.path.join(self.path, name)) as file:
                return file.read().split()
        except OSError:
            return []

    @property
    def entrance(self) -> str:
        """The file by which a process joins the group."""
        return os.path.join(self.path, "cgroup.procs")

    def wrap(self, argv: list[str]) -> list[str]:
        """The command that joins the group and becomes the unit's own."""
        return ["/bin/sh", "-c", JOIN, self.entrance, *argv]

    def finish(self, fallback: int) -> tuple[int, str, bool]:
        """Peak memory in bytes, how it was measured, and whether the limit killed; ``fallback`` is rusage's peak."""
        peak, kills = self._read(self.peak), self._read(self.kills)
        killed = "oom_kill" in kills and int(kills[kills.index("oom_kill") + 1]) > 0
        self.remove()
        if not peak:
            return fallback, "rusage (largest process)", killed
        return int(peak[0]), f"cgroup v{self.version}", killed

    def remove(self) -> None:
        try:
            os.rmdir(self.path)
        except OSError:
            pass  # swept with the next start


class Sampled:
    """A limit kept by looking from time to time."""

    sampled, entrance = True, ""

    def __init__(self, limit: int) -> None:
        self.limit, self.highest, self.killed = limit, 0, False

    def wrap(self, argv: list[str]) -> list[str]:
        return argv

    def exceeded(self, group: int) -> bool:
        """Whether the processes of that group (or session) together hold more than the limit now."""
        used = group_memory(group)
        self.highest = max(self.highest, used)
        self.killed = self.killed or used > self.limit
        return used > self.limit

    def finish(self, fallback: int) -> tuple[int, str, bool]:
        """As for `Cgroup`."""
        if self.highest > fallback:
            return self.highest, "sampled", self.killed
        return fallback, "rusage (largest process)", self.killed


def group_memory(group: int) -> int:
    """Resident bytes of all processes of a session or process group; 0 where there is no /proc."""
    total, page = 0, os.sysconf("SC_PAGE_SIZE")
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if group in (int(fields[2]), int(fields[3])):
                total += int(fields[21]) * page
    return total


def own_groups() -> Iterator[tuple[str, str, int]]:
    """The cgroups with memory that this process is in: directory, mount point, version of the hierarchy."""
    try:
        with open("/proc/self/cgroup") as file:
            own = [line.rstrip("\n").split(":", 2) for line in file]
        with open("/proc/self/mountinfo") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return
    for fields in mounts:
        root, mount, kind, options = fields[3], fields[4], fields[fields.index("-") + 1], fields[-1].split(",")
        for _, controllers, path in own:
            inside = path[len(root) :] if root != "/" and path.startswith(root) else path
            where = mount + inside.rstrip("/")
            if kind == "cgroup" and "memory" in options and "memory" in controllers.split(","):
                yield where, mount, 1
            elif kind == "cgroup2" and controllers == "":
                yield where, mount, 2


def candidates() -> list[tuple[str, int]]:
    """Cgroup directories of this process under which others may be made, with the version of the hierarchy.

    In version 2 a group that holds processes can't limit its children: there it is the group above, where it is
    delegated and this process's own group sets no limit that would be escaped.
    """
    found: list[tuple[str, int]] = []
    for where, mount, version in own_groups():
        found += [(where, 1)] if version == 1 else [(path, 2) for path in delegated(where, mount)]
    return found


def kill_counts() -> list[str]:
    """The files that tell how many processes the kernel has killed for want of memory in the cgroup of this one."""
    return [os.path.join(where, ENTRIES[version][3]) for where, _, version in own_groups()]


def kills(counts: list[str]) -> int:
    """How many that are by now; 0 where it can't be told."""
    total = 0
    for path in counts:
        try:
            with open(path) as file:
                words = file.read().split()
        except OSError:
            continue
        total += int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
    return total


def delegated(own: str, mount: str) -> list[str]:
    """Version 2: the group itself or the one above, if it passes the memory controller on."""

    def read(path: str) -> list[str]:
        try:
            with open(path) as file:
                return file.read().split()
        except OSError:
            return []

    limited = read(os.path.join(own, "memory.max")) not in ([], ["max"])
    groups = [own] if limited or own == mount else [own, os.path.dirname(own)]
    return [group for group in groups if "memory" in read(os.path.join(group, "cgroup.subtree_control"))]
