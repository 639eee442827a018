"""A process that drives one job and belongs to no terminal: ``python -m trivet.workflows.background DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

from trivet.records.directory import JobDirectory
from trivet.runs.detaching import exit_code
from trivet.workflows.start import drive


def main() -> int:
    """Drive the job of the command line; the exit code."""
    return exit_code(lambda: drive(JobDirectory(Path(sys.argv[1]))), "job")


if __name__ == "__main__":
    sys.exit(main())
