"""The states of a run and the reasons why one ends badly: one vocabulary for every engine and contract."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where a run is. It only moves forward; the last three are final."""

    CREATED = "CREATED"
    PROVISIONED = "PROVISIONED"
    QUEUING = "QUEUING"
    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        return self in (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)


class Reason(StrEnum):
    """Why a unit or a run did not finish."""

    SUBMIT_ERROR = "submit_error"
    IMAGE_PULL = "image_pull"
    UNSCHEDULABLE = "unschedulable"
    OOM = "oom"
    EVICTED = "evicted"
    TIMEOUT = "timeout"
    EXIT_CODE = "exit_code"
    MISSING_OUTPUT = "missing_output"
    INVALID_OUTPUT = "invalid_output"
    UNMATCHED_OUTPUT = "unmatched_output"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def remedy(self) -> str:
        return _REMEDIES[self]

    @property
    def may_pass(self) -> bool:
        """True when the same unit may do better another time, at least with more memory or time."""
        return self in _PASSING


_PASSING = frozenset({Reason.EVICTED, Reason.LOST, Reason.OOM, Reason.TIMEOUT, Reason.IMAGE_PULL})

_REMEDIES = {
    Reason.SUBMIT_ERROR: "see the message of the engine above; `trivet doctor` tells what this machine can do",
    Reason.IMAGE_PULL: "check the image's name and your credentials, or build or load the image first",
    Reason.UNSCHEDULABLE: "ask for less memory, fewer CPUs or GPUs, or run it on a larger machine",
    Reason.OOM: "raise the task's memory limit, or give it smaller or fewer inputs",
    Reason.EVICTED: "the node took the unit away; run it again, or ask for the resources it really needs",
    Reason.TIMEOUT: "raise --time-limit, or give the task smaller inputs",
    Reason.EXIT_CODE: "read the task's log: `trivet logs RUN`",
    Reason.MISSING_OUTPUT: "the program ended well but did not write what it declares; read its log",
    Reason.INVALID_OUTPUT: "an output is not what the task's description allows, or has no room; see the message",
    Reason.UNMATCHED_OUTPUT: "outputs that must match differ in size; see the problems listed",
    Reason.CANCELLED: "",
    Reason.LOST: "the unit and what watched it died without a word (a restart of the machine?); run it again",
}
