"""Which images the steps of a job will be given, as far as that can be known before it starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trivet.contracts import fractal
from trivet.contracts.fractal.manifest import type_of
from trivet.datasets import flow
from trivet.datasets.filters import AttributeFilters, TypeFilters, matching, non_unique_types
from trivet.datasets.imagelist import ImageList
from trivet.datasets.images import Image
from trivet.datasets.statuses import DONE, STATUS, with_statuses
from trivet.runs.options import Options
from trivet.tasks.problem import Problem
from trivet.workflows.resolving import Found

CONFLICT, REVERSED, EMPTY, MIXED, UNPROCESSED, MISSING = "W040", "W041", "W042", "W044", "W045", "W046"
"""Codes of problems: filters that contradict each other, or what was made before; an empty selection; a mixture of
types; images that the step before has not processed, or that are not there."""

LOOKED_AT = 1000
"""So many images are looked for on the disk at most, spread over the list: on a network each may take a millisecond."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that is to be looked at: steps ``first`` to ``last`` of a workflow whose tasks were found, on images.

    ``processed`` holds the status of images for the step before the first, ``statuses`` for the first. ``dataset`` is
    the directory of the dataset, None for one that is still to be made. ``absent`` says which of some images are not
    on the cluster, where they are elsewhere (None: they are here).
    """

    found: Sequence[Found]
    first: int
    last: int
    images: ImageList
    zarr_dir: str
    type_filters: TypeFilters = field(default_factory=dict)
    attribute_filters: AttributeFilters = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    validate: bool = True
    statuses: Mapping[str, str] = field(default_factory=dict)
    processed: Mapping[str, str] | None = None
    dataset: Path | None = None
    absent: Callable[[Sequence[str]], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What is expected of one step: how many images it is given.

    ``exact``: it is so; otherwise so many if the steps before change images in place and make no new ones (None:
    nobody can know, after a converter).
    """

    index: int
    name: str
    kind: str
    type_filters: Mapping[str, bool]
    images: int | None
    exact: bool


def select(asked: Asked) -> tuple[tuple[Row, ...], list[Problem]]:
    """What each step is given, and what is wrong or strange about it. There are no rows where filters contradict."""
    chosen = asked.found[asked.first : asked.last + 1]
    steps = [_flow_step(found) for found in chosen]
    problems = list(_conflicts(chosen, steps))
    if problems:
        return (), problems
    flows = flow.type_flow(steps, asked.type_filters)
    problems += _reversals(chosen, flows)
    rows, more = _selections(asked, chosen, flows)
    return rows, [*problems, *more]


def filters_before(found: Sequence[Found], first: int) -> dict[str, bool]:
    """The type filters that the steps before ``first`` would leave behind (Fractal, type filters flow): what a job that
    begins later is given so that it goes on with what they made. Steps that contradict themselves are passed over."""
    left: dict[str, bool] = {}
    for one in found[:first]:
        left |= _types(one.declared, "output_types")
    return left


def _flow_step(found: Found) -> flow.Step:
    declared = found.declared
    return flow.Step(_types(declared, "input_types"), _types(declared, "output_types"), found.step.type_filters)


def _types(declared: Mapping[str, Any], key: str) -> dict[str, bool]:
    return {name: bool(value) for name, value in (declared.get(key) or {}).items()}


def _conflicts(chosen: Sequence[Found], steps: Sequence[flow.Step]) -> Iterator[Problem]:
    for found, step in zip(chosen, steps, strict=True):
        try:
            flow.merge_type_filters(step.input_types, step.type_filters)
        except ValueError as error:
            path = (*found.path, "type_filters")
            yield Problem(
                CONFLICT, f"{found.step.name}: {error}", hint="remove the filter, or take another task", path=path
            )


def _reversals(chosen: Sequence[Found], flows: Sequence[flow.Flow]) -> Iterator[Problem]:
    for found, one in zip(chosen, flows, strict=True):
        if _converts(found):
            continue
        for name in one.reversed:
            wanted, made = (str(value).lower() for value in (one.input[name], one.current[name]))
            message = (
                f"{found.step.name} wants images with {name}={wanted}, while what comes before it (steps, or filters "
                f"of the job) leads to {name}={made}: it will be given older images, and not theirs"
            )
            yield Problem(REVERSED, message, "warning", path=found.path)


