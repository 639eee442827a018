"""From past runs of a template to the scale rule it should have, as JSON to paste."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from trivet.contracts.kaapana.learning import Fit, Observation, TooFewError, fit, rounded
from trivet.contracts.kaapana.measuring import measure_listed
from trivet.contracts.kaapana.model import Channel, ScaleRule
from trivet.contracts.kaapana.ports import template_of
from trivet.contracts.kaapana.scale_rules import MODES
from trivet.contracts.kaapana.writing import rule_data
from trivet.tasks.task import ContainerImage, Task

EQUAL = 0.02
"""Modes whose rules differ by less in what they give too much can't be told apart."""


class Suggestion(NamedTuple):
    """The best rule of one channel; ``modes`` are those that fit equally well, the first is taken."""

    channel: str
    rule: ScaleRule
    modes: tuple[str, ...]
    fit: Fit


class Observations:
    """What past runs say of some channels, by channel and mode; ``ways`` is how their memory was measured.

    ``failed`` and ``unmeasured`` count units that say nothing.
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        self.failed = self.unmeasured = 0
        self.ways: set[str] = set()
        self.of: dict[tuple[str, str], list[Observation]] = {
            (channel.name, mode): [] for channel in channels for mode in MODES
        }
        self._rules = {(channel.name, mode): _rule(channel, mode) for channel in channels for mode in MODES}

    def add(self, inputs: Mapping[str, Sequence[tuple[str, int]]], peak: int, way: str, whole: bool) -> None:
        """A unit that read these files (path and bytes, by channel); ``whole`` False: it lacked memory."""
        self.ways.add(way)
        for (channel, mode), rule in self._rules.items():
            if channel in inputs:
                self.of[channel, mode].append(Observation(measure_listed(inputs[channel], rule), peak, whole))


def is_run_of(recorded: Mapping[str, Any], task: Task) -> bool:
    """True for the record of a task of the same container and template, and of the same image where that is known."""
    image = task.program.reference if isinstance(task.program, ContainerImage) else ""
    return bool(
        recorded["contract"] == task.contract
        and recorded["namespace"] == task.namespace
        and (not image or recorded["program"].get("image") == image)
        and _identifier(recorded) == template_of(task).identifier
    )


def suggest(channels: Sequence[Channel], observations: Observations) -> Suggestion:
    """The channel and mode whose rule gives the least too much; memory that grows is preferred to memory that does not.

    Raises TooFewError when nothing can be fitted.
    """
    fits: list[tuple[str, str, Fit]] = []
    refused: list[str] = []
    for (channel, mode), seen in observations.of.items():
        try:
            fits.append((channel, mode, fit(seen)))
        except TooFewError as error:
            refused.append(str(error))
    if not fits:
        raise TooFewError(refused[0] if refused else "the template has no input channels")
    fits = [one for one in fits if one[2].factor] or fits
    name, _, best = min(fits, key=lambda one: one[2].waste)
    alike = {mode: one for channel, mode, one in fits if channel == name and one.waste <= best.waste + EQUAL}
    mode, chosen = next(iter(alike.items()))
    channel_of = {channel.name: channel for channel in channels}
    rule = _rule(channel_of[name], mode)._replace(coefficient=rounded(chosen.factor))
    return Suggestion(name, rule, tuple(alike), chosen)


def forms(suggestion: Suggestion) -> dict[str, Any]:
    """What to paste: the rule in the current form and in the guide's, and the fixed limit below which nothing goes."""
    rule, found = suggestion.rule, suggestion.fit
    made: dict[str, Any] = {}
    if found.factor:
        current = rule_data(rule._replace(coefficient=str(ceil(found.factor))))
        rest = {key: word for key, word in current.items() if key != "scale_factor"}
        made["current"] = {"scale_rule": current}
        made["guide"] = {"scale_rule": {"complexity": f"{rule.coefficient}*n", **rest}}
    if found.floor:
        made["fixed"] = {"resources": {"limits": {"memory": f"{ceil(found.floor / 2**20)}Mi"}}}
    return made


def as_data(suggestion: Suggestion, observations: Observations) -> dict[str, Any]:
    """Everything about a suggestion as JSON data; sizes in bytes, ``used`` as parts of what the rule gives."""
    found = suggestion.fit
    return {
        "channel": suggestion.channel,
        "mode": suggestion.rule.mode,
        "modes_alike": list(suggestion.modes),
        "units": found.runs,
        "failed": observations.failed,
        "unmeasured": observations.unmeasured,
        "measured_by": sorted(observations.ways),
        "sizes": [found.smallest, found.largest],
        "used": [round(part, 3) for part in found.used],
        **forms(suggestion),
    }


def _identifier(recorded: Mapping[str, Any]) -> Any:
    """The template's identifier in a record: a container's task bears it, a task.json names it or holds it."""
    document = recorded["document"]
    if document["kind"] == "container":
        return recorded["name"]
    template = json.loads(next(iter(document["texts"].values()))).get("taskTemplate", "default")
    return template.get("identifier") if isinstance(template, dict) else template


def _rule(channel: Channel, mode: str) -> ScaleRule:
    """The channel's own rule or a plain one, in that mode: the targets stay."""
    own = channel.scale_rule or ScaleRule("1", 1, "limit", mode)
    return own._replace(mode=mode, exponent=1, kind="limit")
