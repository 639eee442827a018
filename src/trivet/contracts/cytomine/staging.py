"""From a call to what an engine starts: inputs laid out as files, an empty output folder, the image's own entrypoint.

A referenced file comes into the input folder as a hard link, which costs nothing and is always there for who looks into
the run's directory. Where the file systems don't allow that, small files are copied and large ones are mounted over an
empty placeholder. Inputs are mounted read-only, so no way of the three lets the program change the original.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from trivet.contracts.cytomine import sidecars, slides
from trivet.contracts.cytomine.geometry import can_judge
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.values import encode, listed
from trivet.contracts.folding import value_of
from trivet.tasks import types
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem
from trivet.tasks.task import Port
from trivet.tasks.values import FileRef, Value
from trivet.tasks.work import AttemptDirectory, Invocation, Mount, Unit

_UNFINISHED = ".inputs"

COPIED = 64 * 1024**2
"""Largest file that is copied where it can't be linked; a larger one is mounted."""


def inputs_of(call: Call, unit: Unit) -> dict[tuple[str, str], Value]:
    """The values of a unit by parameter; None for what is not given."""
    return {("inputs", port.name): value_of(call, unit, port.name) for port in call.task.inputs}


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """Write the input folder and make the output folder.

    When it is repeated, the folder that is there stays: the unit may have been started already. What is wrong with the
    values was told before (`refusals`). Raises OSError when they can't be written.
    """
    model: Descriptor = call.task.document.model
    given = [(port, value) for port in call.task.inputs if (value := value_of(call, unit, port.name)) is not None]
    shutil.rmtree(where.root / _UNFINISHED, ignore_errors=True)
    unfinished, outputs = where.make(_UNFINISHED), where.make("outputs")
    inputs = where.root / "inputs"
    outputs.chmod(0o777)  # the image may run as anybody
    mounts = [Mount(str(inputs), model.input_folder), Mount(str(outputs), model.output_folder, writable=True)]

    def place(kind: types.File, reference: FileRef, target: Path) -> None:
        for source, placeholder in _place(kind, Path(os.path.realpath(reference.path)), target):
            seen_at = f"{model.input_folder}/{placeholder.relative_to(unfinished).as_posix()}"
            mounts.append(Mount(str(source), seen_at, directory=source.is_dir()))

    for port, value in given:
        image = sidecars.owner(port.name)
        if image is None:
            encode(port.type, value, unfinished / port.name, place)
        else:
            outline = partial(encode, types.Geometry(), place=place)
            sidecars.write(value, unfinished / image, outline)
    for folder, _, _ in os.walk(unfinished):
        Path(folder).chmod(0o755)  # whatever the umask: the image may run as anybody
    if inputs.exists():
        shutil.rmtree(unfinished)
    else:
        unfinished.rename(inputs)
    task = call.task
    return Invocation(
        task.program,
        None,
        mounts=tuple(mounts),
        resources=task.resources,
        network=task.network,
        title=task.name,
        notes=tuple(_unchecked(given)),
    )


def _place(kind: types.File, source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Bring a file or directory to ``target``; what is left to be mounted, and where, is yielded."""
    if source.is_dir():
        target.mkdir()
        for child in sorted(child for child in source.rglob("*") if child.is_file()):
            inner = target / child.relative_to(source)
            inner.parent.mkdir(parents=True, exist_ok=True)
            yield from _place(types.File(), Path(os.path.realpath(child)), inner)
        return
    if isinstance(kind, types.Image) and _is_zip(source):
        slides.unpack(source, target)
        return
    try:
        os.link(source, target)
    except OSError:
        if source.stat().st_size <= COPIED:
            shutil.copyfile(source, target)
            target.chmod(0o644)
        else:
            target.touch()
            yield source, target


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _unchecked(given: Sequence[tuple[Port, Value]]) -> Iterator[Problem]:
    """What nobody could check of the inputs."""
    names = [port.name for port, _ in given if isinstance(types.innermost(port.type), types.Geometry)]
    if names and not can_judge():
        message = f"{listed(names)} not checked for crossing lines: shapely is not installed"
        yield Problem("C208", message, "warning", "pip install 'trivet[geometry]'")
