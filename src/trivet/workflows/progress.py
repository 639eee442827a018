"""How far a job is: its machine, the run of each step with its units, and the images each was given."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivet.contracts import fractal
from trivet.datasets.flow import Flow, type_flow
from trivet.datasets.imagelist import ImageList
from trivet.datasets.statuses import STATUS, attached
from trivet.records import files
from trivet.records.datasets import DatasetDirectory
from trivet.records.directory import JobDirectory
from trivet.runs.events import Collected
from trivet.runs.machine import Machine
from trivet.runs.progress import Progress, machine_for
from trivet.runs.record import usage
from trivet.tasks.call import Call, bind
from trivet.tasks.work import Outcome
from trivet.workflows.events import Applied, Event, Selected, Within, from_line
from trivet.workflows.machine import Instruction, JobMachine
from trivet.workflows.workflow import Request


@dataclass(frozen=True, slots=True)
class Selection:
    """What a step is given: images in their order, and the call that is made of them."""

    urls: Sequence[str]
    call: Call


@dataclass(frozen=True, slots=True)
class Carried:
    """What goes from step to step beside the dataset: the statuses of images, where the job chooses by them, and the
    metadata of tasks of version 1."""

    statuses: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


class JobProgress:
    """A job's machine with the runs of its steps.

    ``detail`` says for which steps units are found; of the others only numbers are known, and no dataset is read.
    ``keep``: also of steps that are over. ``warned`` holds by step which units' logs speak of a warning.
    """

    def __init__(
        self, job: JobDirectory, request: Request, window: int, detail: Container[int] | None = None, keep: bool = False
    ) -> None:
        self.job = job
        self.request = request
        self.machine = JobMachine(request.first, request.last, self._machine)
        self.runs: dict[int, Progress] = {}
        self.selections: dict[int, Selection] = {}
        self.warned: dict[int, set[int]] = {}
        self._window = window
        self._detail = detail
        self._keep = keep
        self._spent: list[Outcome] = []
        self._flows = flows(request)

    @property
    def run(self) -> Progress | None:
        """The run of the step the job is at, once its images were chosen."""
        return self.runs.get(self.machine.step) if self.machine.run is not None else None

    def by_status(self, step: int) -> bool:
        """Whether a step's images are chosen by their status, too."""
        return STATUS in self.request.attribute_filters or bool(step == self.request.first and self.request.only)

    def wanted(self, step: int) -> tuple[Mapping[str, bool], Mapping[str, Any]]:
        """The filters of a step, by types and by attributes (Fractal, filters)."""
        attributes = dict(self.request.attribute_filters)
        if step == self.request.first and self.request.only:
            attributes[STATUS] = self.request.only
        return self._flows[step].wanted, attributes

    def select(self, step: int, images: ImageList, zarr_dir: str) -> Selection:
        """What a step is given of a version of the dataset; the same whenever it is asked.

        Raises ProblemsError for values that can't be bound, OSError.
        """
        task = self.request.workflow.steps[step]
        carried = self.carried(step)
        images = attached(images, carried.statuses) if carried.statuses else images
        urls = fractal.select(task.task, images, *self.wanted(step))
        given = fractal.given(task.task, urls, images, zarr_dir, carried.metadata)
        # An empty selection is refused for what it is, not for being no list of at least one image.
        empty = fractal.takes_images(task.task) and not urls
        values = task.values if empty else {**given, **task.values}
        call = Call(task.task, values) if empty else bind(task.task, values)
        return Selection(urls, call)

    def carried(self, step: int) -> Carried:
        """What goes into a step beside the dataset, as `carry` left it."""
        try:
            stored = json.loads(self._carried_file(step).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Carried()
        return Carried(stored["statuses"], stored["metadata"])

    def carry(self, step: int, carried: Carried) -> None:
        """Keep what goes into a step."""
        if carried != Carried():
            self.job.carried.mkdir(exist_ok=True)
            data = {"statuses": carried.statuses, "metadata": carried.metadata}
            files.write_text(self._carried_file(step), json.dumps(data))

    def take(self, event: Event, selection: Selection | None = None) -> list[Instruction]:
        """Let the machine act on an event, and remember what it says; ``selection`` is that of a Selected."""
        at, running = self.machine.step, self.machine.run is not None
        instructions = self.machine.handle(event)
        match event:
            case Selected(_, step) if not running and self.machine.run is not None and self._looked_at(step):
                self._enter(step, selection or self._select_again(event), self.machine.run)
            case Within(step, inner):
                if step in self.runs:
                    self.runs[step].remember(inner)
                if isinstance(inner, Collected):
                    self._spend(step, inner.unit)
                    warned = self.warned.setdefault(step, set())
                    (warned.add if inner.warned else warned.discard)(inner.unit)
            case Applied(_, step) if step == at and step in self.machine.ended and step in self.runs:
                if not self._keep:
                    del self.runs[step], self.selections[step]
        return instructions

    def replay(self, lines: Iterable[dict[str, Any]]) -> None:
        """Take the events of a journal. Raises KeyError, OSError or ValueError when the dataset's version is gone."""
        for line in lines:
            event = from_line(line, self._unit_name)
            if isinstance(event, Within) and event.step in self.runs:
                self.runs[event.step].find_units(event.event)
            self.take(event)

    def usage(self) -> dict[str, Any]:
        """What all units used together."""
        return usage(self._spent)

    def _spend(self, step: int, unit: int) -> None:
        """Add up what an attempt used; of 100,000 units nobody wants to hold that one by one."""
        if step in self.runs and not self._keep and unit in self.runs[step].outcomes:
            self._spent.append(self.runs[step].outcomes.pop(unit))
            if len(self._spent) > 1000:
                self._spent = [_together(self._spent)]

    def _machine(self, step: int) -> Machine:
        return machine_for(self.request.workflow.steps[step].task, self.request.options, self._window)

    def _looked_at(self, step: int) -> bool:
        return self._detail is None or step in self._detail

    def _select_again(self, event: Selected) -> Selection:
        dataset = DatasetDirectory(self.request.dataset)
        return self.select(event.step, dataset.read(event.version).images, dataset.zarr_dir)

    def _enter(self, step: int, selection: Selection, machine: Machine) -> None:
        self.selections[step] = selection
        name = f"{self.job.id}/{step}"
        self.runs[step] = Progress(name, selection.call, self.request.options, self._window, machine)

    def _unit_name(self, step: int, number: int) -> str:
        return self.runs[step].name(number) if step in self.runs else str(number)

    def _carried_file(self, step: int) -> Path:
        return self.job.carried / f"{step}.json"


def flows(request: Request) -> dict[int, Flow]:
    """The type filters at each step of a job, by its order. Raises ValueError where they contradict each other."""
    orders = range(request.first, request.last + 1)
    steps = (request.workflow.steps[order] for order in orders)
    said = (fractal.flow_step(step.task, step.type_filters) for step in steps)
    return dict(zip(orders, type_flow(said, dict(request.type_filters)), strict=True))


def _together(outcomes: Iterable[Outcome]) -> Outcome:
    """What matters of many outcomes when they are added up with others."""
    outcomes = list(outcomes)
    peak, how = max(
        ((one.peak_memory, one.measured_by) for one in outcomes if one.peak_memory is not None), default=(None, "")
    )
    return Outcome(
        None,
        started=min((one.started for one in outcomes if one.started is not None), default=None),
        ended=max((one.ended for one in outcomes if one.ended is not None), default=None),
        cpu=sum(one.cpu or 0.0 for one in outcomes),
        peak_memory=peak,
        measured_by=how,
    )
