"""Docker keeps what every engine promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Engine
from trivet.engines.local import LocalEngine
from trivet.engines.runtimes import open_api
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import Invocation
from trivet.testing import EngineTests

pytestmark = pytest.mark.docker


class TestDocker(EngineTests):
    many = 20
    log_cap = 4 * 2**20
    queue_survives = False  # what has no container yet lives in the driver only
    signals_itself = False

    @pytest.fixture(autouse=True)
    def _image(self, docker: str, busybox: ContainerImage) -> None:
        self.runtime, self.image = docker, busybox

    def make(self, directory: Path) -> Engine:
        return LocalEngine(directory, slots=2, runtime=self.runtime, log_cap=self.log_cap)

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        return Invocation(self.image, argv, **{"network": False, **fields})

    def leftovers(self, directory: Path) -> list[str]:
        api, _, release = open_api(self.runtime)
        names = [name for one in api.containers(f"trivet.directory={directory}") for name in one["Names"]]
        release()
        return names
