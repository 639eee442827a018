"""Amounts written as text: memory (bytes), CPUs, durations (seconds)."""

from __future__ import annotations

import math
import re
import sys

_DECIMAL = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24, "R": 27, "Q": 30}
_SMALL = {"m": -3, "u": -6, "n": -9}
_BINARY = {prefix + "i": 1024**power for prefix, power in zip("KMGTPEZY", range(1, 9), strict=True)}
_NUMBER = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?\s*([A-Za-z]*)", re.ASCII)
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:\.[0-9]+)?)s?)?", re.ASCII)


def parse_memory(text: str | int | float) -> int:
    """Bytes of a memory amount, rounded up: ``1024``, ``500Mi``, ``1.5 GB``, ``2e9``, ``800m``.

    Every Kubernetes quantity is read, and a trailing ``B``, ``byte`` or ``Byte`` is allowed.
    Raises ValueError for anything else, negative amounts included.
    """
    parts = _parts(text)
    if parts is None:
        raise ValueError(f"{text!r} is not an amount of memory; write for example 500Mi or 2G")
    digits, exponent, unit = parts
    plain = unit
    for suffix in ("Bytes", "bytes", "Byte", "byte", "B"):
        if unit.endswith(suffix):
            plain = unit.removesuffix(suffix)
            break
    if unit in _SMALL:
        exponent += _SMALL[unit]
    elif plain in _BINARY:
        digits *= _BINARY[plain]
    elif plain in _DECIMAL:
        exponent += _DECIMAL[plain]
    else:
        raise ValueError(f"{text!r} has an unknown unit of memory `{unit}`; write for example 500Mi or 2G")
    if digits < 0:
        raise ValueError(f"{text!r} is negative; an amount of memory can't be")
    return int(digits * 10**exponent) if exponent >= 0 else -(-digits // 10**-exponent)


def parse_cpus(text: str | int | float) -> float:
    """CPUs of a Kubernetes quantity: ``2``, ``0.5``, ``500m``. Raises ValueError for anything else."""
    parts = _parts(text)
    if parts is not None and parts[2] in ("", "m") and parts[0] > 0:
        digits, exponent, unit = parts
        exponent += _SMALL.get(unit, 0)
        if exponent < 300:
            return float(digits * 10**exponent) if exponent >= 0 else digits / 10**-exponent
    raise ValueError(f"{text!r} is not a number of CPUs; write for example 2, 0.5 or 500m")


def _parts(text: str | int | float) -> tuple[int, int, str] | None:
    """Digits, power of ten and unit of an amount, exactly; None when it is none."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    match = _NUMBER.fullmatch(str(text).strip()) if not isinstance(text, str) or len(text) < 100 else None
    if match is None:
        return None
    sign, whole, fraction, exponent, unit = match.groups("")
    return int(sign + whole + fraction), int(exponent or 0) - len(fraction), unit


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
