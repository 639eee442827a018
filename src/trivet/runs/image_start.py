"""What an image starts by itself, and as whom: from its archive, else from a container engine of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trivet.conversions.original import Original
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.task import ContainerImage, Task


def original_of(task: Task, argv: tuple[str, ...] = ()) -> Original:
    """The image of a task and what runs in it: ``argv``, or the task's own command, or what the image starts.

    Raises ProblemsError when nobody knows, or the task has no image.
    """
    program = task.program
    if not isinstance(program, ContainerImage) or not program.reference:
        hint = "give --image NAME"
        raise ProblemsError([Problem("X003", f"{task.name} names no image", hint=hint, file=task.document.origin)])
    argv = argv or task.command
    config, reasons, name = _config(program)
    if config is None and not argv:
        message = f"nobody knows what the image {program.reference} starts: {'; '.join(reasons)}"
        hint = "build or pull the image first, or give --entrypoint with its entrypoint and command"
        raise ProblemsError([Problem("X003", message, hint=hint, file=task.document.origin)])
    config = config or {}
    words = argv or (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))
    if not words:
        message = f"the image {program.reference} starts nothing: it has neither entrypoint nor command"
        raise ProblemsError([Problem("X003", message, hint="give --entrypoint", file=task.document.origin)])
    user = str(config.get("User") or "")
    return Original(name, words, "" if user in ("root", "0", "0:0", "root:root") else user)


def _config(program: ContainerImage) -> tuple[Mapping[str, Any] | None, list[str], str]:
    """The image's configuration (OCI Image Format, Image Configuration), or why nobody has it; and the image's name."""
    if program.archive is not None:
        from trivet.images.archive import ImageError, describe

        try:
            archive = f"{program.archive}!{program.member}" if program.member else program.archive
            image = describe(archive, program.reference)
        except ImageError as error:
            return None, [str(error)], program.reference
        return image.config.get("config") or {}, [], image.tags[0] if image.tags else program.reference
    from trivet.engines import EngineError, runtimes
    from trivet.engines.runtimes.api import ApiError, UnreachableError

    reasons = []
    for runtime in runtimes.DAEMONS:
        try:
            api, _, close = runtimes.open_api(runtime)
        except EngineError as error:
            reasons.append(str(error))
            continue
        try:
            found = api.image(program.reference) or api.image(f"localhost/{program.reference}")
            if found is not None:
                return found.get("Config") or {}, [], program.reference
            reasons.append(f"{runtime}: there is no image {program.reference}")
        except (ApiError, UnreachableError) as error:
            reasons.append(f"{runtime}: {error}")
        finally:
            close()
    return None, reasons, program.reference
