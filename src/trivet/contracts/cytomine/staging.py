"""From a call to what an engine starts: inputs laid out as files, an empty output folder, the image's own entrypoint.

A referenced file comes into the input folder as a hard link, which costs nothing and is always there for who looks into
the run's directory. Where the file systems don't allow that, small files are copied and large ones are mounted over an
empty placeholder. Inputs are mounted read-only, so no way of the three lets the program change the original.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from trivet.contracts.cytomine import slides
from trivet.contracts.cytomine.matching import unmatched
from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.values import Reader, encode
from trivet.contracts.folding import one_phase, value_of
from trivet.tasks import types
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import Port
from trivet.tasks.values import FileRef, Value
from trivet.tasks.work import AttemptDirectory, Invocation, Mount, Unit

COPIED = 64 * 1024**2
"""Largest file that is copied where it can't be linked; a larger one is mounted."""


def plan(call: Call, phase: int) -> Sequence[Unit] | None:
    """One unit, or one for each element of the repeated input. Raises ProblemsError when matched inputs differ."""
    units = one_phase(call, phase)
    model: Descriptor = call.task.document.model
    problems = [problem for unit in units or () for problem in unmatched(_inner(model), inputs_of(call, unit))]
    if problems:
        raise ProblemsError(dict.fromkeys(problems))
    return units


def inputs_of(call: Call, unit: Unit) -> dict[tuple[str, str], Value]:
    """The values of a unit by parameter; None for what is not given."""
    return {("inputs", port.name): value_of(call, unit, port.name) for port in call.task.inputs}


def stage(call: Call, unit: Unit, where: AttemptDirectory) -> Invocation:
    """Write the input folder and make the output folder.

    Raises ProblemsError with everything that is wrong with the inputs' content, OSError when it can't be written.
    """
    model: Descriptor = call.task.document.model
    given = [(port, value) for port in call.task.inputs if (value := value_of(call, unit, port.name)) is not None]
    _refuse(given)
    shutil.rmtree(where.root / "inputs", ignore_errors=True)
    inputs, outputs = where.make("inputs"), where.make("outputs")
    outputs.chmod(0o777)  # the image may run as anybody
    mounts = [Mount(str(inputs), model.input_folder), Mount(str(outputs), model.output_folder, writable=True)]

    def place(kind: types.File, reference: FileRef, target: Path) -> None:
        for source, placeholder in _place(kind, Path(os.path.realpath(reference.path)), target):
            mounts.append(Mount(str(source), f"{model.input_folder}/{placeholder.relative_to(inputs).as_posix()}"))

    for port, value in given:
        try:
            encode(port.type, value, inputs / port.name, place)
        except ValueError as error:
            problem = Problem("C202", f"input `{port.name}` can't be written: {error}", path=("inputs", port.name))
            raise ProblemsError([problem]) from None
    for folder, _, _ in os.walk(inputs):
        Path(folder).chmod(0o755)  # whatever the umask: the image may run as anybody
    task = call.task
    return Invocation(task.program, None, mounts=tuple(mounts), resources=task.resources, network=task.network)


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


def _inner(model: Descriptor) -> list[list[tuple[str, str]]]:
    """The matching groups among inputs alone, which can be judged before anything runs."""
    groups = ([member for member in group if member[0] == "inputs"] for group in model.matching)
    return [group for group in groups if len(group) > 1]


def _refuse(given: Sequence[tuple[Port, Value]]) -> None:
    reader = Reader()
    for port, value in given:
        reader.judge(port.type, value, ("inputs", port.name))
    if has_errors(reader.problems):
        raise ProblemsError(reader.problems)
