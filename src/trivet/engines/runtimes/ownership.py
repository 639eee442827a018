"""Results belong to whoever started the run, whoever wrote them in the container."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trivet.engines.runtimes.api import Api, ApiError, UnreachableError
from trivet.engines.runtimes.request import RUN_LABEL

_ROOT = ("", "0", "root")


def give_back(api: Api, details: Mapping[str, Any], below: Path, rootless: bool) -> str:
    """Let the writable directories of an ended container below ``below`` belong to this user, with all that is in them.

    ``details`` is the daemon's answer to ContainerInspect. Root does it by itself; for others the daemon does, by
    another container of the same image, whose chown is used. Returns what is to be said when that can't be, else "".
    """
    user = str(details["Config"].get("User") or "").partition(":")[0]
    own = "0" if rootless else str(os.geteuid())
    if user == own or (user in _ROOT and own == "0"):
        return ""
    sources = [
        str(mount["Source"])
        for mount in details.get("Mounts") or ()
        if mount.get("Type") == "bind" and mount.get("RW") and Path(mount["Source"]).is_relative_to(below)
    ]
    strange = [source for source in sources if any(_foreign(source))]
    if not strange:
        return ""
    try:
        if os.geteuid() == 0 and not rootless:
            for source in strange:
                for path in _foreign(source):
                    os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
            return ""
        return _by_container(api, details, strange, "0:0" if rootless else f"{os.geteuid()}:{os.getegid()}")
    except (OSError, ApiError, UnreachableError) as error:
        return _refused(str(error))


def user_inside(user: str | None, rootless: bool) -> str | None:
    """A user of this machine as the container knows them: whoever runs a rootless engine is root in its containers."""
    return "0:0" if rootless and user == f"{os.getuid()}:{os.getgid()}" else user


def _foreign(directory: str) -> Iterator[str]:
    """Everything in a directory, and itself, that belongs to somebody else; what can't be looked into does."""
    me = os.geteuid()
    left = [directory]
    if os.lstat(directory).st_uid != me:
        yield directory
    while left:
        directory = left.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.stat(follow_symlinks=False).st_uid != me:
                        yield entry.path
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
        except PermissionError:
            yield directory


def _by_container(api: Api, details: Mapping[str, Any], sources: Sequence[str], owner: str) -> str:
    places = [f"/{number}" for number in range(len(sources))]
    body = {
        "Image": details["Image"],
        "User": "0:0",
        "Entrypoint": ["chown", "-R", "-h", owner, *places],
        "Cmd": [],
        "Labels": {RUN_LABEL: (details["Config"].get("Labels") or {}).get(RUN_LABEL, "")},
        "HostConfig": {
            "Binds": [],
            "Mounts": [
                {"Type": "bind", "Source": source, "Target": place, "ReadOnly": False}
                for source, place in zip(sources, places, strict=True)
            ],
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
            "SecurityOpt": ["no-new-privileges"],
        },
    }
    helper = api.call("POST", "/containers/create", body=body)["Id"]
    try:
        api.start(helper)
        api.wait(helper)
        ended = api.inspect(helper)
        return "" if ended is not None and ended["State"]["ExitCode"] == 0 else _refused("chown failed")
    finally:
        with suppress(ApiError, UnreachableError):
            api.remove(helper)


def _refused(why: str) -> str:
    return f"some results belong to the user of the container and not to you ({why}); `--user caller` avoids it"
