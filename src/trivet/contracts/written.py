"""What writing a document in another form gives: its files, and what they could not keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trivet.tasks.problem import Problem


@dataclass(frozen=True, slots=True)
class Written:
    """Files by name, in the order a reader wants them, and a warning for everything that is not in them.

    The paths of the warnings are those of the document that was read.
    """

    files: Mapping[str, str]
    lost: tuple[Problem, ...] = ()
