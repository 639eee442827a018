"""Size and SHA-256 of a call's input files, measured beside the run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from trivet.records import files
from trivet.tasks.call import Call
from trivet.tasks.values import file_refs


class MeasuredInputs:
    """What is known of every input file, by the name of its input; begun at once, in a thread of its own."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._facts: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._measure, name="inputs", daemon=True)
        self._thread.start()

    def facts(self) -> dict[str, Any]:
        """All of it, waiting until it is complete; a file that can't be read has a ``problem``."""
        self._thread.join()
        return self._facts

    def _measure(self) -> None:
        for name, value in self._call.values.items():
            for ref in file_refs(value):
                try:
                    facts = files.measure(Path(ref.path))
                except OSError as error:
                    facts = {"problem": str(error)}
                self._facts.setdefault(name, []).append({"path": ref.path, **facts})
