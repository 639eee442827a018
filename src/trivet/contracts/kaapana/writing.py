"""Writing the contract's documents in one of their two forms, keys of others and templates left as they are.

``current`` is what the public implementation reads today; ``guide`` is what the contract's guide describes (Kaapana
Task API, both forms).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trivet.contracts.fields import Fields
from trivet.contracts.kaapana import CONTAINER_FILE, rules
from trivet.contracts.kaapana.config import FLAT
from trivet.contracts.kaapana.forms import CODES, FLAT_TEMPLATE, is_flat
from trivet.contracts.kaapana.model import Reading, ScaleRule
from trivet.contracts.kaapana.scale_rules import HEADROOM, read_rule
from trivet.contracts.kaapana.schemas import STRUCTURAL
from trivet.contracts.kaapana.template_options import has_templates
from trivet.contracts.written import Written
from trivet.tasks.document import Document
from trivet.tasks.problem import DocumentPath, Problem, ProblemsError

if TYPE_CHECKING:
    from trivet.tasks.task import Task

FORMS = ("current", "guide")


def write(document: Document | Task, form: str = "current") -> Written:
    """A document of this contract in one of its forms, read with its templates left alone.

    Everything the form has no words for is left out and told. Raises ValueError for an unknown form, ProblemsError for
    a document of another contract or one with errors.
    """
    if form not in FORMS:
        raise ValueError(f"the forms of the contract are {' and '.join(FORMS)}, not {form!r}")
    if not isinstance(document, Document) or document.contract != "kaapana":
        message = f"what is written in the contract {document.contract} can't be written in kaapana"
        raise ProblemsError([Problem("K090", message)])
    reading: Reading = document.model
    errors = [problem for problem in rules.check(document) if problem.severity == "error"]
    errors = [problem for problem in errors if not _may_be_filled(problem, reading.data)]
    if errors:
        raise ProblemsError(errors)
    writer = _Writer(form)
    made = writer.task(reading.data) if document.kind == "task" else writer.container(reading.data)
    name = "task.json" if document.kind == "task" else CONTAINER_FILE
    return Written({name: json.dumps(made, indent=2, ensure_ascii=False) + "\n"}, tuple(writer.lost))


def rule_data(rule: ScaleRule) -> dict[str, Any]:
    """A scale rule as data, in the current form where it can be said so, with targets that are not the default."""
    factor = _factor(rule)
    growth = {"complexity": _complexity(rule)} if factor is None else {"scale_factor": factor}
    data: dict[str, Any] = {**growth, "type": rule.kind, "mode": rule.mode}
    targets = {"target_dir": rule.target_dir, "target_regex": rule.target_regex, "target_glob": rule.target_glob}
    defaults = ScaleRule._field_defaults
    data |= {key: value for key, value in targets.items() if value != defaults[key]}
    return data if rule.headroom == HEADROOM else data | {"headroom": float(rule.headroom)}


class _Writer:
    """One document while it is written; what gets lost gathers in ``lost``."""

    def __init__(self, form: str) -> None:
        self.current = form == "current"
        self.lost: list[Problem] = []

    def container(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if is_flat(data):
            inner = ("inputs", "outputs", "env", "command", "resources")
            template = {
                "identifier": FLAT_TEMPLATE,
                **{key: data[key] for key in ("description", *inner) if key in data},
            }
            made = {key: value for key, value in data.items() if key not in inner}
            made["templates"] = [self._template(template, ())]
        else:
            templates = [self._template(item, ("templates", index)) for index, item in enumerate(data["templates"])]
            made = {**data, "templates": templates}
        return self._versioned(made, "description")

    def task(self, data: Mapping[str, Any]) -> dict[str, Any]:
        made = {key: value for key, value in data.items() if key not in FLAT and not (key == "env" and value is None)}
        made["taskTemplate"] = data.get("taskTemplate", FLAT_TEMPLATE)
        if isinstance(made["taskTemplate"], dict):
            made["taskTemplate"] = self._template(made["taskTemplate"], ("taskTemplate",))
        for key in ("inputs", "outputs"):
            if key in data or not self.current:
                made[key] = [self._binding(item, (key, index)) for index, item in enumerate(data.get(key, ()))]
        if "env" in made:
            made["env"] = [{**item, "value": _text(item["value"])} for item in made["env"]]
        moved = {key: data[key] for key in FLAT if key in data}
        if moved:
            made["config"] = {"type": "k8s", **moved, **(data.get("config") or {})}
        return self._versioned(made, "name")

    def _versioned(self, data: Mapping[str, Any], after: str) -> dict[str, Any]:
        """With the version behind one of its keys; the guide's containers have none."""
        if not self.current and "taskTemplate" not in data:
            return {key: value for key, value in data.items() if key != "api_version"}
        if "api_version" in data:
            return {**data, "api_version": 1}
        made: dict[str, Any] = {}
        for key, value in data.items():
            made[key] = value
            if key == after:
                made["api_version"] = 1
        return made

    def _template(self, data: Mapping[str, Any], path: DocumentPath) -> dict[str, Any]:
        made = dict(data)
        for key in ("inputs", "outputs"):
            made[key] = [self._ruled(item, (*path, key, index)) for index, item in enumerate(data[key])]
        return made

    def _binding(self, data: Mapping[str, Any], path: DocumentPath) -> dict[str, Any]:
        old, new = ("input", "volume_source") if self.current else ("volume_source", "input")
        volume = data["volume_source"] if "volume_source" in data else data["input"]
        made = {new if key == old else key: value for key, value in data.items() if not (key == old and new in data)}
        if isinstance(volume.get("local_path"), str):
            volume = {"host_path" if key == "local_path" else key: value for key, value in volume.items()}
        return self._ruled({**made, new: volume}, path)

    def _ruled(self, data: Mapping[str, Any], path: DocumentPath) -> dict[str, Any]:
        """A channel or binding with its scale rule in the form's words, without it where there are none."""
        given = data.get("scale_rule")
        if given is None:
            return dict(data)
        rule = read_rule(Fields({"scale_rule": given}, [], CODES, path))
        why = "" if rule is None else self._unsayable(rule)
        if rule is None or why:
            message = f"the scale rule of `{data['name']}` is left out: {why}"
            self.lost.append(Problem("K091", message, "warning", path=(*path, "scale_rule")))
            return {key: value for key, value in data.items() if key != "scale_rule"}
        growth = {"scale_factor": _factor(rule)} if self.current else {"complexity": _kept_complexity(given, rule)}
        rest = {key: value for key, value in given.items() if key not in ("complexity", "scale_factor")}
        rest = {key: value for key, value in rest.items() if not (key.startswith("target_") and value is None)}
        return {**data, "scale_rule": {**growth, **rest}}

    def _unsayable(self, rule: ScaleRule) -> str:
        if self.current and _factor(rule) is None:
            return f"the current form knows growth by a whole factor only, not {_complexity(rule)}"
        if not self.current and rule.mode == "max_item_sum":
            return "the guide does not know the mode max_item_sum"
        return ""


def _factor(rule: ScaleRule) -> int | None:
    """The rule as a whole factor, None when it is none."""
    from fractions import Fraction

    value = Fraction(rule.coefficient)
    return int(value) if rule.exponent == 1 and value.denominator == 1 else None


def _complexity(rule: ScaleRule) -> str:
    """With all its parts, which every published evaluator of the guide's form understands."""
    return f"{rule.coefficient}*n**{rule.exponent}"


def _kept_complexity(given: Mapping[str, Any], rule: ScaleRule) -> str:
    text: str = given.get("complexity") or _complexity(rule)
    return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _may_be_filled(problem: Problem, data: Any) -> bool:
    """True for an error about a value that is a template, which may be a good one once it is filled."""
    if problem.file or problem.code in STRUCTURAL:
        return False
    try:
        for step in problem.path:
            data = data[step]
    except (KeyError, IndexError, TypeError):
        return False
    return isinstance(data, str) and has_templates(data)
