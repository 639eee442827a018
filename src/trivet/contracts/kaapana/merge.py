"""A template and a task.json made into one: what will run, and what of the task does not fit the template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from trivet.contracts.kaapana.model import Binding, Channel, Setting, TaskFile, Template, Variable
from trivet.tasks.problem import Problem, closest, nearest

TRUE = ("true", "1", "yes")
FALSE = ("false", "0", "no")

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}", re.ASCII)


def merged(template: Template, task: TaskFile) -> Template:
    """The template with the task's values.

    Variables keep the template's order, then come those only the task knows; the task's command counts when it is
    given; resources are merged key by key; a scale rule of the task replaces the template's as a whole.
    """
    from trivet.contracts.kaapana import resources

    settings = {setting.name: setting for setting in task.settings}
    declared = {variable.name for variable in template.variables}
    variables = [
        variable._replace(value=settings[variable.name].value) if variable.name in settings else variable
        for variable in template.variables
    ]
    variables += [
        Variable(setting.name, setting.value, path=setting.path, declared=False)
        for setting in settings.values()
        if setting.name not in declared
    ]
    return template._replace(
        inputs=_channels(template.inputs, task.inputs),
        outputs=_channels(template.outputs, task.outputs),
        variables=tuple(variables),
        command=template.command if task.command is None else task.command,
        resources=resources.merged(template.resources, task.resources),
    )


def misfits(template: Template, task: TaskFile) -> Iterator[Problem]:
    """What the task says that its template does not allow or know; paths are those of the task."""
    yield from _channel_misfits("input", template.inputs, task.inputs)
    yield from _channel_misfits("output", template.outputs, task.outputs)
    declared = {variable.name: variable for variable in template.variables}
    for setting in task.settings:
        variable = declared.get(setting.name)
        if variable is None:
            message = f"variable `{setting.name}` is not declared by template `{template.identifier}`; it is passed on"
            yield Problem("K046", message, "info", path=(*setting.path, "name"))
        else:
            yield from override_misfits(variable, setting)
    if task.resources and template.resources:
        for half, amounts in task.resources.items():
            for key in amounts:
                if key in template.resources.get(half, {}):
                    message = f"`{half}.{key}` counts instead of the template's"
                    yield Problem("K047", message, "info", path=("resources", half, key))


def fits_kind(kind: str, value: str) -> bool:
    """True when a text is a value of the declared type. An empty text stands for a value that is still to come."""
    if kind == "boolean":
        return value.lower() in (*TRUE, *FALSE)
    return kind != "int" or _INTEGER.fullmatch(value.strip()) is not None


def override_misfits(variable: Variable, setting: Setting) -> Iterator[Problem]:
    """Why a declared variable can't have the value it is given."""
    path = (*setting.path, "value")
    if not variable.adjustable and setting.value != variable.value:
        message = f"variable `{variable.name}` is not adjustable; its value is always {variable.value!r}"
        yield Problem("K044", message, path=path, hint="remove it from `env`")
    elif variable.choices and setting.value not in variable.choices:
        message = f"{setting.value!r} is not one of the choices of `{variable.name}`"
        yield Problem("K045", message, path=path, hint=closest(setting.value, variable.choices))
    elif not fits_kind(variable.kind, setting.value):
        yield Problem("K045", f"{setting.value!r} is not a value of `{variable.name}` ({variable.kind})", path=path)


def _channel_misfits(word: str, channels: Sequence[Channel], bindings: Sequence[Binding]) -> Iterator[Problem]:
    known = {channel.name: channel for channel in channels}
    for binding in bindings:
        if binding.name not in known:
            message = f"the template has no {word} channel `{binding.name}`"
            hint = closest(binding.name, known) or f"the template has no {word} channels"
            yield Problem("K042", message, path=(*binding.path, "name"), hint=hint)
        elif binding.scale_rule is not None and known[binding.name].scale_rule is not None:
            message = f"the scale rule of `{binding.name}` replaces the template's as a whole"
            yield Problem("K047", message, "info", path=binding.scale_rule.path)
    bound = {binding.name for binding in bindings}
    strangers = bound - known.keys()
    for name in (name for name in known if name not in bound):
        near = nearest(name, strangers)
        give = f"--input {name}=DIR" if word == "input" else "--output DIR"
        hint = f"is it meant by `{near}`?" if near else f"add it, or give {give}"
        yield Problem("K043", f"{word} channel `{name}` is not bound to a path", "warning", hint, path=(f"{word}s",))


def _channels(channels: Sequence[Channel], bindings: Sequence[Binding]) -> tuple[Channel, ...]:
    rules = {binding.name: binding.scale_rule for binding in bindings if binding.scale_rule is not None}
    return tuple(
        channel._replace(scale_rule=rules[channel.name]) if channel.name in rules else channel for channel in channels
    )
