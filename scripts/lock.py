"""Write requirements.lock: the versions and hashes of everything development needs, on every platform.

    python scripts/lock.py

Needs uv. No address of a registry gets into the file.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
OPTIONS = ("--all-extras", "--generate-hashes", "--universal", "--no-header", "--no-annotate", "--no-emit-index-url")


def development() -> list[str]:
    """What the group `dev` needs beside Trivet's own extras, which uv reads itself."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]

    def expanded(name: str) -> list[str]:
        found: list[str] = []
        for entry in groups[name]:
            found += expanded(entry["include-group"]) if isinstance(entry, dict) else [entry]
        return found

    return [requirement for requirement in expanded("dev") if not requirement.startswith("trivet")]


def main() -> int:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        print("uv is needed: pip install uv", file=sys.stderr)
        return 1
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(development()))
        file.flush()
        command = [uv, "pip", "compile", "pyproject.toml", file.name, *OPTIONS, "--python-version", "3.11"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return done.returncode
    if re.search(r"://|^-", done.stdout, re.MULTILINE):
        print("the lock would hold an address or an option; nothing was written", file=sys.stderr)
        return 1
    LOCK.write_text(done.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
