"""What the worker asks of the operating system about processes that are not its own children."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Optional

ATTEMPT, ENGINE = b"TRIVET_ATTEMPT", b"TRIVET_ENGINE"
DEFAULTS = (int(signal.SIGPIPE), int(signal.SIGXFSZ))  # Python ignores these two; units must not inherit that


def exit_code(status: int) -> int:
    """The exit code, or minus the signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; False when nothing of it is left (macOS: or only a zombie)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def close_inherited() -> None:
    """Whoever waits for the end of a file the driver was given must not wait for its worker."""
    for name in os.listdir("/dev/fd") if os.path.isdir("/dev/fd") else ():
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass  # the directory just read


def birth(pid: int) -> Optional[int]:
    """When a process started, in clock ticks since boot: with its number it is unique. None where unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def attempt_of(pid: int, directory: str) -> Optional[str]:
    """The attempt a process was started for by a worker of this directory: every unit has it in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read().split(b"\0")
    except OSError:
        return None
    if ENGINE + b"=" + os.fsencode(directory) not in environment:
        return None
    prefix = ATTEMPT + b"="
    return next((os.fsdecode(entry[len(prefix) :]) for entry in environment if entry.startswith(prefix)), None)


def become_reaper() -> Optional[int]:
    """Inherit orphans of units (Linux), so that none escapes; the descriptor that lists this process's children."""
    path = f"/proc/self/task/{os.getpid()}/children"
    if not os.path.exists(path):
        return None
    import ctypes

    set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) != 0:
        return None
    return os.open(path, os.O_RDONLY)


def end_left_over(ids: set[str], started: list[Any], directory: str, patience: float = 5.0) -> None:
    """Kill what a dead worker's units left running (found through /proc), and wait until it is gone.

    A unit that was recorded as started is known by its process and that one's birth; one that was not yet, and what
    left its group, by the environment.
    """
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = False
        for _, _, pid, born, *_ in started:
            if born is not None and birth(pid) == born:
                found = signal_group(pid, signal.SIGKILL) or found
        for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
            if name.isdigit() and attempt_of(int(name), directory) in ids:
                kill(int(name))
                found = True
        if not found:
            return
        time.sleep(0.01)


def find_program(name: str, path: str) -> str:
    """The file of a program, looked up as a shell does. Raises LookupError with a sentence about it."""
    denied = False
    for directory in [""] if "/" in name else path.split(os.pathsep):
        candidate = os.path.join(directory, name)
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            denied = True
    if denied:
        raise LookupError(f"program {name!r} is not executable")
    raise LookupError(f"program {name!r} was not found" + ("" if "/" in name else " on PATH"))
