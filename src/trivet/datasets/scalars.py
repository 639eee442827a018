"""The values that attributes and types of images may have."""

from __future__ import annotations

import math
from typing import Any

Scalar = bool | int | float | str

_WORDS = {True: ("1", "on", "t", "true", "y", "yes"), False: ("0", "off", "f", "false", "n", "no")}


def lax_boolean(value: Any) -> bool:
    """True or false as the public server reads them: also 0, 1 and words such as "yes". ValueError otherwise."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        for truth, words in _WORDS.items():
            if value.lower() in words:
                return truth
    raise ValueError(f"{value!r} is not true or false")


def attribute_fault(value: Any, null: bool) -> str:
    """What is wrong with a value as an attribute, empty when nothing is; ``null`` allows None."""
    if value is None:
        return "" if null else "can't be null"
    if not isinstance(value, bool | int | float | str):
        return "must be a number, text, true or false"
    if isinstance(value, float) and not math.isfinite(value):
        return f"can't be {value}"
    return "holds a NUL character" if isinstance(value, str) and "\x00" in value else ""
