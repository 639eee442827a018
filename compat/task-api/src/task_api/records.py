"""The file by which later commands find a task that was started: ``task_run-<id>.pkl``, JSON by content.

It names the run, and says nothing else that could be believed: where runs are kept is the reader's own word, so that
a record from elsewhere leads to no directory of its choice.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from task_api.reading import refusal, text_file
from trivet.records import files, home
from trivet.records.directory import RunDirectory
from trivet.tasks.call import Call
from trivet.tasks.task import ContainerImage

FORMAT, VERSION = "task_api.task_run", 1
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}", re.ASCII)


def default_name(identifier: str) -> str:
    return f"task_run-{identifier}.pkl"


def write(path: Path, run: RunDirectory, call: Call, mode: str) -> None:
    """Write the record of a run for its owner's eyes only. It holds neither values nor passwords. Raises OSError."""
    program = call.task.program
    data = {
        "format": FORMAT,
        "version": VERSION,
        "id": run.id,
        "mode": mode,
        "name": call.task.name,
        "image": program.reference if isinstance(program, ContainerImage) else None,
        "home": str(home()),
    }
    files.write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n", mode=0o600)


def read(path: str) -> RunDirectory:
    """The run that a record names. Raises ProblemsError for what is no record, or a run that is gone."""
    source = text_file(path)
    data, problem = source.parsed
    if problem is not None or not isinstance(data, dict) or data.get("format") != FORMAT:
        why = f": {problem.message}" if problem is not None else ""
        raise refusal("A003", f"this is no record of a task run{why}", "give the file that `run` wrote", path)
    if data.get("version") != VERSION:
        message = f"the record has version {data.get('version')!r}; this tool reads {VERSION}"
        raise refusal("A003", message, "use the version of the tool that wrote it, or a later one", path)
    identifier = data.get("id")
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise refusal("A003", f"the record's id {identifier!r} can't be that of a run", "it was changed", path)
    run = RunDirectory(home() / "runs" / identifier)
    if not (run.path / "run.json").is_file():
        raise refusal("A004", f"there is no run {identifier} in {home()}", _elsewhere(data), path)
    return run


def _elsewhere(data: dict[str, Any]) -> str:
    if isinstance(data.get("home"), str) and data["home"] != str(home()):
        return f"it was started with TRIVET_HOME={data['home']}"
    return "it was removed, or the record is from another machine"
