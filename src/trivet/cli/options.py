"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trivet.contracts.kaapana.template_options import TemplateOptions


class Pair(click.ParamType[tuple[str, str]]):
    """``NAME=VALUE``."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        return name, text


class Duration(click.ParamType[float]):
    """A length of time: ``90``, ``10m``, ``1h30m``."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from trivet.tasks.quantities import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Memory(click.ParamType[int]):
    """An amount of memory: ``500Mi``, ``8Gi``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from trivet.tasks.quantities import parse_memory

        try:
            return parse_memory(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def unit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a unit gets, how long it may take, and how often it is started again."""

    @click.option(
        "--cpus", type=click.FloatRange(min=0, min_open=True), help="CPUs of a unit, instead of the task's word."
    )
    @click.option("--memory", type=Memory(), help="Memory of a unit, for example 8Gi, instead of the task's word.")
    @click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a unit, instead of the task's word.")
    @click.option("--time-limit", type=Duration(), help="End a unit that takes longer, for example 90 or 1h30m.")
    @click.option(
        "--grace", type=Duration(), default=10.0, show_default="10", help="Between TERM and KILL when a unit is ended."
    )
    @click.option(
        "--retries", type=click.IntRange(min=0), default=0, help="Start a unit so often again if that may help."
    )
    @wraps(command)
    def wrapped(*words: Any, **more: Any) -> Any:
        return command(*words, **more)

    return wrapped


def template_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the templates in a Kaapana task.json are filled: the command gets ``templates``, None without a word."""

    @click.option(
        "--set",
        "custom",
        multiple=True,
        type=Pair(),
        help="Kaapana: the value of {{ custom.NAME }} in a task.json.",
    )
    @click.option(
        "--undefined",
        type=click.Choice(["error", "empty"]),
        help="Kaapana: what a template variable without a value is (default: an error where it decides what runs).",
    )
    @click.option("--no-templates", is_flag=True, help="Kaapana: take every text of a task.json as it is written.")
    @wraps(command)
    def wrapped(
        *words: Any, custom: tuple[tuple[str, str], ...], undefined: str | None, no_templates: bool, **more: Any
    ) -> Any:
        return command(*words, templates=_given(dict(custom), undefined, not no_templates), **more)

    return wrapped


def _given(custom: dict[str, str], undefined: str | None, enabled: bool) -> TemplateOptions | None:
    if not custom and undefined is None and enabled:
        return None
    from trivet.contracts.kaapana.template_options import TemplateOptions

    return TemplateOptions(custom, undefined, enabled)
