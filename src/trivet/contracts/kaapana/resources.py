"""Amounts of resources as Kubernetes writes them, merged per key and in neutral words (Kaapana Task API, Resources)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trivet.contracts.kaapana.model import Amounts
    from trivet.tasks.task import Resources

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,100}(?:\.[0-9]{0,100})?|\.[0-9]{1,100}))(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)",
    re.ASCII,
)
_BYTES = re.compile(r"([0-9]{1,100}(?:\.[0-9]{1,100})?)((?:[KMGTPEZY]i)?B|[ZY]i)", re.ASCII)
_DECIMAL = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_BINARY = {prefix + "i": power for power, prefix in enumerate("KMGTPEZY", 1)}


def quantity(amount: Any) -> Fraction:
    """The exact value of a Kubernetes quantity: ``500m``, ``2Gi``, ``1e9``, ``1.5``, or a JSON number.

    Amounts of bytes as the public implementation also reads them (``500KiB``, ``10B``) count too.
    Raises ValueError for anything else, negative amounts included.
    """
    value = None
    if isinstance(amount, str):
        if match := _QUANTITY.fullmatch(amount):
            number, exponent, suffix = match.groups()
            value = Fraction(number) * (Fraction(10) ** int(exponent) if exponent else _factor(suffix or ""))
        elif match := _BYTES.fullmatch(amount):
            value = Fraction(match[1]) * _factor(match[2].removesuffix("B"))
    elif isinstance(amount, int | float) and not isinstance(amount, bool) and math.isfinite(amount):
        value = Fraction(str(amount))
    if value is None:
        raise ValueError(f"{_shown(amount)} is not a Kubernetes quantity; write for example 500Mi, 2 or 500m")
    if value < 0:
        raise ValueError(f"{_shown(amount)} is negative; an amount can't be")
    return value


def is_foreign(amount: Any) -> bool:
    """True for amounts that the public implementation reads, but Kubernetes refuses (``500KiB``)."""
    return isinstance(amount, str) and _BYTES.fullmatch(amount) is not None


def merged(template: Amounts, task: Amounts) -> Amounts:
    """Limits and requests, key by key; the task's word counts."""
    return {half: {**template.get(half, {}), **task.get(half, {})} for half in {**template, **task}}


def neutral(amounts: Amounts) -> Resources:
    """What the limits say in neutral words. GPUs of every vendor are added up."""
    from trivet.tasks.task import Resources

    limits: Mapping[str, Any] = amounts.get("limits", {})
    gpus = sum((quantity(amount) for key, amount in limits.items() if is_gpu(key)), Fraction(0))
    return Resources(
        cpus=float(quantity(limits["cpu"])) or None if "cpu" in limits else None,
        memory=math.ceil(quantity(limits["memory"])) or None if "memory" in limits else None,
        gpus=math.ceil(gpus) or None,
    )


def is_gpu(key: str) -> bool:
    """True for extended resources such as ``nvidia.com/gpu`` and ``gpu.intel.com/i915``."""
    return "/" in key and "gpu" in key.lower()


def _factor(suffix: str) -> Fraction:
    if suffix in _BINARY:
        return Fraction(1024) ** _BINARY[suffix]
    return Fraction(1000) ** _DECIMAL[suffix]


def _shown(amount: Any) -> str:
    text = repr(amount)
    return text if len(text) <= 60 else text[:57] + "…"
