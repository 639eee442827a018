"""Doing a recorded run once more: with the image, values and options it had, and a word about all that has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trivet.records import files
from trivet.runs.options import Options
from trivet.runs.record import Record, restore, task_of
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.task import ContainerImage, Environment, Program
from trivet.tasks.values import file_refs


def repeated(record: Record, image: str | None = None) -> tuple[Call, Options]:
    """The call and options of a recorded run, to be run again; outputs go to the new run's own directory.

    The image is the very one that ran, unless ``image`` names another. The call's notes warn of inputs and package
    versions that have changed. Raises ProblemsError when an input is gone, UnreadableError when this version
    can't read the recorded document any more.
    """
    call, options = restore(record)
    program = task_of(record).program
    problems = [*_changed_packages(call.task.program, program), *_changed_inputs(record, call)]
    if has_errors(problems):
        raise ProblemsError(problems)
    if image is not None:
        program = ContainerImage(image)
    elif isinstance(call.task.program, ContainerImage):
        program = _as_it_ran(record, call.task.program)
    task = replace(call.task, program=program)
    return replace(call, task=task, notes=(*call.notes, *problems)), replace(options, output=None)


def _as_it_ran(record: Record, image: ContainerImage) -> ContainerImage:
    ran = record.get("usage", {}).get("image_digests", ())
    return replace(image, digest=ran[0]) if image.archive is None and len(ran) == 1 else image


def _changed_packages(then: Program, now: Program) -> Iterator[Problem]:
    if not isinstance(then, Environment) or not isinstance(now, Environment):
        return
    for name in sorted({*then.versions, *now.versions}):
        before, after = (program.versions.get(name, "not there") for program in (then, now))
        if before != after:
            yield Problem("B020", f"package {name} was {before} and is {after}", "warning")


def _changed_inputs(record: Record, call: Call) -> Iterator[Problem]:
    measured = record.get("inputs", {})
    for name, value in call.values.items():
        for number, ref in enumerate(file_refs(value)):
            before = measured[name][number] if name in measured else {}
            if "problem" in before:
                continue  # it could not be read then, either
            try:
                now = files.measure(Path(ref.path))
            except OSError as error:
                yield Problem("B003", f"input `{name}`: {ref.path} can't be read: {error.strerror or error}")
            else:
                if before.get("sha256") not in (None, now["sha256"]):
                    yield Problem("B020", f"input `{name}`: {ref.path} has changed since that run", "warning")
