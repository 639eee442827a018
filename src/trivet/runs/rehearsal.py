"""A dry run: what would be started for a call, in the words of the engine, without starting or asking anything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from trivet.contracts import contract
from trivet.engines import Attempt
from trivet.records import home
from trivet.runs.options import Options
from trivet.runs.start import KUBERNETES, SLURM, faults
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import ContainerImage
from trivet.tasks.work import AttemptDirectory

RUN = "dry-run"
"""What stands for the run's identifier: the real one comes into being with the run."""

Document = dict[str, Any]


class Rehearsal(NamedTuple):
    """What would be started for one unit, as plain data, and what staging has to say of it."""

    unit: str
    documents: tuple[Document, ...]
    notes: tuple[Problem, ...]


def rehearse(call: Call, options: Options, show_secrets: bool = False) -> Iterator[Rehearsal]:
    """Every unit of the call's first phase (later ones depend on its results); on a cluster the jobs they are in, too.

    Staging writes to a temporary directory, and the documents have the run's in its place. Passwords are ``***``
    unless they are to be shown. Raises ProblemsError, and OSError when nothing can be written.
    """
    problems = faults(call, options)
    if has_errors(problems):
        raise ProblemsError(problems)
    room = contract(call.task.contract)
    attempts: list[Attempt] = []
    with tempfile.TemporaryDirectory(prefix="trivet-") as place:
        for unit in room.plan(call, 0, ()) or ():
            root = Path(place) / "work" / unit.name / "1"
            where = AttemptDirectory(f"{RUN}/{unit.name}/1", root, cache=Path(place) / "cache")
            invocation = options.applied(room.stage(call, unit, where))
            attempt = Attempt(where.attempt, invocation)
            if options.engine == SLURM:
                attempts.append(attempt)
                documents = _here(attempt, replace(options, runtime="apptainer"))
            elif options.engine == KUBERNETES:
                documents = _on_kubernetes(attempt, show_secrets)
            else:
                documents = _here(attempt, options)
            shown = tuple(
                _moved(_moved(document, f"{place}/cache", str(home() / "cache")), place, str(home() / "runs" / RUN))
                for document in documents
            )
            yield Rehearsal(unit.name, shown, invocation.notes)
        if attempts:
            from trivet.runs.on_slurm import rehearsed

            yield Rehearsal("", tuple(rehearsed(attempts, options, str(home() / "runs" / RUN))), ())


def _on_kubernetes(attempt: Attempt, show_secrets: bool) -> list[Document]:
    from trivet.engines import kubernetes

    found = [Problem("B019", fault) for fault in kubernetes.faults(attempt.invocation)]
    if found:
        raise ProblemsError(found)
    documents = kubernetes.objects(attempt)
    return documents if show_secrets else [kubernetes.masked(document) for document in documents]


def _here(attempt: Attempt, options: Options) -> list[Document]:
    if isinstance(attempt.invocation.program, ContainerImage):
        if options.runtime != "apptainer":
            return [_container(attempt, options)]
        attempt = _by_apptainer(attempt)
    from trivet.engines.messages import batches

    [(common, [(_, argv, directory, _)])] = batches([attempt], "/")
    return [{"kind": "Process", "argv": list(argv), "directory": directory, **common}]


def _container(attempt: Attempt, options: Options) -> Document:
    from trivet.engines.runtimes import request

    invocation, program = attempt.invocation, attempt.invocation.program
    assert isinstance(program, ContainerImage)  # noqa: S101 (asked by the caller)
    found = [Problem("B019", fault) for fault in request.faults(invocation)]
    if found:
        raise ProblemsError(found)
    terms = request.Terms(attempt.id, str(home() / "runs" / RUN), "", 0, invocation.time_limit, invocation.grace)
    runtime = options.runtime or "docker"
    image = program.reference or f"the image in {program.archive}"
    body = request.creation(invocation, image, terms, parent=None, cpus=os.cpu_count(), podman=runtime == "podman")
    return {"kind": "Container", "runtime": runtime, "name": request.container_name(attempt.id, RUN), **body}


def _by_apptainer(attempt: Attempt) -> Attempt:
    """The attempt as a command. An image that can't be looked into now is taken for one that says nothing."""
    from trivet.engines.runtimes.api import ApiError, UnreachableError
    from trivet.engines.runtimes.apptainer import sources
    from trivet.engines.runtimes.apptainer.command import Caller, Sif, as_command, faults
    from trivet.engines.runtimes.library import ImageUnavailableError
    from trivet.images.archive import ImageError

    invocation, caller = attempt.invocation, Caller.here()
    found = [Problem("B019", fault) for fault in faults(invocation, caller)]
    if found:
        raise ProblemsError(found)
    assert isinstance(invocation.program, ContainerImage)  # noqa: S101 (asked by the caller)
    try:
        source = sources.find(invocation.program, invocation.login)
        sif = Sif(str(home() / "sif" / f"{source.digest.removeprefix('sha256:')}.sif"), source.digest, source.config)
    except (ImageUnavailableError, ImageError, ApiError, UnreachableError):
        sif = Sif(str(home() / "sif" / "DIGEST.sif"), "", {})
    return replace(attempt, invocation=as_command(invocation, sif, caller))


def _moved(data: Any, old: str, new: str) -> Any:
    """The data with one directory in the place of another."""
    if isinstance(data, str):
        return data.replace(old, new)
    if isinstance(data, dict):
        return {key: _moved(value, old, new) for key, value in data.items()}
    return [_moved(value, old, new) for value in data] if isinstance(data, list | tuple) else data
