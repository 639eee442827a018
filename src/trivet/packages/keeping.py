"""The life of collected packages: their environments given up, made again, all of it removed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.packages.custom import COMMAND, CUSTOM
from trivet.packages.installer import Say, Uv
from trivet.records.packages import PackageDirectory, workshop
from trivet.tasks.problem import Problem, ProblemsError


def deactivate(package: PackageDirectory) -> None:
    """Remove the environment and keep what is needed to make it again: the list of versions, the wheel.

    Raises ProblemsError for what could not be made again: then nothing is removed.
    """
    record = package.read()
    why = lasting(record)
    if why:
        hint = f"`trivet fractal remove {package.name}=={package.version}` forgets it for good"
        raise ProblemsError(
            [Problem("P006", f"{package.name} {package.version} can't be deactivated: {why}", hint=hint)]
        )
    if record["active"]:
        package.write({**record, "active": False})
    package.remove_venv()


def reactivate(package: PackageDirectory, home: Path, say: Say) -> None:
    """Make the environment again, with exactly the versions it had. Raises ProblemsError, InstallerError."""
    record = package.read()
    if package.active:
        return
    uv = Uv.find(say)
    same = record["interpreter"] if Path(record["interpreter"]).exists() else record["python"].rpartition(".")[0]
    with workshop(home) as shop:
        uv.environment(shop / "venv", same)
        say(f"installing {package.name} {package.version} again")
        uv.install(record["freeze"], shop / "venv", package.path)
        package.remove_venv()  # of one who was killed between the next two lines
        (shop / "venv").rename(package.venv)
    package.write({**record, "active": True})


def lasting(record: Mapping[str, Any]) -> str:
    """Why an environment can't be given up for a while; empty when it can be made again."""
    if record["origin"] in (CUSTOM, COMMAND):
        return "Trivet did not make its environment, and there is nothing to remove"
    if record["editable"]:
        return "its modules are in a directory under development, and nobody knows what they were"
    elsewhere = [line for line in record["freeze"].splitlines() if " @ " in line or line.startswith("-")]
    if elsewhere:
        return f"what is at this address may be something else by then: {', '.join(elsewhere)}"
    return ""
