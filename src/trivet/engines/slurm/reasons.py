"""SLURM's states and reasons in plain words: why a job waits, and what became of units whose job ended."""

from __future__ import annotations

from typing import NamedTuple

from trivet.engines.worker_words import STARTED_AGAIN, UNWRITABLE
from trivet.tasks.states import Reason

WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"})
ACTIVE = frozenset(
    {*WAITING, "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING", "SPECIAL_EXIT"}
)
"""States of jobs that are not over."""

UNKNOWN = "UNKNOWN"
"""What stands for the state of a job that SLURM does not know any more."""

_WHY = {
    "Resources": "waits until enough CPUs, memory or GPUs are free",
    "Priority": "waits behind jobs of higher priority",
    "None": "waits to be looked at by SLURM",
    "BeginTime": "may not start before a certain time",
    "Dependency": "waits for another job to end",
    "DependencyNeverSatisfied": "waits for ever: the job it depends on did not end as it should; cancel it",
    "PartitionTimeLimit": "waits for ever: it asks for more time than its partition allows; ask for less",
    "PartitionConfig": "waits for ever: it asks for more than its partition allows (time, nodes); ask for less",
    "PartitionNodeLimit": "waits for ever: it asks for more nodes than its partition has",
    "PartitionDown": "waits for its partition, which is down",
    "PartitionInactive": "waits for its partition, which is inactive",
    "NodeDown": "waits for a node that is down",
    "BadConstraints": "waits for ever: no node fulfils its constraints",
    "JobHeldUser": "is held by its user; `scontrol release {job}` lets it go",
    "JobHeldAdmin": "is held by an administrator of the cluster; ask there",
    "JobArrayTaskLimit": "waits for other parts of its array (--slots)",
    "Licenses": "waits for a licence",
    "Reservation": "waits for its reservation to begin",
    "ReqNodeNotAvail": "waits for nodes that are not available now (down, drained or reserved)",
    "Cleaning": "waits for its earlier start to be cleaned up",
    "InvalidAccount": "waits for ever: its account is not valid",
    "InvalidQOS": "waits for ever: its quality of service is not valid",
    "AccountNotAllowed": "waits for ever: its account may not use this partition",
    "QOSNotAllowed": "waits for ever: its quality of service may not use this partition",
    "launch failed requeued held": "is held after it could not be launched; ask an administrator of the cluster",
    "MaxRequeue": "is held: it was put back into the queue too often",
    "NonZeroExitCode": "is held after it failed",
    "SystemFailure": "waits after a failure of the cluster",
}
_BEGINNINGS = (
    ("Assoc", "waits for a limit of your account"),
    ("QOS", "waits for a limit of its quality of service"),
    ("MaxCpuPerAccount", "waits for a limit of your account"),
    ("Resv", "waits for a reservation"),
    ("Nodes_required", "waits for nodes that are down, drained or reserved for other partitions"),
)


def waiting(job: str, reason: str) -> str:
    """Why a job waits, in a sentence with SLURM's own word."""
    known = reason.replace(" ", "_").strip("()")
    plain = known.partition(",")[0]
    words = _WHY.get(plain) or _WHY.get(plain.replace("_", " "))
    words = words or next((text for begin, text in _BEGINNINGS if plain.startswith(begin)), "waits")
    return f"SLURM job {job} {words.format(job=job)} ({reason})"


def in_line(reason: str) -> bool:
    """Whether a job that waits for this stands in the queue: nothing is wrong, others come first."""
    return reason.strip("()") in ("Priority", "Resources", "None")


class Ending(NamedTuple):
    """What is said of a unit whose job ended before the unit did."""

    reason: Reason
    message: str


class Final(NamedTuple):
    """How a job ended: SLURM's state, its exit code where it was asked for, who cancelled it, and what it printed."""

    state: str
    exit_code: int | None = None
    by: str = ""
    said: str = ""


def ending(job: str, final: Final, started: bool) -> Ending:
    """What became of a unit of a job that is over: one that ran (``started``), or one that waited for its turn.

    Those that waited did nothing wrong: they were taken away.
    """
    state = final.state
    if state in _EVICTED:
        return Ending(Reason.EVICTED, f"{_EVICTED[state]} (SLURM job {job}: {state})")
    if state == "CANCELLED":
        by = f" by {final.by}" if final.by else ""
        return Ending(Reason.CANCELLED, f"SLURM job {job} was cancelled{by}, not by Trivet (CANCELLED)")
    if state in _LIMITS:
        reason, words = _LIMITS[state]
        if started:
            return Ending(reason, f"SLURM job {job} {words} ({state})")
        return Ending(Reason.EVICTED, f"its turn did not come: SLURM job {job} {words} ({state})")
    if final.exit_code == STARTED_AGAIN:
        return Ending(Reason.EVICTED, f"SLURM started job {job} a second time (requeue), which did nothing")
    if final.exit_code == UNWRITABLE:
        message = f"SLURM job {job} could not write its record: is the disk full, or a quota reached?"
        return Ending(Reason.LOST, f"{message}{_quoted(final.said)}")
    if state == UNKNOWN:
        return Ending(Reason.LOST, f"SLURM does not know job {job} any more, and the job left no word of it")
    if state == "COMPLETED":
        return Ending(Reason.LOST, f"SLURM job {job} is over (COMPLETED), and left no word of this unit")
    code = "" if final.exit_code is None else f", exit code {final.exit_code}"
    message = f"SLURM job {job} failed ({state}{code}){_quoted(final.said)}"
    return Ending(Reason.LOST if started else Reason.SUBMIT_ERROR, message)


_EVICTED = {
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node could not be started",
    "PREEMPTED": "it was preempted by a job that counts more",
    "REVOKED": "it was taken away",
    "REQUEUED": "it was put back into the queue; Trivet starts a unit anew only under another name",
}
_LIMITS = {
    "TIMEOUT": (Reason.TIMEOUT, "reached its time limit"),
    "DEADLINE": (Reason.TIMEOUT, "reached its deadline"),
    "OUT_OF_MEMORY": (Reason.OOM, "ran out of memory"),
}


def _quoted(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return ": " + " / ".join(lines[-3:])[-500:] if lines else ""
