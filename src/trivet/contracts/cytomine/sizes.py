"""Amounts of memory as Cytomine writes them (App Engine tasks, memory sizes), in one grammar for every field."""

from __future__ import annotations

import re

from trivet.tasks.quantities import parse_memory

_SIZE = re.compile(
    r"((?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(\s*)(Ki|Mi|Gi|Ti|Pi|Ei|Zi|Yi|[kMGTPEZYRQ])?(Bytes?|bytes?|B|bits?|b)?", re.ASCII
)


def parse_size(text: str, bits: bool = False) -> tuple[int, str]:
    """Bytes of a size (``1Gi``, ``100 Mi``, ``1.5MB``; with ``bits`` also ``25Kib``), rounded up, and its plain form.

    The plain form (``1Gi``) is what every version of the public engine reads. A number without any unit is refused,
    as it always was. Raises ValueError.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or not (match[3] or match[4]):
        raise ValueError(f"{text!r} is not a size; write for example 500Mi or 2Gi (k is the only small prefix)")
    number, _, prefix, suffix = match.groups()
    amount = parse_memory(number + (prefix or ""))
    if suffix is None or suffix[0] in "B" or suffix.startswith("byte"):
        return amount, number + (prefix or "B")
    if not bits:
        raise ValueError(f"{text!r} counts bits; write for example 500Mi or 2Gi")
    return -(-amount // 8), f"{-(-amount // 8)}B"
