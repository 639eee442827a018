"""The commands and options of the guide (Kaapana Task API, command line): ``python3 -m task_api.cli --help``.

Exit codes: 0 fine; 1 what was given is bad; 2 wrong usage; 130 interrupted; a command that waits for a task has the
exit code of its container, 137 when that ran out of memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

MODES = ("docker", "k8s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. The output of tasks goes to stdout, every other word to stderr."""
    from trivet.cli import guarded

    return guarded(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        given = _parser().parse_args(arguments)
    except SystemExit as stop:  # argparse has told what is wrong, or printed its help
        return int(stop.code or 0)
    match given.command:
        case "validate":
            from task_api.validating import validate

            return validate(given.file, given.schema, given.format)
        case "run":
            from task_api.running import rehearse, run

            if given.dry_run:
                return rehearse(given.file, given.mode)
            return run(given.file, given.mode, given.watch, given.output, given.monitor_memory)
        case "logs":
            from task_api.following import logs

            return logs(given.record, given.watch)
        case "check-task-run":
            from task_api.following import check

            return check(given.record, given.watch)
        case _:
            from task_api.containers import show

            return show(given.image)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("task_api.cli", description=_ABOUT, epilog=_MORE, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=about, description=about, allow_abbrev=False)

    validate = command("validate", "Say whether a file is a valid task or container description, and what is wrong.")
    validate.add_argument("file", metavar="FILE", help="a task.json or processing-container.json")
    validate.add_argument(
        "--schema", choices=("task", "pc"), default="task", help="what the file describes (default: task)"
    )
    validate.add_argument("--format", choices=("text", "json"), default="text", help="how it is said (default: text)")

    run = command("run", "Start the container of a task.json and write the record by which the other commands find it.")
    run.add_argument("file", metavar="FILE", help="a task.json")
    _mode(run)
    _switch(run, "--watch", False, "show what the task prints, and wait for its end")
    run.add_argument("--output", metavar="PATH", help="where the record goes (default: task_run-<id>.pkl, here)")
    _switch(run, "--monitor-memory", False, "wait for the task's end, then tell its peak memory beside its inputs")
    run.add_argument("--dry-run", action="store_true", help="print what would be started, as JSON, and start nothing")

    logs = command("logs", "Print what a task printed.")
    logs.add_argument("record", metavar="RECORD", help="a record that `run` wrote")
    _switch(logs, "--watch", False, "go on as long as the task does")

    check = command("check-task-run", "Tell how a task ended; the exit code is that of its container.")
    check.add_argument("record", metavar="RECORD", help="a record that `run` wrote")
    _switch(check, "--watch", True, "wait for its end")

    container = command("processing-container", "Print the container description that an image holds, with defaults.")
    container.add_argument("image", metavar="IMAGE")
    _mode(container)
    return parser


_ABOUT = "Check and run processing-containers on this machine, with the commands of Kaapana's Task API."
_MORE = "This is a front end of Trivet, which can do more: trivet --help."


def _mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mode", choices=MODES, default="docker", help="where it runs (default: docker)")


def _switch(parser: argparse.ArgumentParser, name: str, default: bool, about: str) -> None:
    shown = f"{about} (default: {'yes' if default else 'no'})"
    parser.add_argument(name, action=argparse.BooleanOptionalAction, default=default, help=shown)


if __name__ == "__main__":
    sys.exit(main())
