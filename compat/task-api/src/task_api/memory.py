"""`--monitor-memory`: what a task used beside the sizes of its inputs and what their scale rules ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from task_api.following import progress_of
from trivet.contracts.kaapana.limits import growth, need
from trivet.contracts.kaapana.measuring import measure_listed
from trivet.contracts.kaapana.model import Channel
from trivet.contracts.kaapana.ports import template_of
from trivet.records.directory import RunDirectory
from trivet.tasks.quantities import format_memory

Listed = Sequence[tuple[str, int]]


def report(run: RunDirectory) -> Iterator[str]:
    """The peak memory of a run that is over with the way it was measured, and a few lines for each input channel.

    A rule that asks for no more than the task used is warned of: it is too small, whatever else set the limit.
    """
    progress = progress_of(run)
    outcome = progress.outcomes.get(0)
    peak = outcome.peak_memory if outcome is not None else None
    if outcome is None or peak is None:
        yield "peak memory: unknown; nobody could measure it"
    else:
        yield f"peak memory: {_bytes(peak)}, by {outcome.measured_by}"
    measured = run.read()["inputs"]
    for channel in template_of(progress.call.task).inputs:
        facts = measured.get(channel.name, [{}])[0]
        if "files" not in facts:
            yield f"channel `{channel.name}`: unknown; {facts.get('problem', 'it was not measured')}"
            continue
        files = [(file["path"], int(file["size"])) for file in facts["files"]]
        yield from _channel(channel, files, peak)


def _channel(channel: Channel, files: Listed, peak: int | None) -> Iterator[str]:
    sizes = [size for _, size in files]
    total, largest = _bytes(sum(sizes)), _bytes(max(sizes, default=0))
    yield f"channel `{channel.name}`: {len(files)} files, {total} in all; the largest has {largest}"
    rule = channel.scale_rule
    if rule is None:
        return
    n = measure_listed(files, rule)
    try:
        asked = need(rule, n)
    except OverflowError:
        yield f"  scale rule: n = {_bytes(n)} ({rule.mode}); {growth(rule)} is more than any machine has"
        return
    yield f"  scale rule ({rule.kind}): n = {_bytes(n)} ({rule.mode}); {growth(rule)} = {_bytes(asked)}"
    if peak is not None and asked <= peak:
        yield f"  WARNING: the task used {_bytes(peak)}, and its scale rule asks for {_bytes(asked)} only"


def _bytes(amount: int) -> str:
    return f"{amount:,} bytes" + (f" ({format_memory(amount)})" if amount >= 1024 else "")
