"""A wheel with a manifest: whether its scripts can be read out of it."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.contracts.fractal.manifest import NON_PARALLEL, PARALLEL
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem

PIECE = 1024 * 1024


def verify(document: Document) -> Iterator[Problem]:
    """What is wrong with the scripts in a wheel, each read to its last byte (missing ones are told by the rules)."""
    from zipfile import BadZipFile, ZipFile
    from zlib import error as ZlibError

    archive = document.model.archive
    if archive is None or not isinstance(document.data, dict):
        return
    folder = document.origin.removeprefix(f"{archive}/").rpartition("/")[0]
    keys = ("executable", f"executable_{NON_PARALLEL}", f"executable_{PARALLEL}")
    tasks = document.data.get("task_list")
    entries = [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
    named = (task[key] for task in entries for key in keys if isinstance(task.get(key), str))
    try:
        with ZipFile(archive) as wheel:
            members = set(wheel.namelist())
            for executable in dict.fromkeys(named):
                member = f"{folder}/{executable.removeprefix('./')}"
                if member not in members:
                    continue
                try:
                    with wheel.open(member) as file:
                        size = 0
                        while piece := file.read(PIECE):
                            size += len(piece)
                except (OSError, BadZipFile, EOFError, NotImplementedError, RuntimeError, ZlibError) as error:
                    yield Problem("F024", f"`{executable}` can't be read from the wheel: {error}", file=str(archive))
                    continue
                if size == 0:
                    yield Problem("F024", f"`{executable}` is empty in the wheel", file=str(archive))
    except (OSError, BadZipFile) as error:
        yield Problem("F024", f"the wheel can't be read: {error}", file=str(archive))
