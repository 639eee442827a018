"""Scale rules: how a task's memory grows with the size of a channel (Kaapana Task API, ScaleRule)."""

from __future__ import annotations

import re

MODES = ("sum", "max_file_size", "max_item_sum")

_COMPLEXITY = re.compile(r"([-+]?)([0-9]*(?:\.[0-9]+)?)\*?n(?:\*\*([0-9]+))?", re.ASCII)


def parse_complexity(text: str) -> tuple[str, int]:
    """Coefficient (a decimal number as text) and exponent of ``2.5*n``, ``n**2``, ``-3*n``, ``.5n`` …

    n is the measured size in bytes, the result memory in bytes. Raises ValueError for anything else.
    """
    match = _COMPLEXITY.fullmatch(text) if len(text) <= 100 else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a complexity; write for example 25*n, 0.5*n**2 or n")
    sign, coefficient, exponent = match.groups()
    return sign.replace("+", "") + (coefficient or "1"), 1 if exponent is None else int(exponent)


def linear(coefficient: str, exponent: int, factor: str) -> bool:
    """True when the complexity means the same as the scale factor."""
    from fractions import Fraction

    return exponent == 1 and Fraction(coefficient) == Fraction(factor)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
