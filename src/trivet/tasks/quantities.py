"""Amounts written as text: memory (bytes), CPUs, durations (seconds)."""

from __future__ import annotations

import math
import re
import sys
from fractions import Fraction

_DECIMAL = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6, "Z": 7, "Y": 8, "R": 9, "Q": 10}
_BINARY = {prefix + "i": power for prefix, power in zip("KMGTPEZY", range(1, 9), strict=True)}
_SMALL = {"m": 10**3, "u": 10**6, "n": 10**9}
_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*([A-Za-z]*)", re.ASCII)
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]+)?)s?)?", re.ASCII)


def parse_memory(text: str | int | float) -> int:
    """Bytes of a memory amount, rounded up: ``1024``, ``500Mi``, ``1.5 GB``, ``2e9``, ``800m``.

    Every Kubernetes quantity is read, and a trailing ``B``, ``byte`` or ``Byte`` is allowed.
    Raises ValueError for anything else, negative amounts included.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not an amount of memory; write for example 500Mi or 2G")
    match = _NUMBER.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory; write for example 500Mi or 2G")
    number, unit = Fraction(match[1]), match[2]
    for suffix in ("Bytes", "bytes", "Byte", "byte", "B"):
        if unit.endswith(suffix):
            unit = unit.removesuffix(suffix)
            break
    if match[2] in _SMALL:
        number /= _SMALL[unit]
    elif unit in _BINARY:
        number *= 1024 ** _BINARY[unit]
    elif unit in _DECIMAL:
        number *= 1000 ** _DECIMAL[unit]
    else:
        raise ValueError(f"{text!r} has an unknown unit of memory `{match[2]}`; write for example 500Mi or 2G")
    if number < 0:
        raise ValueError(f"{text!r} is negative; an amount of memory can't be")
    return math.ceil(number)


def parse_cpus(text: str | int | float) -> float:
    """CPUs of a Kubernetes quantity: ``2``, ``0.5``, ``500m``. Raises ValueError for anything else."""
    if not isinstance(text, bool) and isinstance(text, str | int | float):
        match = _NUMBER.fullmatch(str(text).strip())
        if match is not None and match[2] in ("", "m"):
            number = Fraction(match[1]) / (1000 if match[2] else 1)
            if number > 0:
                return float(number)
    raise ValueError(f"{text!r} is not a number of CPUs; write for example 2, 0.5 or 500m")


def parse_duration(text: str | int | float) -> float:
    """Seconds of a duration: ``90``, ``1.5s``, ``10m``, ``1h30m``, ``2d``. Raises ValueError for anything else."""
    fault = f"{text!r} is not a duration; write for example 90, 10m or 1h30m"
    if isinstance(text, bool):
        raise ValueError(fault)
    if isinstance(text, int | float):
        seconds = float(text) if abs(text) < sys.float_info.max else math.inf
    else:
        match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None or not match[0]:
            raise ValueError(fault)
        days, hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if not 0 <= seconds < math.inf:
        raise ValueError(fault)
    return seconds


def format_memory(amount: int) -> str:
    """Bytes for people: ``1.5 GiB``."""
    size = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def format_duration(seconds: float) -> str:
    """Seconds for people: ``0.42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
