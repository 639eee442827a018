"""What a task's script ends with: read the arguments, call the function, write what it returns (manifest tools, 5)."""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from trivet.contracts.fractal.authoring.logging_config import WRAPPER_LOGGER_NAME, setup_logging_config

_OLD_OPTIONS = ("-j", "--j", "--m")
"""How options of version 1 begin, abbreviated or not; those of version 2 begin otherwise."""


def run_fractal_task(
    *,
    task_function: Callable[..., Any],
    skip_logging_configuration: bool = False,
    logger_name: str | None = None,
) -> None:
    """Run a function as a Fractal task, with the arguments of this process.

    ``--args-json FILE --out-json FILE`` is version 2; ``-j FILE --metadata-out FILE`` is version 1, whose output is an
    update of the metadata. The function is called with the object in the first file; what it returns is written to the
    second, whole or not at all. A file that is there already is never replaced: the process ends with 1 before
    anything is done.

    Logging is set up first, unless told otherwise here or by ``FRACTAL_TASK_SKIP_LOG_CONFIG``. ``logger_name`` is
    ignored. Raises what the function raises, OSError for files, TypeError for a result that JSON can't hold, and
    SystemExit.
    """
    arguments, out = _options(sys.argv[1:])
    if skip_logging_configuration or os.environ.get("FRACTAL_TASK_SKIP_LOG_CONFIG"):
        logging.basicConfig(level=logging.INFO)  # does nothing where the program has set up its own
    else:
        setup_logging_config()
    logger = logging.getLogger(WRAPPER_LOGGER_NAME)
    if logger_name is not None:
        logger.warning(
            f"`logger_name` function argument is deprecated. The value provided ({logger_name}) will be ignored."
        )
    if os.path.lexists(out):
        message = f"Output file {out} already exists. Terminating"
        logger.error(message)
        sys.exit(message)
    with open(arguments, encoding="utf-8") as file:
        given = json.load(file)
    folder = os.path.dirname(out) or "."  # noqa: PTH120
    if not os.path.isdir(folder):  # noqa: PTH112 - said before the work, not after it
        raise FileNotFoundError(2, "No such file or directory", out)
    logger.info(f"START {task_function.__name__} task")
    returned = task_function(**given)
    logger.info(f"END {task_function.__name__} task")
    _write(out, json.dumps(returned, default=_encoded, indent=2))


def _options(words: list[str]) -> tuple[str, str]:
    """The two files of a command line of either version. Ends with 2 and the usage for any other."""
    parser = ArgumentParser()
    if any(word.startswith(_OLD_OPTIONS) for word in words):
        parser.add_argument("-j", "--json", help="Read parameters from json file", required=True)
        parser.add_argument("--metadata-out", help="Output file to redirect serialised returned data", required=True)
        old = parser.parse_args(words)
        return old.json, old.metadata_out
    parser.add_argument("--args-json", help="Read parameters from json file", required=True)
    parser.add_argument("--out-json", help="Output file to redirect serialised returned data", required=True)
    options = parser.parse_args(words)
    return options.args_json, options.out_json


def _encoded(value: Any) -> str:
    if isinstance(value, PurePath):
        return value.as_posix()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _write(out: str, text: str) -> None:
    """Write the file under another name and rename it; nobody ever sees a part of it."""
    path = Path(out)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
