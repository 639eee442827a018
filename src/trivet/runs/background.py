"""A process that drives one run and belongs to no terminal: ``python -m trivet.runs.background DIRECTORY``.

It reads the secrets of the call's document from its standard input, as JSON; nothing there means none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trivet.records.directory import RunDirectory
from trivet.runs.detaching import exit_code
from trivet.runs.start import drive


def main() -> int:
    """Drive the run of the command line; the exit code."""
    run = RunDirectory(Path(sys.argv[1]))
    return exit_code(lambda: drive(run, secrets=json.loads(sys.stdin.read() or "{}")), "run")


if __name__ == "__main__":
    sys.exit(main())
