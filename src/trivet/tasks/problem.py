"""One finding about a document, a call or a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning", "info"]
DocumentPath = tuple[str | int, ...]
"""Where a value stands in a document: keys of objects and indices of lists, from the root."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: a code, a sentence a person understands, where it is, and what to do.

    ``line`` and ``column`` count from 1; they are known once the text of the document was looked at.
    """

    code: str
    message: str
    severity: Severity = "error"
    hint: str = ""
    file: str = ""
    path: DocumentPath = ()
    line: int | None = None
    column: int | None = None

    def at(self, file: str, line: int | None = None, column: int | None = None) -> Problem:
        """The same finding, placed in a file."""
        return replace(self, file=file, line=line, column=column)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in (None, ""))
        text = f"{self.severity} {self.code} {self.message}"
        if self.hint:
            text += f" ({self.hint})"
        return f"{place}: {text}" if place else text


class ProblemsError(ValueError):
    """Something was refused; ``problems`` says every reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def has_errors(problems: Iterable[Problem]) -> bool:
    """True when at least one of the findings is an error."""
    return any(problem.severity == "error" for problem in problems)


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` is probably a misspelling of (whatever the case of its letters), or None."""
    from difflib import get_close_matches

    folded = {name.casefold(): name for name in candidates}
    near = get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def closest(word: str, candidates: Iterable[str]) -> str:
    """A hint that names the candidate nearest to ``word``, or all of them when none is near."""
    names = list(candidates)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if not names:
        return ""
    shown = ", ".join(f"`{name}`" for name in names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
