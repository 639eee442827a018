"""``trivet kaapana suggest-scale-rule``: a scale rule fitted to past runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trivet.contracts.kaapana.model import Channel
    from trivet.contracts.kaapana.suggesting import Observations, Suggestion
    from trivet.tasks.task import Task


@click.command(
    "suggest-scale-rule",
    epilog="""\b
Example:
  trivet kaapana suggest-scale-rule 'processing-container.json#dicom-to-nrrd' --channel dicom
""",
)
@click.argument("target", metavar="PATH[#TEMPLATE]")
@click.option("--channel", help="The input channel memory depends on (default: the one that explains it best).")
@click.option("--image", help="Only runs of this image (default: the document's own, else of any).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, target: str, channel: str | None, image: str | None, as_json: bool) -> int:
    """Fit a scale rule to the past runs of a template, and print the JSON to paste.

    Every run measures its channels and its peak memory. The rule covers all of them with a margin; it is refused when
    there are too few, or of too few sizes.
    """
    from trivet.contracts.kaapana.learning import TooFewError
    from trivet.contracts.kaapana.ports import template_of
    from trivet.contracts.kaapana.suggesting import as_data, suggest
    from trivet.runs.choosing import one_task
    from trivet.tasks.problem import closest

    task, _ = one_task(target, image=image)
    if task.contract != "kaapana":
        raise click.ClickException(f"{target} is a task of {task.contract}; scale rules are Kaapana's")
    names = [one.name for one in template_of(task).inputs]
    if channel is not None and channel not in names:
        raise click.ClickException(f"there is no input channel `{channel}`; {closest(channel, names) or 'it has none'}")
    channels = [one for one in template_of(task).inputs if channel in (None, one.name)]
    observations = _observations(task, channels)
    try:
        suggestion = suggest(channels, observations)
    except TooFewError as error:
        raise click.ClickException("; ".join([str(error), *_left_out(observations)])) from None
    if as_json:
        print(json.dumps(as_data(suggestion, observations), indent=2))
    else:
        _tell(task, suggestion, observations)
    return 0


def _observations(task: Task, channels: Sequence[Channel]) -> Observations:
    from trivet.contracts.kaapana.suggesting import Observations, is_run_of
    from trivet.records import home
    from trivet.runs.past import units
    from trivet.tasks.states import Reason

    observations = Observations(channels)
    for one in units(home(), lambda record: is_run_of(record["task"], task)):
        if one.reason not in (None, Reason.OOM):
            observations.failed += 1
        elif one.peak_memory is None:
            observations.unmeasured += 1
        else:
            observations.add(one.inputs, one.peak_memory, one.measured_by, whole=one.reason is None)
    return observations


def _left_out(observations: Observations) -> list[str]:
    counts = ((observations.failed, "failed"), (observations.unmeasured, "without a measured peak"))
    return [f"left out: {count} {words}" for count, words in counts if count]


def _tell(task: Task, suggestion: Suggestion, observations: Observations) -> None:
    from trivet.contracts.kaapana.learning import MARGIN
    from trivet.contracts.kaapana.suggesting import forms
    from trivet.tasks.quantities import format_memory

    channel, rule, fit = suggestion.channel, suggestion.rule, suggestion.fit
    ways = ", ".join(sorted(observations.ways))
    print("; ".join([f"{fit.runs} units of {task.name} were measured ({ways})", *_left_out(observations)]))
    sizes = f"{format_memory(fit.smallest)} to {format_memory(fit.largest)}"
    print(f"n of channel `{channel}` ({rule.mode}) was {sizes}; beyond that the rule is a guess")
    if len(suggestion.modes) > 1:
        print(f"these runs can't tell the modes {', '.join(suggestion.modes)} apart")
    low, middle, high = (f"{part:.0%}" for part in fit.used)
    print(
        f"they used {low} to {high} (median {middle}) of what is given here, with a margin of {float(MARGIN - 1):.0%}"
    )
    if not fit.factor:
        print(f"memory does not grow with channel `{channel}`: fix the limit, no rule is needed")
    titles = {
        "current": f"at channel `{channel}`, in the current form (whole factors only):",
        "guide": "or in the guide's form:",
        "fixed": "at the template, the least it gets:",
    }
    if rule.mode == "max_item_sum":
        titles["guide"] = "or as a complexity (the guide does not know this mode):"
    for name, form in forms(suggestion).items():
        print("", titles[name], json.dumps(form, indent=2)[2:-2], sep="\n")
