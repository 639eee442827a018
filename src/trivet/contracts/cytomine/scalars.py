"""Scalars as the text of a file (App Engine tasks, types): strict about what they mean, tolerant of white space."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from trivet.tasks import types
from trivet.tasks.types import ValueType
from trivet.tasks.values import Value

MAX_DIGITS = 3_500
"""Longest integer read, whatever its base: Python refuses to show more than 4,300 decimal digits."""

_INTEGER = re.compile(
    r"([+-]?)(?:0b([01][01_]*)|0x([0-9a-fA-F][0-9a-fA-F_]*)|(0[0-7_]+)|(0|[1-9][0-9_]*))", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?inf(?:inity)?|nan", re.I | re.ASCII)


def to_text(kind: ValueType, value: Value) -> str:
    """The text of a valid value, without a newline at the end. Raises ValueError for what has no text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(kind, types.Datetime):
        return types.parse_datetime(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return repr(value)
    return str(value)


def from_text(kind: ValueType, text: str) -> Value:
    """The value a text means; constraints are not looked at. Raises ValueError with a sentence.

    Strings are left untouched; everything else may have white space around it. Integers may be written in base 2
    (``0b``), 8 (``0``), 10 and 16 (``0x``), with ``_`` between digits.
    """
    if isinstance(kind, types.String):
        return text
    bare = text.strip()
    if isinstance(kind, types.Enumeration):
        return text if text in kind.values else bare
    if isinstance(kind, types.Boolean):
        if bare not in ("true", "false"):
            raise ValueError(f"{_short(bare)} is neither true nor false")
        return bare == "true"
    if isinstance(kind, types.Integer):
        return _integer(bare)
    if isinstance(kind, types.Number):
        if not _NUMBER.fullmatch(bare):
            raise ValueError(f"{_short(bare)} is not a number")
        return float(bare)
    return to_text(kind, bare)


def faults(kind: ValueType, value: Value) -> Iterator[tuple[str, str]]:
    """What is wrong with a value, as problem codes and sentences in the order the contract gives them."""
    return zip(_codes(kind, value), kind.faults(value), strict=True)


def _codes(kind: ValueType, value: Value) -> Iterator[str]:
    """One code for each sentence that the type itself says."""
    if not any(kind.faults(value)):
        return
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(kind, types.Number) and numeric:
        yield from _bound_codes(kind, value)
        if isinstance(value, float) and math.isinf(value) and not kind.allow_infinity:
            yield "C225"
        if isinstance(value, float) and math.isnan(value) and not kind.allow_nan:
            yield "C226"
    elif isinstance(kind, types.Integer) and numeric and isinstance(value, int):
        yield from _bound_codes(kind, value)
    elif isinstance(kind, types.String) and isinstance(value, str):
        yield "C229" if len(value) < kind.min_length else "C230"
    elif isinstance(kind, types.Datetime) and isinstance(value, str):
        yield from _instant_codes(kind, value)
    else:
        yield "C203" if isinstance(kind, types.Boolean | types.Enumeration) else "C220"


def _bound_codes(kind: types.Integer | types.Number, value: Any) -> Iterator[str]:
    broken = {
        "C221": kind.above is not None and value <= kind.above,
        "C222": kind.minimum is not None and value < kind.minimum,
        "C223": kind.below is not None and value >= kind.below,
        "C224": kind.maximum is not None and value > kind.maximum,
    }
    return (code for code, is_broken in broken.items() if is_broken)


def _instant_codes(kind: types.Datetime, text: str) -> Iterator[str]:
    try:
        instant = types.parse_datetime(text)
    except ValueError:
        yield "C202"
        return
    if kind.after is not None and instant < kind.after:
        yield "C227"
    if kind.before is not None and instant > kind.before:
        yield "C228"


def _integer(text: str) -> int:
    match = _INTEGER.fullmatch(text)
    if match is None:
        hint = "; a number that starts with 0 is octal" if re.fullmatch(r"[+-]?0[0-9]+", text) else ""
        raise ValueError(f"{_short(text)} is not a whole number{hint}")
    sign, *digits = match.groups()
    found, base = next((d, b) for d, b in zip(digits, (2, 16, 8, 10), strict=True) if d is not None)
    plain = found.replace("_", "")
    if len(plain) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(plain)} digits is too long; at most {MAX_DIGITS} are read")
    value = int(plain, base)
    return -value if sign == "-" else value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
