"""What is asked of the daemon for one attempt: the container's name, labels and limits. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from trivet.engines.confinement import CAPABILITIES
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptId, Invocation, Mount

RUN_LABEL = "trivet.run"
ATTEMPT_LABEL = "trivet.attempt"
DIRECTORY_LABEL = "trivet.directory"
TASK_LABEL = "trivet.task"
_LOG_LABEL = "trivet.log"
_OFFSET_LABEL = "trivet.log-offset"
_LIMIT_LABEL = "trivet.time-limit"
_GRACE_LABEL = "trivet.grace"

_NAME_LENGTH = 63
_PIDS = 4096
_SHARED_MEMORY = 2**30


@dataclass(frozen=True, slots=True)
class Terms:
    """What must be known of an attempt after its driver died: kept in the container's labels.

    ``log`` is the log's path, relative to the run's ``directory`` where it is below it, and ``offset`` where it begins
    in this file; ``time_limit`` and ``grace`` in seconds.
    """

    attempt: AttemptId
    directory: str
    log: str
    offset: int
    time_limit: float | None
    grace: float

    def labels(self) -> dict[str, str]:
        """The labels of the container."""
        labels = {
            RUN_LABEL: self.attempt.split("/", 1)[0],
            ATTEMPT_LABEL: self.attempt,
            DIRECTORY_LABEL: self.directory,
            _LOG_LABEL: self.log,
            _OFFSET_LABEL: str(self.offset),
            _GRACE_LABEL: repr(self.grace),
        }
        return labels if self.time_limit is None else labels | {_LIMIT_LABEL: repr(self.time_limit)}

    @classmethod
    def read(cls, labels: Mapping[str, str]) -> Terms:
        """The inverse of `labels`; raises KeyError or ValueError for the labels of something else."""
        limit = labels.get(_LIMIT_LABEL)
        return cls(
            attempt=labels[ATTEMPT_LABEL],
            directory=labels[DIRECTORY_LABEL],
            log=labels[_LOG_LABEL],
            offset=int(labels[_OFFSET_LABEL]),
            time_limit=None if limit is None else float(limit),
            grace=float(labels[_GRACE_LABEL]),
        )


def container_name(attempt: AttemptId, owner: str) -> str:
    """The one name of an attempt's container: valid as a host name, at most 63 characters.

    ``owner`` keeps apart the runs of all users and machines that may share a daemon and call their attempts the same.
    """
    digest = hashlib.sha256(f"{owner}/{attempt}".encode()).hexdigest()[:12]
    room = _NAME_LENGTH - len("trivet--") - len(digest)
    words = re.sub(r"[^a-z0-9]+", "-", attempt.lower()).strip("-")[:room].strip("-")
    return f"trivet-{words}-{digest}" if words else f"trivet-{digest}"


def log_name(attempt: AttemptId) -> str:
    """Where an attempt's log goes when nobody chose, below the run's directory; a first attempt needs no number."""
    _, unit, number = (["", *attempt.split("/")])[-3:] if attempt.count("/") < 2 else attempt.rsplit("/", 2)
    return f"logs/{unit}.log" if number in ("", "0", "1") else f"logs/{unit}.{number}.log"


def faults(invocation: Invocation) -> Iterator[str]:
    """What can be known to be wrong before anything is created, but for the files of this machine."""
    if not isinstance(invocation.program, ContainerImage):
        yield "the task's program is not a container image; run it without --runtime"
    elif not invocation.program.reference and not invocation.program.archive:
        yield "the task names no image; give one (--image NAME)"
    targets: dict[PurePosixPath, str] = {}
    for mount in invocation.mounts:
        target = PurePosixPath(mount.target)
        if not mount.source.startswith("/"):
            yield f"the mounted path {mount.source!r} is not absolute"
        if not target.is_absolute() or ".." in target.parts:
            yield f"the mount point {mount.target!r} is not an absolute path in the container"
        elif target in targets:
            yield f"{mount.source} and {targets[target]} are both mounted at {mount.target}"
        targets[target] = mount.source
    for name, value in invocation.environment.items():
        if not name or "=" in name or "\0" in name + value:
            yield f"{name!r} can't be the name (or has no possible value) of an environment variable"


def creation(
    invocation: Invocation, image: str, terms: Terms, *, parent: str | None, cpus: int | None, podman: bool
) -> dict[str, Any]:
    """The body of the request that creates a container (Docker Engine API, ContainerCreate).

    ``image`` is an image's id, ``parent`` the control group to start it in, ``cpus`` how many CPUs the machine has: a
    limit beyond that is none. The log driver is one that keeps every byte (Docker's default replaces what is no UTF-8).
    """
    needs = invocation.resources
    host: dict[str, Any] = {
        **_mounts(invocation.mounts, podman),
        "NetworkMode": "default" if invocation.network else "none",
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": _PIDS,
        "ShmSize": needs.memory or _SHARED_MEMORY,
        "LogConfig": {"Type": "k8s-file" if podman else "local", "Config": {"max-size": "128m"}},
        "AutoRemove": False,
    }
    if needs.memory is not None:
        host |= {"Memory": needs.memory, "MemorySwap": needs.memory}
    if needs.cpus is not None and (cpus is None or needs.cpus < cpus):
        host["NanoCpus"] = round(needs.cpus * 1e9)
    if needs.gpus:
        host["DeviceRequests"] = [{"Count": needs.gpus, "Capabilities": [["gpu"]]}]
    if parent is not None:
        host["CgroupParent"] = parent
    body: dict[str, Any] = {
        "Image": image,
        "Env": [f"{name}={value}" for name, value in invocation.environment.items()],
        "Labels": {**invocation.labels, **_title(invocation.title), **terms.labels()},
        "HostConfig": host,
    }
    if invocation.command:
        body["Entrypoint"] = list(invocation.command)
    if invocation.command or invocation.args:
        body["Cmd"] = list(invocation.args)
    if invocation.workdir:
        body["WorkingDir"] = invocation.workdir
    if invocation.user:
        body["User"] = invocation.user
    return body


def _title(title: str) -> dict[str, str]:
    return {TASK_LABEL: title} if title else {}


def _mounts(mounts: Sequence[Mount], podman: bool) -> dict[str, Any]:
    """Mounts in the form that never makes a missing source; Podman stumbles over commas in them, so it gets binds."""
    modern = [one for one in mounts if not podman or ":" in one.source + one.target]
    binds = [f"{one.source}:{one.target}:{'rw' if one.writable else 'ro'}" for one in mounts if one not in modern]
    return {
        "Binds": binds,
        "Mounts": [
            {"Type": "bind", "Source": one.source, "Target": one.target, "ReadOnly": not one.writable} for one in modern
        ],
    }
