"""The command line: one module per command.

Exit codes: 0 fine, 1 what was checked or run is bad, 2 wrong usage, 70 a fault in Trivet itself, 130 interrupted, 141
the reader of the output went away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivet.tasks.problem import ProblemsError

INTERNAL_ERROR, INTERRUPTED, BROKEN_PIPE = 70, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. Only what was asked for goes to stdout."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: _run(words))


def guarded(work: Callable[[], int]) -> int:
    """Do the work of a command line and return its exit code: whatever goes wrong is told without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # any file name and any document can be told about on any terminal
            stream.reconfigure(errors="backslashreplace")
    try:
        code = work()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return BROKEN_PIPE
    except OSError as error:
        if _is_about_a_place(error):
            print(f"trivet: {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
        if not _is_about_stdout(error):
            return _bug(error)
        _discard_stdout()
        print(f"trivet: the output can't be written: {error.strerror}", file=sys.stderr)
        return 1
    except Exception as error:
        from trivet.records import UnreadableError
        from trivet.tasks.problem import ProblemsError

        if isinstance(error, UnreadableError):
            print(f"trivet: {error}", file=sys.stderr)
            return 1
        return _refused(error) if isinstance(error, ProblemsError) else _bug(error)


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["check"] and len(arguments) > 1 and not any(word.startswith("-") for word in arguments):
        # Nothing to parse: the most frequent command line does without the library that would, a quarter of its time.
        from trivet.cli.checking import check

        return check(arguments[1:])
    if arguments[:2] == ["fractal", "manifest"]:
        from trivet.cli.fractal_manifests import plainly

        code = plainly(arguments[2:])
        if code is not None:
            return code
    import click

    from trivet.cli.group import trivet

    if "_TRIVET_COMPLETE" in os.environ:  # set by the completion script of a shell
        trivet.main(arguments, prog_name="trivet")
    try:
        with trivet.make_context("trivet", arguments) as context:
            code = trivet.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except click.UsageError as error:
        from trivet.cli.group import show_usage

        show_usage(error)
        return error.exit_code
    except click.ClickException as error:
        print(f"trivet: {error.format_message()}", file=sys.stderr)
        return error.exit_code


def _refused(error: ProblemsError) -> int:
    from trivet.cli.reporting import problem_lines

    for problem in error.problems:
        print(*problem_lines(problem), sep="\n", file=sys.stderr)
    return 1


def _discard_stdout() -> None:
    """Let the interpreter's own last flush go nowhere instead of failing once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _is_about_stdout(error: OSError) -> bool:
    """True for a full or failing device behind stdout: such an error names no file."""
    import errno

    return error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT) and error.filename is None


def _is_about_a_place(error: OSError) -> bool:
    """True for a file or directory that may not be read or written, or has no room: a matter of this machine."""
    import errno

    places = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
    return error.errno in places and error.filename is not None


def _bug(error: Exception) -> int:
    if os.environ.get("TRIVET_DEBUG"):
        import traceback

        traceback.print_exception(error)
        return INTERNAL_ERROR
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else ""
    print(
        f"trivet: internal error: {type(error).__name__}: {error}{where}\n"
        "This is a fault in Trivet, not in your files. Please report it with the line above, the command and the\n"
        "output of `trivet doctor`. TRIVET_DEBUG=1 shows the whole traceback.",
        file=sys.stderr,
    )
    return INTERNAL_ERROR