def _selections(
    asked: Asked, chosen: Sequence[Found], flows: Sequence[flow.Flow]
) -> tuple[tuple[Row, ...], list[Problem]]:
    """How many images each step is given, by playing the job on the list: exactly for the first step, and for later
    ones as if the steps before changed their images in place."""
    images: dict[str, Image] | None = dict(asked.images)
    by_status = STATUS in asked.attribute_filters
    rows: list[Row] = []
    problems: list[Problem] = []
    for position, (found, one) in enumerate(zip(chosen, flows, strict=True)):
        converts, exact = _converts(found), position == 0
        selected: list[Image] | None = []
        if converts:
            if by_status and position == 0 and not all(map(_converts, chosen)):
                message = "images are chosen by their status, but a converter comes first: no later step will find one"
                problems.append(Problem(EMPTY, message, hint="leave --only out, or begin with a later step"))
            images = None  # it makes images that nobody knows yet
        elif images is None:
            selected = None
        else:
            if exact and by_status:
                images = with_statuses(images, asked.statuses)
            urls = fractal.select(found.step.task, images, one.wanted, asked.attribute_filters)
            selected = [images[url] for url in urls]
            if exact:
                problems += _of_first(asked, found, one.wanted, images, selected)
            images |= {image.zarr_url: replace(image, types={**image.types, **one.output}) for image in selected}
        count = None if selected is None else len(selected)
        rows.append(
            Row(
                asked.first + position,
                found.step.name,
                _kind(found),
                one.wanted,
                count,
                exact or converts,
            )
        )
    return tuple(rows), problems


def _of_first(
    asked: Asked, found: Found, wanted: TypeFilters, images: ImageList, selected: Sequence[Image]
) -> Iterator[Problem]:
    if not selected:
        yield _empty(asked, found, wanted, images)
        return
    mixed = non_unique_types(selected)
    if mixed:
        message = f"{found.step.name}: some of the {len(selected)} images have it and others not: {', '.join(mixed)}"
        yield Problem(
            MIXED, message, "warning", "choose with --type NAME=true or false, if that is not meant", path=found.path
        )
    local = [image.zarr_url for image in selected if image.zarr_url.startswith("/")]
    local = local[:: -(-len(local) // LOOKED_AT) or 1]
    absent = (asked.absent or _not_here)(local)
    if absent:
        there = "there" if asked.absent is None else "on the cluster"
        number = len(selected) if len(local) == len(selected) else f"{len(local)} looked-at"
        message = f"{found.step.name}: {len(absent)} of {number} images are not {there}: {_some(absent)}"
        yield Problem(MISSING, message, "warning", "trivet dataset remove takes them out of the list", path=found.path)
    if asked.processed is not None:
        left = [image.zarr_url for image in selected if asked.processed.get(image.zarr_url) != DONE]
        if left and len(left) < len(selected):
            before = asked.found[asked.first - 1].step.name
            message = (
                f"{len(left)} of {len(selected)} images were not processed by the step before, {before}: {_some(left)}"
            )
            yield Problem(UNPROCESSED, message, "warning", f"begin with it: --first {asked.first - 1}", path=found.path)


def _not_here(urls: Sequence[str]) -> list[str]:
    return [url for url in urls if not os.path.isdir(url)]  # noqa: PTH112


def _empty(asked: Asked, found: Found, wanted: TypeFilters, images: ImageList) -> Problem:
    """Why nothing is selected: the first filter that leaves none is named."""
    path = found.path
    if not images:
        hint = "trivet dataset add or scan fills it; a converter needs no images"
        return Problem(EMPTY, f"{found.step.name} needs images, and the dataset has none", hint=hint, path=path)
    by_type = matching(images.values(), wanted, {})
    types = ", ".join(f"{name}={str(value).lower()}" for name, value in wanted.items())
    attributes = ", ".join(
        f"{'status' if name == STATUS else name}={'|'.join(map(str, values))}"
        for name, values in asked.attribute_filters.items()
    )
    if not by_type:
        message = f"{found.step.name}: none of the {len(images)} images has {types}"
        hint = "trivet dataset show tells their types; the step's own, and --type, choose"
    else:
        also = f" with {types}" if types else ""
        message = f"{found.step.name}: none of the {len(by_type)} images{also} has {attributes}"
        hint = "--attribute and --only choose among all images"
    return Problem(EMPTY, message, hint=hint, path=path)


def _converts(found: Found) -> bool:
    return not fractal.takes_images(found.step.task)


def _kind(found: Found) -> str:
    level = (found.declared.get("meta") or {}).get("parallelization_level")
    return type_of(found.declared) or f"version 1, {level or 'once'}"


def _some(urls: Sequence[str]) -> str:
    return ", ".join(urls[:_SHOWN]) + (f" and {len(urls) - _SHOWN} more" if len(urls) > _SHOWN else "")
