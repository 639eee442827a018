"""The files that every converted task gets beside its document: the wrapper, the Dockerfile, the README."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files as resources

from trivet.conversions.original import Original, Wishes
from trivet.tasks.problem import Problem
from trivet.tasks.task import Task

BUSYBOX = "/trivet/busybox"


def script(name: str, lines: Sequence[str], words: Mapping[str, str], wishes: Wishes) -> str:
    """A wrapper: one of this package's scripts with words filled in, and the lines of this very task."""
    text = resources("trivet.conversions").joinpath(name).read_text(encoding="utf-8")
    for word, value in {**words, "TOOL": BUSYBOX if wishes.shell_from else ""}.items():
        text = text.replace(f"@{word}@", value)
    return text + "\n".join(lines) + "\n"


def in_image(text: str, kind: str) -> str:
    """Where a wrapper lies in the image: no two have one place, for what was converted may be converted again."""
    return f"/trivet/{kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.sh"


def start(wrapper: str, wishes: Wishes) -> list[str]:
    """The command that starts a wrapper."""
    return [BUSYBOX, "sh", wrapper] if wishes.shell_from else ["/bin/sh", wrapper]


def quoted(words: Iterable[str]) -> str:
    """Words as the shell reads them."""
    return " ".join(shlex.quote(word) for word in words)


def root_for(name: str, taken: Iterable[str]) -> str:
    """A directory that the task itself does not use: ``/NAME``, or with a number."""
    used = [path.rstrip("/") + "/" for path in taken]
    names = (f"/{name}{number or ''}" for number in range(len(used) + 1))
    return next(root for root in names if not any(path.startswith(root + "/") for path in used))


def dockerfile(
    original: Original,
    wishes: Wishes,
    wrapper: str,
    folders: Sequence[str],
    labels: Mapping[str, str],
    document: str = "",
) -> str:
    """The Dockerfile: the original image with the wrapper in front, and folders that its user may write to."""
    tool = f"{BUSYBOX} " if wishes.shell_from else ""
    shell = [BUSYBOX, "sh", "-c"] if wishes.shell_from else ["/bin/sh", "-c"]
    places = quoted(folders)
    clean = [f"{tool}rm -rf {places}", f"{tool}mkdir -p {places}", f"{tool}chmod 0777 {places}"] if folders else []
    prepare = " && ".join([*clean, f"{tool}chmod 0755 /trivet {wrapper}"])
    name = posixpath.basename(wrapper)
    return "\n".join(
        [
            "# The image of the original task, with a script that stands between it and the other platform.",
            *([f"ARG SHELL_IMAGE={wishes.shell_from}"] if wishes.shell_from else []),
            f"ARG IMAGE={original.image}",
            *(["FROM ${SHELL_IMAGE} AS shell"] if wishes.shell_from else []),
            "FROM ${IMAGE}",
            *(["USER 0"] if original.user else []),
            *([f"COPY --from=shell /bin/busybox {BUSYBOX}"] if wishes.shell_from else []),
            f"COPY {name} {wrapper}",
            *([f"COPY {document} /{document}"] if document else []),
            *(f"LABEL org.opencontainers.image.{key}={_label(value)}" for key, value in labels.items() if value),
            "# This needs a shell in the image; `trivet convert --shell-from` takes one from another image.",
            f"RUN {json.dumps([*shell, prepare])}",
            *([f"USER {original.user}"] if original.user else []),
            f"ENTRYPOINT {json.dumps(start(wrapper, wishes))}",
            "CMD []",
            "",
        ]
    )


def readme(
    task: Task, original: Original, kind: str, rows: Sequence[Sequence[str]], lost: Sequence[Problem], use: str
) -> str:
    """What was made of what, what could not be kept, and how to build and run it."""
    table = ["| original | here | |", "| --- | --- | --- |", *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]
    missing = [f"- {problem.message}" + (f" ({problem.hint})" if problem.hint else "") for problem in lost]
    return "\n".join(
        [
            f"# {task.title or task.name}: a {kind} task",
            "",
            f"Made by `trivet convert` from the {task.contract.capitalize()} task `{task.name}` and its image",
            f"`{original.image}`. The program is unchanged; a script in front of it",
            "translates.",
            "",
            *table,
            "",
            "## What is lost, or yours to do",
            "",
            *(missing or ["Nothing."]),
            "",
            use,
        ]
    )


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _label(text: str) -> str:
    return json.dumps(re.sub(r"\s+", " ", text), ensure_ascii=False).replace("$", "\\$")
