"""From measured channels to the memory a unit may use: scale rules over fixed amounts (Kaapana Task API, ScaleRule).

Only memory is scaled, as every published implementation does. The same numbers go to every engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from trivet.contracts.kaapana.measuring import Size
from trivet.contracts.kaapana.model import Amounts, ScaleRule
from trivet.contracts.kaapana.resources import quantity
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.quantities import format_memory

LARGEST = 2**63 - 1
"""Bytes; no engine takes a larger amount."""

SMALLEST = 6 * 1024 * 1024
"""Bytes; Docker starts no container with less."""

_HALVES = {"limit": "limits", "request": "requests"}


class Sized(NamedTuple):
    """An input channel that has a scale rule, and its size."""

    channel: str
    rule: ScaleRule
    size: Size


class Scaled(NamedTuple):
    """Amounts with their memory scaled, and what is to be said about them.

    ``expected`` is the limit without headroom, in bytes: more than the rules and the fixed limit foresee. None where
    no rule raises the limit.
    """

    amounts: Amounts
    notes: tuple[Problem, ...] = ()
    expected: int | None = None


def need(rule: ScaleRule, n: int) -> int:
    """Bytes of memory that a rule asks for at a measured size of ``n`` bytes: exact, rounded up, never negative.

    Raises OverflowError beyond 2^63-1 bytes.
    """
    coefficient = Fraction(rule.coefficient)
    if coefficient <= 0:
        return 0
    # A coefficient has at most a hundred digits, so a power of that many bits can't come back below 2^63 any more.
    if n > 1 and rule.exponent * (n.bit_length() - 1) > 500:
        raise OverflowError
    value: int = math.ceil(coefficient * n**rule.exponent)
    if value > LARGEST:
        raise OverflowError
    return value


def scaled(amounts: Amounts, channels: Sequence[Sized]) -> Scaled:
    """Limits and requests of memory as the rules of these channels want them.

    Of each, the largest of the fixed amount and of what the rules ask for with their headroom; a fixed amount that
    counts stays as it is written. A request above a limit that has a rule raises the limit.
    Raises ProblemsError when a rule asks for more than 2^63-1 bytes, or a request is above a fixed limit.
    """
    grown = [_grown(one) for one in channels]
    chosen = {kind: max(_fixed(amounts, kind), *_of(kind, grown), 0) for kind in _HALVES}
    raised = chosen["request"] > chosen["limit"] > 0
    if raised:
        if not _of("limit", grown):
            raise ProblemsError([_above(grown, chosen["request"], chosen["limit"])])
        chosen["limit"] = chosen["request"]
    result = {half: dict(values) for half, values in amounts.items()}
    notes = []
    for kind, half in _HALVES.items():
        if chosen[kind] > _fixed(amounts, kind):
            result.setdefault(half, {})["memory"] = str(chosen[kind])
        if _of(kind, grown):
            notes.append(_explained(kind, chosen[kind], grown, amounts, raised and kind == "limit"))
    needs = [one.need for one in grown if one.rule.kind == "limit"]
    expected = max(*needs, _fixed(amounts, "limit")) if any(needs) else None
    return Scaled(result, (*notes, *(note for one in channels for note in _left_out(one))), expected)


def growth(rule: ScaleRule) -> str:
    """The rule's growth as a complexity of the contract: ``25*n``, ``0.5*n**2``."""
    return f"{rule.coefficient}*n" + ("" if rule.exponent == 1 else f"**{rule.exponent}")


class _Grown(NamedTuple):
    """What a rule asks for, in bytes: by itself and with headroom."""

    channel: str
    rule: ScaleRule
    size: Size
    need: int
    amount: int


def _grown(one: Sized) -> _Grown:
    try:
        asked = need(one.rule, one.size.n)
        amount = math.ceil(Fraction(one.rule.headroom) * asked)
        if amount > LARGEST:
            raise OverflowError
    except OverflowError:
        message = (
            f"the scale rule {growth(one.rule)} of channel `{one.channel}` asks for more than 2^63-1 bytes: "
            f"n is {one.size.n:,} bytes"
        )
        hint = "check the rule's factor and exponent; n and the result are bytes"
        raise ProblemsError([Problem("K028", message, hint=hint)]) from None
    return _Grown(*one, asked, amount)


def _of(kind: str, grown: Sequence[_Grown]) -> list[int]:
    return [one.amount for one in grown if one.rule.kind == kind]


def _fixed(amounts: Amounts, kind: str) -> int:
    return math.ceil(quantity(amounts.get(_HALVES[kind], {}).get("memory", 0)))


def _above(grown: Sequence[_Grown], request: int, limit: int) -> Problem:
    parts = [_counted(one) for one in grown if one.rule.kind == "request"] or ["fixed"]
    message = f"{request:,} bytes of memory are requested ({'; '.join(parts)}), more than the limit of {limit:,}"
    return Problem("K028", message, hint="raise `resources.limits.memory`, or give the limit a scale rule too")


def _explained(kind: str, amount: int, grown: Sequence[_Grown], amounts: Amounts, raised: bool) -> Problem:
    """How a number came about: every channel with its n, rule and result, headroom, and the fixed amount."""
    fixed = amounts.get(_HALVES[kind], {}).get("memory")
    parts = [_counted(one) for one in grown if one.rule.kind == kind]
    parts.append("nothing fixed" if fixed is None else f"fixed {fixed}")
    if raised:
        parts.append("raised to the request")
    words = f"{amount:,} bytes ({format_memory(amount)})" if amount else "none"
    message = f"memory {kind} {words}: {'; '.join(parts)}"
    if kind == "limit" and 0 < amount < SMALLEST:
        hint = "Docker starts nothing with less than 6 MiB; fix the least it needs in `resources.limits.memory`"
        return Problem("K026", message, "warning", hint)
    return Problem("K026", message, "info")


def _counted(one: _Grown) -> str:
    rule, size = one.rule, one.size
    targets = [rule.target_dir, "" if rule.target_glob == "*" else rule.target_glob]
    targets.append("" if rule.target_regex == ".*" else f"/{rule.target_regex}/")
    of = " ".join(target for target in targets if target)
    where = f", {size.largest}" if size.largest else ""
    measured = f"n = {size.n:,} bytes ({rule.mode}{f' of {of}' if of else ''}{where})"
    return f"channel `{one.channel}` {measured}, {growth(rule)} = {one.need:,}, with headroom {rule.headroom}"


def _left_out(one: Sized) -> list[Problem]:
    problems = []
    if one.size.foreign:
        message = f"not counted in channel `{one.channel}`: links that lead out of it ({one.size.foreign})"
        problems.append(Problem("K029", message, "warning", "a container does not see what they lead to either"))
    if one.size.unreadable:
        message = f"not counted in channel `{one.channel}`: what can't be read ({one.size.unreadable})"
        problems.append(Problem("K029", message, "warning"))
    return problems
