"""Processes that drive a run or a job and belong to no terminal: how they are started, and how they end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from trivet.engines import EngineError
from trivet.records.directory import OwnedDirectory
from trivet.records.journal import NotOwnerError


def detached(module: str, directory: OwnedDirectory, stdin: int) -> subprocess.Popen[bytes]:
    """Start ``python -m module DIRECTORY``, whose words go to the directory's ``driver.log``. Raises OSError."""
    directory.logs.mkdir(exist_ok=True)
    with (directory.logs / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(directory.path)],
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


def exit_code(drive: Callable[[], object], what: str) -> int:
    """Drive; 0 when it is over or somebody else drives it, 1 when it can't be driven (stderr says why)."""
    try:
        drive()
    except NotOwnerError as error:
        print(error, file=sys.stderr)
    except (EngineError, OSError, ValueError) as error:
        print(f"this {what} can't be driven: {error}", file=sys.stderr)
        return 1
    return 0
