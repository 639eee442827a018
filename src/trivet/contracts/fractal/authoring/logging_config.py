"""How a task logs: to stderr, as two environment variables say (manifest tools, section 5)."""

from __future__ import annotations

import logging
import os

WRAPPER_LOGGER_NAME = "run_fractal_task"
ALLOWED_LOGGING_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
DEFAULT_LOG_LEVEL = "INFO"
DEFAULT_LOG_FORMAT = "%(asctime)s; %(name)s; %(levelname)s; %(message)s"


def get_logging_level() -> str:
    """The level of ``FRACTAL_TASK_LOG_LEVEL``. Raises ValueError for what is none."""
    level = os.environ.get("FRACTAL_TASK_LOG_LEVEL") or DEFAULT_LOG_LEVEL
    if level not in ALLOWED_LOGGING_LEVELS:
        raise ValueError(
            f"Invalid FRACTAL_TASK_LOG_LEVEL={level} environment variable. Allowed values: {ALLOWED_LOGGING_LEVELS}."
        )
    return level


def get_logging_format() -> str:
    """The format of ``FRACTAL_TASK_LOG_FORMAT``. Raises ValueError for one that names no field of a record."""
    form = os.environ.get("FRACTAL_TASK_LOG_FORMAT") or DEFAULT_LOG_FORMAT
    logging.PercentStyle(form).validate()
    return form


def setup_logging_config() -> None:
    """Have the root logger write to stderr, and to nowhere else. Raises ValueError for a bad level or format."""
    level, form = get_logging_level(), get_logging_format()
    logging.basicConfig(level=level, format=form, force=True)
    logger = logging.getLogger(WRAPPER_LOGGER_NAME)
    logger.debug(f"Logging level: FRACTAL_TASK_LOG_LEVEL={level!r}")
    logger.debug(f"Logging format: FRACTAL_TASK_LOG_FORMAT={form!r}")
