"""A bundle's task survives in a run's record: read again, it has the same program."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from trivet.contracts import cytomine
from trivet.contracts.cytomine.bundle import open_bundle
from trivet.runs import record
from trivet.runs.options import Options
from trivet.tasks.call import bind


def test_a_recorded_call_of_a_bundle(good: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("a.tar", "x"), ("image.tar", "x"), ("descriptor.yml", json.dumps(good))):
            archive.writestr(name, text)
    [task] = cytomine.tasks(cytomine.read(open_bundle(path)))
    asked = json.loads(json.dumps(record.asked("run", bind(task, {}), Options(), 0.0)))
    path.unlink()
    call, _ = record.restore(asked)
    assert call.task.program == task.program
    assert call.task.program.member == "image.tar"
