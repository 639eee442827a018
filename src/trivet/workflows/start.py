"""Starting jobs: here and now, or by a process in the background."""

from __future__ import annotations

import subprocess
from pathlib import Path

from trivet.records.directory import JobDirectory
from trivet.workflows.reporting import JobReporter, JobResult
from trivet.workflows.workflow import Request


def create(request: Request, home: Path | None = None) -> JobDirectory:
    """A new job that nobody drives yet.

    Raises ProblemsError (another job is on the dataset, which is named; there is no dataset), and OSError when the
    directory can't be written.
    """
    raise NotImplementedError


def drive(job: JobDirectory, reporter: JobReporter | None = None) -> JobResult:
    """Drive a job to its end in this process, also one whose driver died; Ctrl-C and SIGTERM stop it.

    Raises NotOwnerError or Superseded when another process drives it, EngineError when the engine can't be used,
    OSError and ValueError when the record can't be read or written.
    """
    raise NotImplementedError


def detach(job: JobDirectory) -> subprocess.Popen[bytes]:
    """Let a process of its own drive a job; it outlives this one and the terminal."""
    raise NotImplementedError


def continued(job: JobDirectory) -> Request:
    """What is asked of a job that goes on where another one failed or was stopped: from its snapshot, with the images
    that are not done at that step. Raises ProblemsError when there is nothing to go on with."""
    raise NotImplementedError
