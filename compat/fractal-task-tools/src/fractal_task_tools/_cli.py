"""The command ``fractal-manifest``: options, streams and exit codes of the public one."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivet.contracts.fractal.authoring.manifests import Built

_LOGGERS = {"F075": "fractal_task_tools._parse_pyproject"}
_ASSEMBLER = "fractal_task_tools._create_manifest"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    options = _options(arguments)
    if options.cmd is None:
        return _end("Error: No command specified (valid options: 'create', 'check').")
    from trivet.contracts.fractal.authoring import packages

    if options.package is None:
        try:
            options.package = packages.project_name(str(Path.cwd() / "pyproject.toml"))
        except (LookupError, OSError, TypeError, ValueError) as error:
            return _end(
                "`--package` was not provided, and discovery based on `pyproject.toml` failed with the following "
                f"error: {error}"
            )
    from trivet.cli.fractal_manifests import without_collecting

    without_collecting()
    from trivet.contracts.fractal.authoring.manifests import build

    built = build(options.package, options.task_list_path, compatible=True)
    _tell(built)
    if not built.ok:
        return _end(built.first_said)
    if options.cmd == "create":
        return _create(built)
    return _check(built, options.ignore_keys_order, options.verbose)


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(
        prog="fractal-manifest", description="`fractal-manifest` command-line interface", allow_abbrev=False
    )
    commands = parser.add_subparsers(title="Available commands", dest="cmd")
    for name, about in (("create", "Create new manifest file"), ("check", "Check existing manifest file")):
        command = commands.add_parser(name, description=about, allow_abbrev=False)
        command.add_argument("--package", help="The package; if unset, that of ./pyproject.toml.")
        command.add_argument(
            "--task-list-path",
            default="dev.task_list",
            help="The module below the package that lists the tasks (default: dev.task_list).",
        )
        command.add_argument("--verbose", action="store_true", help="Print both values of every difference.")
        if name == "check":
            command.add_argument(
                "--ignore-keys-order",
                type=bool,
                default=False,
                help="Ignore the order of keys when comparing manifests: any text but the empty one.",
            )
    return parser.parse_args(arguments)


def _tell(built: Built) -> None:
    for problem in built.problems:
        if problem.severity == "warning":
            print(f"WARNING:{_LOGGERS.get(problem.code, _ASSEMBLER)}:{problem.message}", file=sys.stderr)
        else:
            print(problem, file=sys.stderr)


def _create(built: Built) -> int:
    from trivet.contracts.fractal.authoring.files import text_of
    from trivet.records.files import write_text

    try:
        write_text(built.path.resolve(), text_of(built.manifest))
    except OSError as error:
        return _end(f"{type(error).__name__}: {error}")
    return 0


def _check(built: Built, ignore_order: bool, verbose: bool) -> int:
    from trivet.contracts.fractal.authoring import comparing, files
    from trivet.contracts.fractal.authoring.refused import RefusedError

    try:
        old = files.read(built.path)
    except RefusedError as refused:
        return _end(refused.said)
    new = built.written
    if old == new:
        return _up_to_date()
    print("ERROR:root:[check_manifest] On-disk manifest is not up to date.", file=sys.stderr)
    try:
        found = list(comparing.differences(old, new, ignore_order))
    except ValueError as error:
        return _end(f"ValueError: {error}")
    if not found:
        return 0
    print(f"ERROR:root:[check_manifest] Found {len(found)} errors.", file=sys.stderr)
    for difference in found:
        print(difference.message)
        if verbose:
            print(f"OLD:\n{json.dumps(difference.old)}\nNEW:\n{json.dumps(difference.new)}\n")
    return _end("New/old manifests differ")


def _up_to_date() -> int:
    print("INFO:root:[check_manifest] On-disk manifest is up to date.", file=sys.stderr)
    return 0


def _end(message: str) -> int:
    print(message, file=sys.stderr)
    return 1
