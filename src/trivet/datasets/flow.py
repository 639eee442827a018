"""How type filters go through a workflow: what each task asks for, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What one task of a workflow says of types: its own input and output types, and the filters set for it."""

    input_types: Mapping[str, bool]
    output_types: Mapping[str, bool]
    type_filters: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Flow:
    """The type filters at one task: those it finds, those of its own, and the types it gives to its images."""

    current: Mapping[str, bool]
    input: Mapping[str, bool]
    output: Mapping[str, bool]

    @property
    def wanted(self) -> dict[str, bool]:
        """The filters by which the task's images are chosen: its own override those it finds."""
        return {**self.current, **self.input}

    @property
    def after(self) -> dict[str, bool]:
        """The filters that the next task finds; those set for one task only do not go on."""
        return {**self.current, **self.output}

    @property
    def reversed(self) -> list[str]:
        """Types, sorted, of which the task wants the opposite of what the tasks before it made: it will be given older
        images, and not theirs."""
        return sorted(name for name, value in self.input.items() if self.current.get(name, value) is not value)


def merge_type_filters(input_types: Mapping[str, bool], type_filters: Mapping[str, bool]) -> dict[str, bool]:
    """A task's input types together with the filters set for it. Raises ValueError where they contradict each other."""
    against = sorted(name for name, value in type_filters.items() if input_types.get(name, value) is not value)
    if against:
        names = ", ".join(f"{name}={str(input_types[name]).lower()}" for name in against)
        raise ValueError(f"the task takes only images with {names}; its type filters ask for the opposite")
    return {**input_types, **type_filters}


def type_flow(steps: Iterable[Step], start: Mapping[str, bool] | None = None) -> list[Flow]:
    """The filters at each task, beginning with those of the job (Fractal, type filters flow).

    A job that begins with a later task gets its later steps only: what the earlier ones made is not taken into account.
    Raises ValueError where a task's types and filters contradict each other.
    """
    flows: list[Flow] = []
    current: Mapping[str, bool] = dict(start or {})
    for step in steps:
        flows.append(Flow(current, merge_type_filters(step.input_types, step.type_filters), step.output_types))
        current = flows[-1].after
    return flows
