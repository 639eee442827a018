"""Findings as problems: a sentence, what to do, and the line of Python that causes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.lint.more import KEY_HINT, KEY_PATTERN, NAME, UNVISITED, Finding
from trivet.contracts.fractal.lint.rules import INTERNAL, RULES
from trivet.contracts.fractal.lint.walk import CRASH, Steps, Violation, place
from trivet.tasks.problem import DocumentPath, Problem, Severity

if TYPE_CHECKING:
    from trivet.contracts.fractal.lint.sources import Sources

NOT_A_SCHEMA = "F044"

_HINTS = {
    NAME: "give the argument another name",
    KEY_HINT: "take a list of models that have the key as an attribute, or keys of text, and convert them in the task",
    KEY_PATTERN: "take a list of models that have the key as an attribute, or check the keys in the task",
}


class Teller:
    """Tells the findings of one schema; ``steps`` leads to it in the manifest."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        steps: DocumentPath,
        sources: Sources | None,
        executable: Any,
        refused: bool,
    ) -> None:
        """``refused`` tells whether the public tool would refuse the manifest for what it finds."""
        self.schema = schema
        self.steps = steps
        self.sources = sources
        self.executable = executable
        self.severity: Severity = "error" if refused else "warning"
        self.root = str(schema.get("title") or "the schema")

    def violation(self, violation: Violation) -> Problem:
        """The problem for something the public tool refuses."""
        code = violation.code
        if code == CRASH and _at(self.schema, violation.steps) is True:
            code = "E04"  # `true` takes everything, like a schema without a type
        if code in RULES:
            return self._by_rule(code, code, violation.steps, self.severity)
        message = INTERNAL + violation.told
        if code == CRASH:
            code, message = NOT_A_SCHEMA, "the public tool ends with an error of its own here: " + violation.told
        return self._problem(code, f"{self._subject(violation.steps)}: {message}", "", violation.steps, self.severity)

    def own(self, finding: Finding) -> Problem:
        """The problem for a finding of our own."""
        if finding.code == UNVISITED:
            return self._by_rule(UNVISITED, finding.detail, finding.steps, "warning")
        subject = self._subject(finding.steps)
        if finding.code == NAME:
            message = f"{subject} has a name that the public tool's documentation forbids, though the tool lets it pass"
        elif finding.code == KEY_HINT:
            message = (
                f"{subject} is `{finding.detail}`, whose keys are no text: in JSON they are, and the schema can't say"
                " more of them, so that the form takes any"
            )
        else:
            message = f"{subject} has a rule for its keys (`{finding.detail}`), which the public form does not draw"
        return self._problem(finding.code, message, _HINTS[finding.code], finding.steps, "warning")

    def _by_rule(self, code: str, rule: str, steps: Steps, severity: Severity) -> Problem:
        known = RULES[rule]
        unlike = "" if code == rule else f" (as {rule}, where the public tool does not look)"
        message = f"{self._subject(steps)} {known.what}{unlike}. {known.unseen}"
        return self._problem(code, message, known.rewrite, steps, severity)

    def _problem(self, code: str, message: str, hint: str, steps: Steps, severity: Severity) -> Problem:
        message = f"{message} [{place(self.root, steps)}]"
        problem = Problem(code, message, severity, hint, path=self.steps + steps)
        found = self._place(steps)
        return problem if found is None else problem.at(*found)

    def _place(self, steps: Steps) -> tuple[str, int, int] | None:
        if self.sources is None:
            return None
        found = self.sources.locate(self.executable, steps)
        if found is None and steps[:1] == ("$defs",):
            # Its class is not in this package: the argument that brings it in is.
            found = next(filter(None, (self.sources.locate(self.executable, one) for one in self._users(steps))), None)
        return found

    def _subject(self, steps: Steps) -> str:
        """What a place in the schema is called in a sentence."""
        match steps:
            case ("properties", str(name), *_):
                return f"argument `{name}`" + _within(steps[2:])
            case ("$defs", str(model), *rest):
                named = len(rest) > 1 and rest[0] == "properties"
                subject = f"`{model}.{rest[1]}`" if named else f"`{model}`"
                users = ", ".join(f"`{one[1]}`" for one in self._users(steps))
                via = f", by which argument {users} is described," if users else ""
                return subject + _within(tuple(rest[2:] if named else rest)) + via
        return f"`{self.root}`" + _within(steps)

    def _users(self, steps: Steps) -> Iterator[Steps]:
        """The arguments that need a definition."""
        for argument, needed in self._needed.items():
            if steps[1] in needed:
                yield ("properties", argument)

    @cached_property
    def _needed(self) -> Mapping[str, set[str]]:
        definitions = self.schema.get("$defs")
        definitions = definitions if isinstance(definitions, dict) else {}
        # Names are found as text: whatever the keyword, a reference is written in one way.
        texts = {name: json.dumps(definition) for name, definition in definitions.items()}
        properties = self.schema.get("properties")
        needed: dict[str, set[str]] = {}
        for argument, declared in properties.items() if isinstance(properties, dict) else ():
            found: set[str] = set()
            waiting = [json.dumps(declared)]
            while waiting:
                text = waiting.pop()
                new = {name for name in texts if f'"#/$defs/{name}"' in text} - found
                found |= new
                waiting += [texts[name] for name in new]
            needed[argument] = found
        return needed


def _within(steps: Steps) -> str:
    """Which part of an argument or attribute is meant, in words."""
    words = {
        "items": "items",
        "anyOf": "one kind",
        "oneOf": "one kind",
        "prefixItems": "one member",
        "additionalProperties": "values",
    }
    named = [words[step] for step in steps if isinstance(step, str) and step in words]
    return f" (its {', their '.join(named)})" if named else ""


def _at(schema: Any, steps: Steps) -> Any:
    for step in steps:
        schema = schema[step]
    return schema
