"""How a task logs."""

from trivet.contracts.fractal.authoring.logging_config import (
    ALLOWED_LOGGING_LEVELS,
    DEFAULT_LOG_FORMAT,
    DEFAULT_LOG_LEVEL,
    WRAPPER_LOGGER_NAME,
    get_logging_format,
    get_logging_level,
    setup_logging_config,
)

__all__ = [
    "ALLOWED_LOGGING_LEVELS",
    "DEFAULT_LOG_FORMAT",
    "DEFAULT_LOG_LEVEL",
    "WRAPPER_LOGGER_NAME",
    "get_logging_format",
    "get_logging_level",
    "setup_logging_config",
]
