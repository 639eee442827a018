"""Amounts of memory as the configuration of a site writes them."""

from __future__ import annotations

import re
from typing import Any

_FACTORS = {"": 1, "M": 1, "G": 1000, "T": 1_000_000}


def megabytes(amount: Any) -> int:
    """Megabytes, as ``sbatch --mem`` counts them, of a whole number or a text: ``500``, ``500M``, ``2G``, ``1T``.

    G is 1000 M, T is 1000 G. Raises ValueError for anything else: decimals, other units, true, nothing at all.
    """
    match = re.fullmatch(r"([0-9]+)([MGT]?)", str(amount).strip(), re.ASCII)
    if match is None or isinstance(amount, bool | float) or not int(match[1]):
        raise ValueError(f"{amount!r} is no amount of memory; write megabytes, or a whole number with M, G or T")
    return int(match[1]) * _FACTORS[match[2]]
