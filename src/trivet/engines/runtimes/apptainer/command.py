"""From a container's invocation to the command that does the same by Apptainer. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from trivet.engines.confinement import CAPABILITIES
from trivet.engines.runtimes import request
from trivet.tasks.task import Environment
from trivet.tasks.work import Invocation, Mount

NAME = "apptainer"
IMAGE_LABEL = "trivet.image"
"""The label of a command that says the id of the image it runs."""

_GUARDED = ("/proc/sys", "/proc/sysrq-trigger", "/sys")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PASSED = "APPTAINERENV_"
_NO_SITE_BINDS = dict.fromkeys(("APPTAINER_BIND", "APPTAINER_BINDPATH", "SINGULARITY_BIND", "SINGULARITY_BINDPATH"), "")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who starts containers, and so who their programs run as.

    ``guarded``: files of the system that root in a container could write to, so that they are read-only there.
    """

    uid: int
    gid: int
    guarded: tuple[str, ...] = ()

    @classmethod
    def here(cls) -> Caller:
        """The user of this process."""
        guarded = tuple(path for path in _GUARDED if Path(path).exists()) if os.geteuid() == 0 else ()
        return cls(os.geteuid(), os.getegid(), guarded)


@dataclass(frozen=True, slots=True)
class Sif:
    """An image as a file. ``digest`` is the image's id, ``config`` what it says about its program (OCI Image Format,
    Image Configuration, `config`)."""

    path: str
    digest: str
    config: Mapping[str, Any]


def faults(invocation: Invocation, caller: Caller) -> Iterator[str]:
    """What can be known to be wrong before an image is looked for, but for the files of this machine."""
    yield from request.faults(invocation)
    if invocation.user not in (None, "", str(caller.uid), f"{caller.uid}:{caller.gid}"):
        yield (
            f"Apptainer runs a program as who starts it, here the user {caller.uid}:{caller.gid}, and not as "
            f"{invocation.user}; leave the user out, or use Docker or Podman"
        )
    for name, value in invocation.environment.items():
        if name and not _VARIABLE.fullmatch(name):
            yield f"Apptainer can't pass on the environment variable {name!r}: letters, digits and _ only"
        elif "\r" in value or not _is_text(value):
            yield f"Apptainer changes the value of the environment variable {name} (a carriage return, or no UTF-8)"


def as_command(invocation: Invocation, sif: Sif, caller: Caller, scratch: str | None = None) -> Invocation:
    """The invocation of a process of this machine that runs an image as a container runtime would.

    Command, arguments, variables and working directory of the image count as Docker has them; its user does not, since
    only root can become somebody else. The program sees the image, its mounts, and nothing else of this machine's
    files; what it writes elsewhere is in memory and lost, but what goes to /tmp, /var/tmp and a home of its own is
    below ``scratch``, an existing directory. Where it may not use the network it has none: a site that forbids
    this makes the command fail. Variables go by the environment, whose values no one else can read.
    """
    config = sif.config
    variables = _variables(config) | dict(invocation.environment)
    home = variables.pop("HOME", None)
    argv = [NAME, "--silent", "exec", "--containall", "--no-eval", "--writable-tmpfs", "--no-mount", "bind-paths"]
    if caller.uid == 0:
        argv += ["--no-privs", "--add-caps", ",".join(f"CAP_{name}" for name in CAPABILITIES)]
    if caller.uid == 0 or home is not None:
        argv.append("--no-home")  # what lies there in the image is seen
    if home is not None:
        argv += ["--home", home]
    if not invocation.network:
        argv += ["--net", "--network", "none"]
    if invocation.resources.gpus:
        argv.append("--nv")
    if scratch is not None:
        argv += ["--workdir", scratch]
    guarded = [Mount(path, path) for path in caller.guarded]
    for mount in (*guarded, *sorted(invocation.mounts, key=lambda one: len(PurePosixPath(one.target).parts))):
        argv += ["--mount", _mount(mount)]
    argv += ["--pwd", invocation.workdir or str(config.get("WorkingDir") or "/"), sif.path]
    return replace(
        invocation,
        program=Environment(),
        command=tuple(argv),
        args=starts(invocation, sif),
        environment={**_NO_SITE_BINDS, **{f"{_PASSED}{name}": value for name, value in variables.items()}},
        workdir=None,
        user=None,
        login=None,
        labels={**invocation.labels, IMAGE_LABEL: sif.digest},
        forwards=True,
    )


def starts(invocation: Invocation, sif: Sif) -> tuple[str, ...]:
    """What is started: a command replaces the image's entrypoint and its default arguments, arguments only these."""
    if invocation.command:
        return (*invocation.command, *invocation.args)
    entrypoint, default = (tuple(map(str, sif.config.get(key) or ())) for key in ("Entrypoint", "Cmd"))
    return (*entrypoint, *(invocation.args or default))


def _variables(config: Mapping[str, Any]) -> dict[str, str]:
    """The image's own variables, as far as Apptainer can pass them on; PATH as Docker sets it."""
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    pairs = (str(entry).partition("=") for entry in config.get("Env") or ())
    return path | {name: value for name, _, value in pairs if _VARIABLE.fullmatch(name)}


def _mount(mount: Mount) -> str:
    """A mount as a line of comma-separated values, the form that takes any path."""
    fields = [f"src={mount.source}", f"dst={mount.target}"]
    quoted = ['"' + field.replace('"', '""') + '"' for field in fields]
    return ",".join(["type=bind", *quoted, *([] if mount.writable else ["ro"])])


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
