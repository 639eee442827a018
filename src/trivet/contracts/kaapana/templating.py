"""Templates in a task.json: ``{{ env.NAME }}`` and ``{{ custom.name }}``, filled in the strings of parsed JSON.

Only expressions and conditions of names, texts and a few filters are allowed: a task.json from elsewhere reaches no
Python object, and can neither loop nor grow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from trivet.contracts.kaapana.template_options import TemplateOptions, has_templates
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


def rendered(data: Any, options: TemplateOptions, problems: list[Problem]) -> Any:
    """The data with every string rendered (keys are not), from the environment of this process and the options.

    A variable without a value is an error where it decides what runs, elsewhere it becomes empty with a warning,
    unless the options say otherwise; both name it.
    """
    env: dict[str, str] = dict(os.environ)
    if options.env_file is not None:
        from trivet.contracts.kaapana import dotenv

        name, text = options.env_file
        more, faults = dotenv.parsed(text, name, env)
        problems += faults
        env = {**more, **env}
    variables = {"env": _Root("env", env), "custom": _Root("custom", options.custom)}
    return _Rendering(_Environment(), variables, options.undefined, problems).walk(data, ())


class _Rendering:
    """One document while its strings are filled."""

    def __init__(
        self, environment: _Environment, variables: Any, undefined: str | None, problems: list[Problem]
    ) -> None:
        self.environment = environment
        self.variables = variables
        self.undefined = undefined
        self.problems = problems

    def walk(self, data: Any, path: DocumentPath) -> Any:
        if isinstance(data, dict):
            return {key: self.walk(value, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.walk(value, (*path, index)) for index, value in enumerate(data)]
        return self._filled(data, path) if isinstance(data, str) and has_templates(data) else data

    def _filled(self, data: str, path: DocumentPath) -> str:
        try:
            tree = self.environment.parse(data)
            for node in tree.find_all(nodes.Node):
                if not isinstance(node, _ALLOWED):
                    message = f"{type(node).__name__} is not allowed in a template of a task.json"
                    self.problems.append(Problem("K031", message, path=path))
                    return data
            self.environment.noted.clear()
            text = self.environment.from_string(tree).render(self.variables)
        except (jinja2.TemplateError, TypeError, ValueError, RecursionError) as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            hint = 'to write the characters themselves: {{ "{{" }}'
            message = f"the template {_shown(data)} can't be read: {message}"
            self.problems.append(Problem("K031", message, hint=hint, path=path))
            return data
        for name in dict.fromkeys(self.environment.noted):
            self.problems.append(_undefined(name, self._severity(path), path))
        return text

    def _severity(self, path: DocumentPath) -> Severity:
        decides = bool(path) and path[0] in _DECIDES
        return "error" if self.undefined == "error" or (decides and self.undefined is None) else "warning"


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
