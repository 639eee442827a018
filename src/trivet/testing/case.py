"""What tests of an engine build on: how it is made, what it is asked to run, what is looked at afterwards."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from trivet.engines import Attempt, Engine
from trivet.tasks.work import AttemptId, Invocation, Mount, Outcome
from trivet.testing.watching import PATIENCE, Gate, Sign, Watch


class EngineCase:
    """Fixtures and helpers; `make` and `invocation` are the engine's own, the attributes say what it can't do.

    Programs are ``sh`` scripts and the commands of busybox. The engine is made for a directory and must find there
    (or at its service) what an engine made for it before has started.
    """

    many = 1000
    """How many units `test_many` starts."""

    log_cap: int | None = None
    """The size a log is cut to in the engines of `make`, at least 4 MiB; None: not limited."""

    queue_survives = True
    """Units that were accepted, but not started, run although the driver dies."""

    signals_itself = True
    """The first process of a unit can send itself a deadly signal (the first one of a container can't)."""

    def make(self, directory: Path) -> Engine:
        """A new engine that keeps what it must remember in ``directory``, with a few slots only."""
        raise NotImplementedError

    def invocation(self, *argv: str, **fields: Any) -> Invocation:
        """That command, in an image or environment which has ``sh`` and the usual commands."""
        raise NotImplementedError

    def leftovers(self, directory: Path) -> list[str]:
        """Processes or containers of this directory's engines that still exist."""
        return []

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        path = tmp_path / "engine"
        path.mkdir()
        return path

    @pytest.fixture
    def shared(self, tmp_path: Path) -> Path:
        """A directory that units see under the same name, and may write to (`seeing`)."""
        path = tmp_path / "shared"
        path.mkdir()
        path.chmod(0o777)
        return path

    @pytest.fixture
    def engine(self, directory: Path) -> Iterator[Engine]:
        engine = self.make(directory)
        yield engine
        engine.close()

    @pytest.fixture
    def watch(self, engine: Engine) -> Watch:
        return Watch(engine)

    @pytest.fixture
    def sign(self, shared: Path) -> Iterator[Sign]:
        sign = Sign(shared / "sign")
        yield sign
        sign.close()

    @pytest.fixture
    def gate(self, shared: Path) -> Iterator[Gate]:
        gate = Gate(shared / "gate")
        yield gate
        gate.close()

    @pytest.fixture
    def other_gate(self, shared: Path) -> Iterator[Gate]:
        gate = Gate(shared / "other-gate")
        yield gate
        gate.close()

    def script(self, id: str, text: str, *args: str, **fields: Any) -> Attempt:
        """An attempt that runs a shell script."""
        return Attempt(id, self.invocation("sh", "-c", text, "sh", *args, **fields))

    @staticmethod
    def seeing(path: Path) -> dict[str, Any]:
        return {"mounts": (Mount(str(path), str(path), writable=True),)}

    @staticmethod
    def log(directory: Path, outcome: Outcome) -> bytes:
        """What the unit wrote."""
        if outcome.log is None:
            return b""
        with open(directory / outcome.log.path, "rb") as file:
            file.seek(outcome.log.offset)
            return file.read(outcome.log.length)

    def outcome(self, watch: Watch, text: str, *args: str, **fields: Any) -> Outcome:
        """Run one script to its end."""
        id = f"run/unit-{len(watch.seen)}/1"
        watch.engine.submit([self.script(id, text, *args, **fields)])
        return watch.ended(id)[0]

    def dead_driver(
        self,
        directory: Path,
        ended: Sequence[Attempt] = (),
        started: Sequence[Attempt] = (),
        accepted: Sequence[Attempt] = (),
    ) -> dict[AttemptId, str | None]:
        """Let another process drive these attempts so far, kill it, and return their handles."""
        fork = multiprocessing.get_context("fork")
        here, there = fork.Pipe()
        driver = fork.Process(target=self._drive, args=(directory, ended, started, accepted, there), daemon=True)
        driver.start()
        there.close()
        try:
            assert here.poll(PATIENCE), "the driver that is to be killed did not get so far"
            handles: dict[AttemptId, str | None] = here.recv()
        finally:
            if driver.pid is not None:
                os.kill(driver.pid, signal.SIGKILL)
            driver.join()
        return handles

    def _drive(
        self,
        directory: Path,
        ended: Sequence[Attempt],
        started: Sequence[Attempt],
        accepted: Sequence[Attempt],
        there: Connection,
    ) -> None:
        engine = self.make(directory)
        watch = Watch(engine)
        for attempts, reached in ((ended, watch.ended), (started, watch.started), (accepted, watch.accepted)):
            engine.submit(attempts)
            reached(*(attempt.id for attempt in attempts))
        there.send(watch.accepted(*watch.seen))
        signal.pause()
