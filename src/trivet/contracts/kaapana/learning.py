"""Fitting a scale rule to what past runs measured: pure arithmetic, exact where it decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from statistics import median
from typing import NamedTuple

MARGIN = Fraction(6, 5)
"""What a suggestion gives beyond the most that any run used. The headroom of scale rules comes on top."""

RUNS, SIZES, SPREAD = 5, 3, Fraction(3, 2)
"""Fewer runs, fewer different sizes, or a largest size below so many times the smallest say too little."""

GROWS = Fraction(1, 10)
"""Memory that differs by less than this part over all sizes does not depend on them."""

CANDIDATES = 200
"""So many factors are tried at most."""


class TooFewError(ValueError):
    """The runs say too little to fit anything; the message tells what is missing."""


class Observation(NamedTuple):
    """One past unit: the size ``n`` of its channel and its peak memory, in bytes.

    ``whole`` False: it was ended for lack of memory, so it needed more than this peak.
    """

    n: int
    peak: int
    whole: bool = True


class Fit(NamedTuple):
    """The memory ``max(floor, factor * n)`` bytes, which covers every observation with `MARGIN`.

    ``factor`` 0: memory does not grow with this size. ``used`` holds the smallest, the middle and the largest part of
    it that the runs used; ``waste`` is the mean of the logarithm of given to used, the less the better.
    """

    factor: Fraction
    floor: int
    runs: int
    smallest: int
    largest: int
    used: tuple[float, float, float]
    waste: float


def fit(observations: Sequence[Observation]) -> Fit:
    """The rule that covers all observations and gives the least too much. Raises TooFewError.

    Memory grows at least as fast as the line through the observations beyond their sizes, so that what is larger than
    anything seen is not starved.
    """
    seen = [one for one in observations if one.n > 0 and one.peak > 0]
    _enough(seen)
    top = max(one.n for one in seen)
    least = _least_factor(seen, top)
    factor = Fraction(0)
    if least is not None:
        steeper = sorted({Fraction(one.peak, one.n) for one in seen if one.peak > least * one.n})
        candidates = [least, *steeper[:: 1 + len(steeper) // CANDIDATES]]
        factor = min(candidates, key=lambda candidate: _waste(seen, candidate, _floor(seen, candidate)))
    floor = _floor(seen, factor)
    parts = sorted(float(one.peak / (MARGIN * max(Fraction(floor), factor * one.n))) for one in seen if one.whole)
    return Fit(
        factor * MARGIN,
        math.ceil(floor * MARGIN),
        len(seen),
        min(one.n for one in seen),
        top,
        (parts[0], median(parts), parts[-1]),
        _waste(seen, factor, floor),
    )


def rounded(factor: Fraction) -> str:
    """A factor as decimal text of three digits that count, rounded up: never less than it was."""
    exact = Context(prec=60, rounding=ROUND_CEILING).divide(Decimal(factor.numerator), Decimal(factor.denominator))
    text = f"{Context(prec=3, rounding=ROUND_CEILING).plus(exact):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _enough(seen: Sequence[Observation]) -> None:
    whole = sum(one.whole for one in seen)
    sizes = {one.n for one in seen}
    if whole < RUNS:
        raise TooFewError(f"too few runs ended well and were measured: {whole}; {RUNS} are needed")
    if len(sizes) < SIZES:
        raise TooFewError(f"the runs read channels of {len(sizes)} different sizes; {SIZES} are needed")
    if max(sizes) < SPREAD * min(sizes):
        raise TooFewError(
            f"the channels are all of about one size ({min(sizes):,} to {max(sizes):,} bytes); "
            f"run it on one that is at least {float(SPREAD):g} times as large"
        )


def _least_factor(seen: Sequence[Observation], top: int) -> Fraction | None:
    """The smallest factor that does not fall behind the observations beyond the largest size; None without growth."""
    count = len(seen)
    mean_n = Fraction(sum(one.n for one in seen), count)
    mean_peak = Fraction(sum(one.peak for one in seen), count)
    together = sum(((one.n - mean_n) * (one.peak - mean_peak) for one in seen), Fraction(0))
    slope = together / sum(((one.n - mean_n) ** 2 for one in seen), Fraction(0))
    if slope * (top - min(one.n for one in seen)) <= mean_peak * GROWS:
        return None
    at_top = mean_peak + slope * (top - mean_n)
    return max(slope, at_top / top, *(Fraction(one.peak, one.n) for one in seen if one.n == top))


def _floor(seen: Sequence[Observation], factor: Fraction) -> int:
    return max((one.peak for one in seen if one.peak > factor * one.n), default=0)


def _waste(seen: Sequence[Observation], factor: Fraction, floor: int) -> float:
    whole = [one for one in seen if one.whole]
    slope = float(factor)
    return sum(math.log(max(floor, slope * one.n) / one.peak) for one in whole) / len(whole)
