"""The public Python interface: load tasks, call them with values, run the calls.

::

    import trivet

    [task] = trivet.load("examples/cytomine/count-nuclei")
    run = trivet.run(trivet.call(task, {"image": "slide.png", "min_area": 30}))
    print(run.result.state, run.result.outputs["count"])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivet.contracts import contract
from trivet.contracts.source import Source
from trivet.records import home as default_home
from trivet.records.codec import run_result_from_json
from trivet.records.directory import RunDirectory
from trivet.runs import choosing, follow, inputs, progress, start
from trivet.runs.options import Options
from trivet.runs.reporting import Reporter
from trivet.tasks.call import Call
from trivet.tasks.problem import ProblemsError, has_errors
from trivet.tasks.task import Task
from trivet.tasks.work import Outcome, RunResult

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions
    from trivet.contracts.kaapana.user_input import UserInput


@dataclass(frozen=True, slots=True)
class Run:
    """A run, by its directory; everything is read from there when asked for."""

    directory: RunDirectory

    @property
    def id(self) -> str:
        return self.directory.id

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        return self.directory.read()

    @property
    def result(self) -> RunResult | None:
        """How it ended; None while it goes on."""
        data = self.record.get("result")
        return None if data is None else run_result_from_json(data)

    def units(self) -> list[tuple[str, Outcome | None]]:
        """Name and outcome of every unit known by now (None: not over), in order."""
        state = progress.read(self.directory)
        return [(unit.name, state.outcomes.get(number)) for number, unit in enumerate(state.units)]

    def logs(self) -> dict[str, bytes]:
        """What the units printed, by name, as far as they printed anything."""
        return dict(follow.parts(self.directory, progress.read(self.directory)))


def load(
    target: str | Path,
    *,
    image: str | None = None,
    python: str | None = None,
    templates: TemplateOptions | None = None,
    user_input: UserInput | None = None,
) -> list[Task]:
    """The tasks of a document, directory, bundle, wheel, installed package or image; ``PATH#task`` names one.

    ``image`` is the container image to use instead of the document's own, ``python`` the interpreter or prefix of the
    environment that a package's tasks run in. Of a Kaapana task.json, ``templates`` says how its templates are filled,
    ``user_input`` what a user of the workflow gave. Raises ProblemsError with every error of the documents.
    """
    tasks, problems = choosing.tasks(str(target), python, image, templates, user_input)
    if has_errors(problems):
        raise ProblemsError(problems)
    return tasks


def command(argv: Sequence[str], *, image: str | None = None, **fields: Any) -> Task:
    """A task that is just a command line; ``{name}`` in a word stands for an input or output of that name.

    ``fields`` are those of the command contract: ``name``, ``inputs``, ``outputs``, ``resources`` …
    """
    document = {"trivet": 1, "command": list(argv), **fields, **({"image": image} if image else {})}
    room = contract("command")
    source = Source("command.json", json.dumps(document), Path.cwd())
    read = room.read(source)
    problems = source.place(room.check(read))
    if has_errors(problems):
        raise ProblemsError(problems)
    [task] = room.tasks(read)
    return task


def call(task: Task, values: Mapping[str, Any] | None = None, *, each: str | None = None) -> Call:
    """The task with checked values; ``each`` names the input that is given a list to be repeated over.

    Raises ProblemsError with everything that is wrong.
    """
    return inputs.bound_python(task, values or {}, each)


def run(call: Call, *, home: Path | None = None, reporter: Reporter | None = None, **options: Any) -> Run:
    """Run a call to its end here. ``options`` are those of `trivet.runs.options.Options`.

    Raises ProblemsError before anything starts; what goes wrong later is in the result.
    """
    directory = start.create(call, Options(**options), home or default_home())
    start.drive(directory, reporter, call.task.document.secrets)
    return Run(directory)
