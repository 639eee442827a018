"""Apptainer keeps what every engine promises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Engine
from trivet.engines.local import LocalEngine
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Invocation
from trivet.testing import EngineTests

pytestmark = pytest.mark.apptainer


class TestApptainer(EngineTests):
    many = 20
    log_cap = 4 * 2**20

    @pytest.fixture(autouse=True)
    def _image(self, apptainer: str, busybox: ContainerImage, sifs: Path) -> None:
        self.runtime, self.image, self.sifs = apptainer, busybox, sifs

    def make(self, directory: Path) -> Engine:
        return LocalEngine(directory, slots=2, runtime=self.runtime, log_cap=self.log_cap, sifs=self.sifs)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(self.image, argv, **{"network": False, **fields})

    def leftovers(self, directory: Path) -> list[str]:
        """Processes whose command or environment names the directory, and its scratch directories."""
        found = [str(path) for path in directory.glob("scratch/*")]
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                except OSError:
                    continue
                if os.fsencode(directory) in said:
                    found.append(process.name)
        return found
