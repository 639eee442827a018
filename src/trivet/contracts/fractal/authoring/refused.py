"""Why a part of a manifest can't be made: one reason, not yet placed in a task."""

from __future__ import annotations

from trivet.tasks.problem import Severity


class RefusedError(Exception):
    """One reason: its code, a sentence, the argument it is about, and what to do. A warning is odd, but no reason.

    ``said`` is what the public tool says in its place: the last lines of a Python traceback.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        argument: str = "",
        hint: str = "",
        said: str | BaseException = "",
        severity: Severity = "error",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.argument = argument
        self.hint = hint
        self.severity: Severity = severity
        self.said = in_traceback(said) if isinstance(said, BaseException) else said or f"ValueError: {message}"


def in_traceback(error: BaseException) -> str:
    """An exception as the end of a traceback names it."""
    from traceback import format_exception_only

    return "".join(format_exception_only(error)).rstrip("\n")


def sentence(error: BaseException) -> str:
    """An exception on one line, for people; pydantic's says of each value what is wrong with it."""
    if type(error).__module__ == "pydantic_core._pydantic_core" and hasattr(error, "errors"):
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = (
            f"`{'.'.join(map(str, fault['loc']))}`: {fault['msg']}" if fault["loc"] else fault["msg"]
            for fault in faults
        )
        return f"{error.title}: {'; '.join(told)}"  # type: ignore[attr-defined]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
