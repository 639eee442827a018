"""What a cluster's login node says of itself and of the project folder: for people who set it up."""

from __future__ import annotations

import re
import shlex
from typing import Any

from trivet.engines.slurm.remote.login import Runner

_LOOK = (
    'cd -- "$1" || exit 3; shift; df -Pk . | tail -n 1; echo "+quota"; quota -w 2>/dev/null; echo "+python"; '
    '"$@" -c "import sys; print(sys.version.split()[0], sys.executable)" 2>&1; echo "+apptainer"; '
    "apptainer --version 2>/dev/null"
)


def facts(runner: Runner, python: str) -> dict[str, Any]:
    """As plain data; sizes in bytes. ``python`` is the command that starts the runner of jobs. Raises SlurmError."""
    login = runner.login
    said = runner.say(login.words(["sh", "-c", _LOOK, "sh", login.folder, *shlex.split(python)]))
    disk, _, rest = said.partition("+quota\n")
    quota, _, rest = rest.partition("+python\n")
    found, _, apptainer = rest.partition("+apptainer\n")
    numbers = re.search(r"\s(\d+)\s+\d+\s+(\d+)\s+\d+%", disk)
    version = found.strip().partition(" ")
    works = re.fullmatch(r"3\.\d+\.\d+\S*", version[0]) is not None
    return {
        "host": runner.connection.host,
        "folder": login.folder,
        "size": int(numbers[1]) * 1024 if numbers else None,
        "free": int(numbers[2]) * 1024 if numbers else None,
        "quota": quota.strip() or None,
        "python": {"version": version[0], "executable": version[2]} if works else None,
        "said": None if works else found.strip().splitlines()[-1:],
        "rsync": login.rsync is not None,
        "apptainer": apptainer.strip() or None,
    }
