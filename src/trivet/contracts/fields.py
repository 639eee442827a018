"""Reading plain data field by field: every fault becomes a problem with its path, and nothing raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from trivet.tasks.problem import DocumentPath, Problem, Severity, nearest

T = TypeVar("T")

_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


class Fields:
    """An object of a document while it is read.

    ``get`` and its siblings return a value of the wanted type, or the default where it is absent or wrong; what is
    wrong is noted. Keys nobody asked for are reported by `unknown`.
    """

    def __init__(self, data: Any, problems: list[Problem], codes: Mapping[str, str], path: DocumentPath = ()) -> None:
        """``codes`` gives the problem codes for: missing, type, unknown."""
        self.problems = problems
        self.path = path
        self.codes = codes
        self._asked: dict[str, None] = {}
        self.valid = isinstance(data, dict)
        self.data: dict[str, Any] = data if isinstance(data, dict) else {}
        if not self.valid:
            self.note("type", f"{self._where()} must be an object, not {name_of(data)}")

    def note(self, code: str, message: str, *steps: str | int, severity: Severity = "error", hint: str = "") -> None:
        """Note a problem at a path below this object; ``code`` may be one of the roles in ``codes``."""
        code = self.codes.get(code, code)
        self.problems.append(Problem(code, message, severity, hint, path=(*self.path, *steps)))

    def has(self, key: str) -> bool:
        """True when the key is there (whatever its value); counts as asked."""
        self._asked[key] = None
        return key in self.data

    def asked(self, key: str) -> bool:
        """True when somebody looked at the key."""
        return key in self._asked

    def get(self, key: str, kind: type[T], default: T | None = None, required: bool = False, null: bool = False) -> Any:
        """The value of a key when it is of that type.

        Booleans are no numbers; whole floats are integers, and integers are floats.
        """
        self._asked[key] = None
        if key not in self.data:
            if required and self.valid:
                near = nearest(key, (other for other in self.data if other not in self._asked))
                hint = f"is `{near}` a misspelling of it?" if near else ""
                self.note("missing", f"{self._where()} lacks `{key}`", hint=hint)
            return default
        value = self.data[key]
        if value is None and null:
            return default
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        accepted = (int, float) if kind is float else kind
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            self.note("type", f"`{key}` must be {_NAMES.get(kind, kind.__name__)}, not {name_of(value)}", key)
            return default
        return value

    def objects(self, key: str, required: bool = False, null: bool = False) -> Iterator[Fields]:
        """The items of a list of objects; items that aren't are noted and left out."""
        for index, item in enumerate(self.get(key, list, [], required, null) or []):
            fields = Fields(item, self.problems, self.codes, (*self.path, key, index))
            if fields.valid:
                yield fields

    def child(self, key: str, required: bool = False, null: bool = False) -> Fields | None:
        """The object at a key, None where absent or wrong."""
        value = self.get(key, dict, None, required, null)
        return None if value is None else Fields(value, self.problems, self.codes, (*self.path, key))

    def strings(self, key: str, null: bool = False) -> tuple[str, ...] | None:
        """A list of texts, None where absent; wrong items are noted and left out."""
        items = self.get(key, list, None, null=null)
        if items is None:
            return None
        for index, item in enumerate(items):
            if not isinstance(item, str):
                self.note("type", f"item {index} of `{key}` must be text, not {name_of(item)}", key, index)
        return tuple(item for item in items if isinstance(item, str))

    def unknown(self, known: Sequence[str] = (), severity: Severity = "warning") -> None:
        """Warn about every key that was never asked for, or refuse it."""
        for key in self.data:
            if key not in self._asked and key not in known:
                near = nearest(key, (name for name in (*self._asked, *known) if name not in self.data))
                hint = f"did you mean `{near}`?" if near else ""
                message = f"unknown field `{key}`" + (" is ignored" if severity == "warning" else "")
                self.note("unknown", message, key, severity=severity, hint=hint)

    def _where(self) -> str:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return f"`{steps.removeprefix('.')}`" if steps else "the document"


def name_of(data: Any) -> str:
    """What a piece of data is, in words."""
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, int | float):
        return f"the number {data}"
    if isinstance(data, str):
        return f"the text {data!r}" if len(data) <= 40 else "a text"
    return _NAMES.get(dict if isinstance(data, dict) else type(data), type(data).__name__)


def duplicates(items: Sequence[T], key: Callable[[T], str]) -> Iterator[tuple[int, str]]:
    """Index and key of every item whose key an earlier item has."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = key(item)
        if name in seen:
            yield index, name
        seen.add(name)
