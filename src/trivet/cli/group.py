"""The group of all commands: a table of names, each command's module loaded only when it is used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from trivet import __version__
from trivet.tasks.problem import nearest

COMMANDS = {
    "check": ("trivet.cli.check", "Say what is wrong with task documents."),
    "show": ("trivet.cli.show", "Show what a task takes, gives and needs."),
    "tasks": ("trivet.cli.tasks", "List the tasks of the packages that were collected."),
    "run": ("trivet.cli.run", "Run a task and record what happened."),
    "runs": ("trivet.cli.runs", "List runs."),
    "logs": ("trivet.cli.logs", "Print what the programs of a run printed."),
    "cancel": ("trivet.cli.cancel", "End a run."),
    "rm": ("trivet.cli.rm", "Remove runs that are over."),
    "job": ("trivet.cli.job", "Run workflows on datasets, look after them, go on with them."),
    "dataset": ("trivet.cli.dataset", "Image lists: make, show, change, exchange them."),
    "new": ("trivet.cli.new", "Begin a project from a template."),
    "convert": ("trivet.cli.convert", "Write a document in another form."),
    "schema": ("trivet.cli.schema", "Print the JSON Schema of a document."),
    "kaapana": ("trivet.cli.kaapana", "What only Kaapana's contract has."),
    "cytomine": ("trivet.cli.cytomine", "What only Cytomine's contract has."),
    "fractal": ("trivet.cli.fractal", "What only Fractal's contract has."),
    "doctor": ("trivet.cli.doctor", "Tell what this machine can do, and what to install."),
}
"""Every command: the module whose ``command`` it is, and one line of help."""


class Commands(click.Group):
    """A group that knows its commands by name only, until one is asked for."""

    def __init__(self, *words: Any, table: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        """``table`` holds of every command the module and its line of help."""
        super().__init__(*words, **{"invoke_without_command": True, **settings})
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(self.table[cmd_name][0]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command that is named; show the help when none is."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            print(ctx.get_help())
        return result

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            near = nearest(name, self.table)
            hint = f"Did you mean `{near}`?" if near else f"Commands: {', '.join(self.table)}."
            raise click.UsageError(f"There is no command `{name}`. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self.table.items()])


@click.group(
    cls=Commands,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has its own help and an example: trivet COMMAND --help",
)
@click.version_option(__version__, "--version", prog_name="trivet", message="%(prog)s %(version)s")
def trivet() -> None:
    """Read, check and run image-analysis tasks of Kaapana, Cytomine and Fractal.

    \b
    Example:
      trivet check my-task/
    """


def show_usage(error: click.UsageError) -> None:
    """Tell what is wrong with the words of a command line, and where its help is."""
    context = error.ctx
    if context is not None:
        print(context.get_usage(), file=sys.stderr)
    print(f"Error: {error.format_message()}", file=sys.stderr)
    if context is not None:
        print(f"Help: {context.command_path} --help", file=sys.stderr)
