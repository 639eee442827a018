"""What a workflow is, and what is asked of a job: a line of tasks on one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trivet.datasets.scalars import Scalar
from trivet.runs.options import Options
from trivet.tasks.task import Task
from trivet.tasks.values import Value


@dataclass(frozen=True, slots=True)
class Step:
    """A task in a workflow. ``task.document`` has this step's own meta data where they differ from the package's.

    ``values`` are those of the task's own arguments by port, without the images, which the job chooses.
    ``type_filters`` are for this step only.
    """

    task: Task
    values: Mapping[str, Value] = field(default_factory=dict)
    type_filters: Mapping[str, bool] = field(default_factory=dict)
    alias: str | None = None
    description: str | None = None

    @property
    def name(self) -> str:
        """What people call the step."""
        return self.alias or self.task.name


@dataclass(frozen=True, slots=True)
class Workflow:
    """Tasks in the order in which they run."""

    name: str
    steps: tuple[Step, ...]
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a job: steps ``first`` to ``last`` (from 0, both run) of a workflow on a dataset's directory.

    Filters choose images for every step; among ``attribute_filters`` may be the status of images for the first step.
    ``only`` chooses by that status, too, but for the first step alone: what it was given before and did well is there
    for the later steps again. (A job that goes on after another one wants this.)
    """

    workflow: Workflow
    dataset: Path
    first: int
    last: int
    type_filters: Mapping[str, bool] = field(default_factory=dict)
    attribute_filters: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last < len(self.workflow.steps):
            raise ValueError(f"steps {self.first} to {self.last} are not in a workflow of {len(self.workflow.steps)}")
