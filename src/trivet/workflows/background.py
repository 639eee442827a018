"""A process that drives one job and belongs to no terminal: ``python -m trivet.workflows.background DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

from trivet.engines import EngineError
from trivet.records.directory import JobDirectory
from trivet.records.journal import NotOwnerError
from trivet.workflows.start import drive


def main() -> int:
    """Exit 0 when the job is over or somebody else drives it, 1 when it can't be driven (the log says why)."""
    try:
        drive(JobDirectory(Path(sys.argv[1])))
    except NotOwnerError as error:
        print(error, file=sys.stderr)
    except (EngineError, OSError, ValueError) as error:
        print(f"this job can't be driven: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
