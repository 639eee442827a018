"""Scale rules: how a task's memory grows with the size of a channel (Kaapana Task API, ScaleRule)."""

from __future__ import annotations

import json
import re
from typing import Any

from trivet.contracts.fields import Fields, name_of
from trivet.contracts.kaapana.model import ScaleRule
from trivet.tasks.problem import closest

MODES = ("sum", "max_file_size", "max_item_sum")
HEADROOM = "1.1"
"""What the result of a rule is multiplied by, as the public implementation means to do on Kubernetes."""

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
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


def read_rule(parent: Fields, output: bool = False) -> ScaleRule | None:
    """The scale rule of a channel in either form; what is wrong with it is noted."""
    fields = parent.child("scale_rule", null=True)
    if fields is None:
        return None
    growth = _growth(fields)
    kind = _choice(fields, "type", ("limit", "request"))
    mode = _choice(fields, "mode", MODES)
    directory = _place(fields, "target_dir", "")
    regex = _regex(fields)
    glob = _place(fields, "target_glob", "*")
    headroom = _headroom(fields)
    if output:
        fields.note("K022", "a scale rule of an output is never evaluated", severity="warning")
    fields.unknown()
    return ScaleRule(*growth, kind, mode, directory, regex, glob, fields.path, headroom) if growth else None


def _headroom(fields: Fields) -> str:
    if not fields.has("headroom"):
        return HEADROOM
    number = None if isinstance(fields.data["headroom"], bool | str) else plain_number(fields.data["headroom"])
    if number is None or number.startswith("-") or float(number) < 1:
        message = f"`headroom` must be a number of at least 1, not {name_of(fields.data['headroom'])}"
        fields.note("type", message, "headroom")
        return HEADROOM
    return number


def _target(fields: Fields, key: str, default: str) -> str:
    if key in fields.data and fields.data[key] is None:
        message = f"`{key}` null crashes the public implementation; here it means {json.dumps(default)}"
        fields.note("K022", message, key, severity="warning", hint="leave it out")
    value: str = fields.get(key, str, default, null=True)
    return value


def _place(fields: Fields, key: str, default: str) -> str:
    """A directory or pattern below the channel."""
    target = _target(fields, key, default)
    if target.startswith("/") or ".." in target.split("/"):
        message = f"`{key}` {target!r} leads out of the channel"
        fields.note("K021", message, key, hint="write a path below the channel")
    if default and not target:
        fields.note("K021", f"`{key}` is empty", key, hint="leave it out")
    return target


def _regex(fields: Fields) -> str:
    regex = _target(fields, "target_regex", ".*")
    try:
        if regex != ".*":
            import warnings

            with warnings.catch_warnings(action="ignore"):
                re.compile(regex)
    except (re.error, RecursionError, OverflowError) as error:
        message = f"`target_regex` {regex!r} is not a regular expression: {error}"
        fields.note("K021", message, "target_regex")
    return regex


def _growth(fields: Fields) -> tuple[str, int] | None:
    """Coefficient and exponent, from either form."""
    complexity = fields.get("complexity", str, null=True)
    factor = _factor(fields)
    parsed = None
    if complexity is not None:
        try:
            parsed = parse_complexity(complexity)
        except ValueError as error:
            fields.note("K020", str(error), "complexity")
            return None
        if complexity.startswith("*"):
            fields.note("K022", f"{complexity!r} has no coefficient; it means n", "complexity", severity="warning")
        if parsed[0].startswith("-"):
            message = f"{complexity!r} is negative for every size; it counts as 0"
            fields.note("K022", message, "complexity", severity="warning")
        if parsed[1] == 0:
            message = f"{complexity!r} does not grow with the data"
            fields.note("K022", message, "complexity", severity="warning")
    if parsed is not None and factor is not None:
        if not linear(*parsed, factor):
            message = f"`complexity` {complexity!r} and `scale_factor` {factor} contradict each other"
            fields.note("K006", message, "complexity", hint="keep one of them")
            return None
        message = "`complexity` and `scale_factor` say the same; current readers look at `scale_factor` only"
        fields.note("K006", message, "complexity", severity="info")
    if parsed is not None:
        return parsed
    if factor is not None:
        return factor, 1
    if fields.data.get("scale_factor") is None and complexity is None:
        fields.note("missing", "a scale rule needs `scale_factor` (or `complexity`)")
    return None


def _factor(fields: Fields) -> str | None:
    """The scale factor as decimal text. Whole numbers are the contract's, written as text or true by its readers."""
    if not fields.has("scale_factor") or fields.data["scale_factor"] is None:
        return None
    value = fields.data["scale_factor"]
    number = plain_number(value)
    if number is None:
        fields.note("type", f"`scale_factor` must be a whole number, not {name_of(value)}", "scale_factor")
    elif isinstance(value, bool | str):
        message = f"`scale_factor` {json.dumps(value)} is read as {number}"
        fields.note("K002", message, "scale_factor", severity="warning", hint=f"write {number}")
    elif "." in number:
        message = f"`scale_factor` {number} is not a whole number; the public implementation refuses it"
        fields.note("K022", message, "scale_factor", severity="info")
    if number is not None and number.startswith("-"):
        message = f"`scale_factor` {number} is negative for every size; it counts as 0"
        fields.note("K022", message, "scale_factor", severity="warning")
    return number


def plain_number(value: Any) -> str | None:
    """A number as decimal text without an exponent; None for what is none, or is beyond any memory."""
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            return None
        value = int(value)
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else None
    if isinstance(value, float) and abs(value) < 1e18:
        return str(int(value)) if value.is_integer() else f"{value:.12f}".rstrip("0").rstrip(".")
    return None


def _choice(fields: Fields, key: str, words: tuple[str, ...]) -> str:
    word: str = fields.get(key, str, "", required=True)
    if word not in words and isinstance(fields.data.get(key), str):
        fields.note("K002", f"`{key}` must be one of {', '.join(words)}, not {word!r}", key, hint=closest(word, words))
    return word


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
