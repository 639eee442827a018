"""What it means how `apptainer exec` ended. Pure."""

from __future__ import annotations

from dataclasses import replace
from signal import SIGTERM

from trivet.tasks.states import Reason
from trivet.tasks.work import Outcome

REFUSED = 255
"""What Apptainer ends with when it could not start the program."""

TOLD = 8192
"""So many bytes of a log's begin are enough to see whether Apptainer alone has spoken."""

_SPEAKS = ("FATAL:", "ERROR:", "WARNING:", "INFO:")
_SIGNALS = range(129, 160)


def explained(outcome: Outcome, log: bytes) -> Outcome:
    """The outcome of the container, given that of the command and the first bytes of its log.

    Apptainer ends with 128 + its program's signal. With 255, and nothing in the log but its own words of which the last
    is FATAL, it has started nothing: no such program or working directory, a site that forbids something, or a TERM
    that came too early to be handed on.
    """
    code = outcome.exit_code
    if code is not None and code in _SIGNALS and outcome.signal is None:
        return replace(outcome, signal=code - 128)
    lines = log.decode(errors="replace").splitlines() if code == REFUSED else []
    if not lines or not lines[-1].startswith("FATAL:") or not all(line.startswith(_SPEAKS) for line in lines):
        return outcome
    if outcome.reason is not None:
        return replace(outcome, exit_code=128 + SIGTERM, signal=int(SIGTERM))
    said = lines[-1].removeprefix("FATAL:").strip()
    return replace(outcome, exit_code=None, reason=Reason.SUBMIT_ERROR, message=f"Apptainer did not start it: {said}")
