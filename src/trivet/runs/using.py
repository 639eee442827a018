"""How well what the units of a run asked for fits what they used, phase by phase, from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from trivet.runs.efficiency import Efficiency, efficiency
from trivet.runs.progress import Progress
from trivet.tasks.work import NOTHING_SAID, AttemptId, Demand


def phases(progress: Progress, root: Path) -> Iterator[tuple[int, Efficiency]]:
    """Each phase in which units ran, with their efficiency; ``root`` is the directory of the run or job.

    Units count by their last attempt. What a batch system was asked for counts more than what tasks have said.
    Raises OSError.
    """
    submitted = _submitted(root)
    for phase in dict.fromkeys(unit.phase for unit in progress.units):
        found = efficiency(
            (submitted.get(progress.attempt(number)) or progress.demands.get(number, NOTHING_SAID), outcome)
            for number, outcome in sorted(progress.outcomes.items())
            if progress.units[number].phase == phase
        )
        if found is not None:
            yield phase, found


def _submitted(root: Path) -> Mapping[AttemptId, Demand]:
    home = root / "slurm"
    if not home.is_dir():
        return {}
    from trivet.engines.slurm import submission

    return {id: found.demand for found in submission.read(home) for ids in found.elements for id in ids}
