"""A package of tasks whose processes are played: a manifest on disk, replies instead of scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import fractal
from trivet.contracts.source import Source, load
from trivet.tasks.call import Call, bind
from trivet.tasks.document import Document
from trivet.tasks.task import Task
from trivet.tasks.work import AttemptDirectory, Outcome, RunResult, Unit, UnitResult

FAIL, NO_FILE = "FAIL", "NOFILE"

MakePackage = Callable[..., Document]
Reply = Callable[[Unit, Mapping[str, Any]], Any]


@pytest.fixture
def package(tmp_path: Path) -> MakePackage:
    """Makes a package of the given task entries, with empty scripts, and reads its manifest."""

    def make(*entries: Mapping[str, Any], **top: Any) -> Document:
        root = tmp_path / "some_tasks"
        root.mkdir(exist_ok=True)
        (root / "__init__.py").touch()
        for entry in entries:
            for key, value in entry.items():
                if key.startswith("executable") and isinstance(value, str):
                    (root / value).touch()
        manifest = {"manifest_version": "2", "task_list": list(entries), **top}
        path = root / "__FRACTAL_MANIFEST__.json"
        path.write_text(json.dumps(manifest))
        return fractal.read(load(path))

    return make


@pytest.fixture
def read() -> Callable[[Any], Document]:
    """Reads a manifest that stands alone."""

    def read(data: Any) -> Document:
        text = data if isinstance(data, str) else json.dumps(data)
        return fractal.read(Source("__FRACTAL_MANIFEST__.json", text, Path("/nowhere")))

    return read


class Stage:
    """A run without processes: every unit is staged, its reply written where its output belongs, and collected."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started = 0
        self.arguments: list[dict[str, Any]] = []
        self.results: list[UnitResult] = []

    def play(self, call: Call, reply: Reply) -> RunResult:
        self.results, self.arguments = [], []
        phase, before = 0, list[UnitResult]()
        while (units := fractal.plan(call, phase, before)) is not None:
            before = [self._unit(call, unit, reply) for unit in units]
            self.results += before
            if not all(result.ok for result in before):
                break
            phase += 1
        return fractal.conclude(call, self.results)

    def _unit(self, call: Call, unit: Unit, reply: Reply) -> UnitResult:
        self.started += 1
        where = AttemptDirectory(f"run/{unit.name}/1", self.root / f"{self.started}" / unit.name / "1")
        invocation = fractal.stage(call, unit, where)
        words = dict(zip(invocation.args[::2], invocation.args[1::2], strict=True))
        arguments = json.loads(Path(words["--args-json"]).read_text())
        output = Path(words["--out-json"])
        assert not output.exists()
        self.arguments.append(arguments)
        answer = reply(unit, arguments)
        if answer == FAIL:
            return fractal.collect(call, unit, where, Outcome(1))
        if answer != NO_FILE:
            output.write_text(answer if isinstance(answer, str) else json.dumps(answer))
        return fractal.collect(call, unit, where, Outcome(0))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "work")


@pytest.fixture
def task_of(package: MakePackage) -> Callable[..., Task]:
    """The only task of a package with one entry."""

    def make(**entry: Any) -> Task:
        document = package({"name": "T", **entry})
        (task,) = fractal.tasks(document)
        return task

    return make


@pytest.fixture
def call_of(task_of: Callable[..., Task]) -> Callable[..., Call]:
    def make(entry: Mapping[str, Any], **values: Any) -> Call:
        return bind(task_of(**entry), values)

    return make
