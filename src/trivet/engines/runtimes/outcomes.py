"""From what the daemon tells of an ended container to an outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from trivet.engines.runtimes.request import Terms
from trivet.engines.runtimes.usage import Usage
from trivet.tasks.quantities import format_duration, format_memory
from trivet.tasks.states import Reason
from trivet.tasks.work import LogPart, Outcome

_SIGNALS = range(1, 32)


def ended_outcome(
    details: Mapping[str, Any],
    terms: Terms,
    *,
    reason: Reason | None,
    used: Usage,
    log: LogPart | None,
    notes: Sequence[str],
) -> Outcome:
    """The outcome of a container that ran; ``details`` is the daemon's answer to ContainerInspect.

    ``reason`` is why we ended it, if we did; ``notes`` what a person should know.
    """
    state = details["State"]
    code = int(state["ExitCode"])
    limit = details["HostConfig"].get("Memory") or None
    if reason is None and code != 0 and (state.get("OOMKilled") or _reached(limit, used, code)):
        reason = Reason.OOM
    started, ended = instant(state.get("StartedAt")), instant(state.get("FinishedAt"))
    sentences = [_why(reason, terms, limit), state.get("Error") or "", *notes]
    return Outcome(
        exit_code=code,
        signal=code - 128 if code - 128 in _SIGNALS else None,
        reason=reason,
        message="; ".join(filter(None, sentences)),
        started=started,
        ended=max(started or 0, ended or 0) or None,
        cpu=used.cpu,
        peak_memory=used.peak_memory,
        measured_by=used.measured_by,
        log=log,
        image_digest="sha256:" + str(details["Image"]).removeprefix("sha256:"),
    )


def instant(text: str | None) -> float | None:
    """Seconds since the epoch of a daemon's time; None for its zero, which means never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).timestamp()


def _reached(limit: int | None, used: Usage, code: int) -> bool:
    """A KILL that was not ours at the limit itself: Podman on cgroup v1 does not say that it was the kernel's."""
    return code == 137 and limit is not None and used.peak_memory is not None and used.peak_memory >= limit


def _why(reason: Reason | None, terms: Terms, limit: int | None) -> str:
    if reason is Reason.OOM:
        return "it needed more memory than " + (f"the {format_memory(limit)} it may use" if limit else "there is")
    if reason is Reason.TIMEOUT and terms.time_limit is not None:
        return f"it ran longer than its time limit of {format_duration(terms.time_limit)}"
    return ""
