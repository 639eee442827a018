"""A process that drives one run and belongs to no terminal: ``python -m trivet.runs.background DIRECTORY``.

It reads the secrets of the call's document from its standard input, as JSON; nothing there means none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trivet.engines import EngineError
from trivet.records.directory import RunDirectory
from trivet.records.journal import NotOwnerError
from trivet.runs.start import drive


def main() -> int:
    """Exit 0 when the run is over or somebody else drives it, 1 when it can't be driven (the log says why)."""
    try:
        drive(RunDirectory(Path(sys.argv[1])), secrets=json.loads(sys.stdin.read() or "{}"))
    except NotOwnerError as error:
        print(error, file=sys.stderr)
    except (EngineError, OSError, ValueError) as error:
        print(f"this run can't be driven: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
