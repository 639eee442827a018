"""Templates in a task.json: ``{{ env.NAME }}`` and ``{{ custom.name }}``, filled in the strings of parsed JSON.

Only expressions and conditions of names, texts and a few filters are allowed: a task.json from elsewhere reaches no
Python object, and can neither loop nor grow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from trivet.tasks.problem import DocumentPath, Problem, Severity

FILTERS = ("default", "d", "lower", "upper", "trim", "string")

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Filter,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Keyword,
    nodes.Test,
)
_DECIDES = ("image", "taskTemplate", "inputs", "outputs", "env", "command", "resources")
"""Parts of a task.json that decide what runs: nothing may be missing in them."""

_MARKER = re.compile(r"\{[{%#]")


class _Root(dict[str, Any]):
    """The variables under one name."""

    def __init__(self, name: str, variables: Mapping[str, Any]) -> None:
        super().__init__(variables)
        self.prefix = f"{name}."


class _Environment(SandboxedEnvironment):
    """Names lead to values only, never to Python's attributes. Every name without a value that is written out is
    noted; in a condition it is false, and ``default`` replaces it."""

    def __init__(self) -> None:
        noted: list[str] = []

        class Missing(jinja2.Undefined):
            def __str__(self) -> str:
                noted.append(str(self._undefined_name))
                return ""

        super().__init__(undefined=Missing, keep_trailing_newline=True)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.noted = noted

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        prefix = f"{obj._undefined_name}." if isinstance(obj, jinja2.Undefined) else getattr(obj, "prefix", "")
        return self.undefined(name=f"{prefix}{argument}")


def rendered(
    data: Any, custom: Mapping[str, Any], problems: list[Problem], env: Mapping[str, str] | None = None
) -> Any:
    """The data with every string rendered; keys are not.

    ``env`` defaults to the environment of this process. A variable without a value is an error where it decides what
    runs, elsewhere it becomes empty with a warning; both name it.
    """
    variables = {"env": _Root("env", os.environ if env is None else env), "custom": _Root("custom", custom)}
    return _walk(data, (), _Environment(), variables, problems)


def _walk(data: Any, path: DocumentPath, environment: _Environment, variables: Any, problems: list[Problem]) -> Any:
    if isinstance(data, dict):
        return {key: _walk(value, (*path, key), environment, variables, problems) for key, value in data.items()}
    if isinstance(data, list):
        return [_walk(value, (*path, index), environment, variables, problems) for index, value in enumerate(data)]
    if not isinstance(data, str) or not _MARKER.search(data):
        return data
    try:
        tree = environment.parse(data)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _ALLOWED):
                name = type(node).__name__
                problems.append(Problem("K031", f"{name} is not allowed in a template of a task.json", path=path))
                return data
        environment.noted.clear()
        text = environment.from_string(tree).render(variables)
    except (jinja2.TemplateError, TypeError, ValueError, RecursionError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = 'to write the characters themselves: {{ "{{" }}'
        problems.append(Problem("K031", f"the template {_shown(data)} can't be read: {message}", hint=hint, path=path))
        return data
    severity: Severity = "error" if path and path[0] in _DECIDES else "warning"
    for name in dict.fromkeys(environment.noted):
        problems.append(_undefined(name, severity, path))
    return text


def _undefined(name: str, severity: Severity, path: DocumentPath) -> Problem:
    root, _, rest = name.partition(".")
    if root == "env" and rest:
        message, hint = (
            f"the environment variable `{rest}` is not set",
            f"set it, or write {{{{ {name} | default('…') }}}}",
        )
    elif root == "custom" and rest:
        message, hint = f"the template variable `{name}` has no value", ""
    else:
        message, hint = f"the template variable `{name}` is unknown", "templates know env.NAME and custom.name"
    return Problem("K030", message + ("" if severity == "error" else "; it becomes empty"), severity, hint, path=path)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
