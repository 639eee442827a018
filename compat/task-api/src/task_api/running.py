"""`run`: from a task.json to a container that runs by itself, and a record to find it by."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from task_api import records
from task_api.following import ending, is_over, progress_of, show_until_over, tell_leftovers, wait
from task_api.reading import refusal, tell, text_file
from task_api.validating import LENIENT
from trivet.cli.reporting import printable
from trivet.contracts.kaapana import detection, document, ports, rules
from trivet.contracts.source import Source
from trivet.records import codec, home
from trivet.records.directory import RunDirectory
from trivet.runs import adoption, inputs, start
from trivet.runs.options import Options
from trivet.runs.sources import complete, outdated, with_options
from trivet.tasks.call import Call
from trivet.tasks.problem import Problem, ProblemsError, has_errors
from trivet.tasks.values import FileRef

UNBOUND = "K043"


def run(file: str, mode: str, watch: bool, output: str | None, monitor_memory: bool) -> int:
    """Start the task of a file, write its record, and return once its container runs.

    With ``watch`` or ``monitor_memory`` it is waited for; the exit code is then that of the container. The task goes on
    when waiting is interrupted.
    """
    if mode == "k8s":
        message = "tasks are started on this machine only; there is no cluster behind --mode k8s yet"
        hint = "leave --mode out, or see by --dry-run what would be started"
        raise refusal("A006", message, hint)
    adoption.adopt(home())
    call = bound(file)
    directory = _created(call, output, mode)
    driver = start.detach(directory, call.task.document.secrets)
    _say(f"{directory.id}  {call.task.name}")
    try:
        wait(directory, lambda: _begun(directory), driver)
        for notes in progress_of(directory).notes.values():
            tell(notes)
        if watch:
            show_until_over(directory, driver)
        elif monitor_memory:
            wait(directory, lambda: is_over(directory), driver)
    except KeyboardInterrupt:
        _say(f"{directory.id}  goes on; `trivet cancel {directory.id}` ends it")
        raise
    if not (watch or monitor_memory):
        return _start_up(directory)
    code, words = ending(directory)
    _say(f"{directory.id}  {words}")
    tell_leftovers(directory, code)
    if monitor_memory:
        from task_api.memory import report

        for line in report(directory):
            _say(line)
    return code


def rehearse(file: str, mode: str) -> int:
    """Print the container, or the Pod, that `run` would start. Only the image may be read, for its templates."""
    from trivet.cli.dry_run import show

    engine = start.KUBERNETES if mode == "k8s" else "local"
    return show(bound(file), Options(engine=engine, into_existing=True), as_json=True, show_secrets=False)


def bound(file: str) -> Call:
    """What a task.json asks for, with its inputs looked up. Raises ProblemsError with everything that is wrong."""
    source = text_file(file)
    if source.parsed[1] is None and not detection.is_task(source.data) and detection.detect(source):
        hint = "write a task.json that names one of its templates"
        raise refusal("A002", "this is a container description; a task description is wanted", hint, file)
    source = with_options(source, LENIENT)
    problems = _problems(source)
    if not has_errors(problems):  # only now may an image be looked for
        source = complete(source)
        problems = [*_problems(source), *outdated(source)]
    if has_errors(problems):
        raise ProblemsError(problems)
    tell(problems, "warning")
    [task] = ports.tasks(document.read(source, "task"))
    channels = {port.name: port.default.path for port in task.inputs if isinstance(port.default, FileRef)}
    return inputs.bound_python(task, channels)


def _problems(source: Source) -> list[Problem]:
    return [_as_error(problem) for problem in source.place(rules.check(document.read(source, "task")))]


def _as_error(problem: Problem) -> Problem:
    """A channel that is bound to no path is an error here, where no option can bind it."""
    if problem.code != UNBOUND:
        return problem
    return replace(problem, severity="error", hint=problem.hint.partition(", or give")[0])


def _created(call: Call, output: str | None, mode: str) -> RunDirectory:
    """The run with its record written; nothing has been started yet. Raises ProblemsError."""
    try:
        directory = start.create(call, Options(into_existing=True), home())
    except OSError as error:
        raise refusal("A007", f"a run can't be recorded in {home()}: {error.strerror or error}") from None
    path = Path(output or records.default_name(directory.id))
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        records.write(path, directory, call, mode)
    except OSError as error:
        shutil.rmtree(directory.path, ignore_errors=True)
        message = f"the record can't be written, so nothing was started: {error.strerror or error}"
        raise refusal("A007", message, "give another --output", str(path)) from None
    _say(f"record: {path}")
    tell(codec.problem_from_json(note) for note in directory.read()["notes"] if note["severity"] != "info")
    return directory


def _begun(directory: RunDirectory) -> bool:
    """Whether the container runs, or it is known that it never will."""
    return is_over(directory) or bool(progress_of(directory).starts)


def _start_up(directory: RunDirectory) -> int:
    """0 once the container was started, whatever became of it since; 1 with the reason when it never was."""
    if not is_over(directory) or any(outcome.started for outcome in progress_of(directory).outcomes.values()):
        return 0
    _, words = ending(directory)
    _say(f"{directory.id}  {words}")
    return 1


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr)
