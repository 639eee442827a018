"""The entries of tasks in a manifest: keys, schemas, reserved arguments, documentation (manifest tools, 1.2 to 2.5)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.authoring import reserved
from trivet.contracts.fractal.authoring.functions import Arguments, Made
from trivet.contracts.fractal.authoring.refused import RefusedError
from trivet.contracts.fractal.manifest import NON_PARALLEL, PARALLEL
from trivet.tasks.problem import Problem

if TYPE_CHECKING:
    from trivet.contracts.fractal.authoring.listing import Listing
    from trivet.contracts.fractal.authoring.manifests import Built

MAKING, RESERVED, LINTING, DOCUMENTING = range(4)
"""The steps of the work on one part of a task; documenting follows both parts."""

_NOT_WRITTEN = {"meta", "meta_init", "executable", "executable_init"}
_FILE = "file:"


class Entries:
    """Makes the entries, one after the other."""

    def __init__(self, built: Built, listing: Listing, arguments: Arguments) -> None:
        self._built = built
        self._listing = listing
        self._arguments = arguments

    def of(self, number: int, task: Any) -> dict[str, Any]:
        """The entry of one task, its keys in the order of the public tool. What is bad is noted."""
        entry: dict[str, Any] = task.model_dump(exclude=_NOT_WRITTEN, exclude_unset=True)
        entry["type"] = task.type
        executables = {part: getattr(task, f"executable_{part}") for part in (NON_PARALLEL, PARALLEL)}
        executables = {part: executable for part, executable in executables.items() if executable is not None}
        entry |= {f"executable_{part}": executable for part, executable in executables.items()}
        metas = {f"meta_{part}": getattr(task, f"meta_{part}") for part in executables}
        entry |= {key: meta for key, meta in metas.items() if meta is not None}
        docs = ""
        for position, (part, executable) in enumerate(executables.items()):
            made = self._arguments.of(executable)
            refused = [(MAKING, one) for one in made.refused]
            if made.schema is not None:
                entry[f"args_schema_{part}"] = made.schema
                refused += [(RESERVED, one) for one in _reserved(made.schema, task.type, part)]
            for step, one in refused:
                self._note((number, position, step), f"task `{task.name}`, {executable}", one, made)
            docs += made.docs
        try:
            entry["docs_info"] = self._docs_info(entry.get("docs_info"), docs)
        except RefusedError as one:
            self._note((number, 2, DOCUMENTING), f"task `{task.name}`", one)
        if self._listing.docs_link is not None:
            entry["docs_link"] = self._listing.docs_link
        return entry

    def _docs_info(self, given: str | None, made: str) -> str:
        """The text that was given, that of the file it names, or what the functions' docstrings say."""
        if given is None:
            return made
        if not given.startswith(_FILE):
            return given
        path = Path(given.removeprefix(_FILE))
        if path.is_absolute():
            raise RefusedError("F072", f"Invalid docs_info='{given}' (path must be relative).")
        try:
            return (self._listing.folder / path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
            message = f"the file of `docs_info`, {self._listing.folder / path}, can't be read: {reason}"
            raise RefusedError("F072", message, said=error) from None

    def _note(self, order: tuple[int, ...], where: str, refused: RefusedError, made: Made | None = None) -> None:
        argument = f", argument `{refused.argument}`" if refused.argument else ""
        file, line = (made.file, made.lines().get(refused.argument)) if made is not None else ("", None)
        message = f"{where}{argument}: {refused.message}"
        self._built.note(
            order, Problem(refused.code, message, refused.severity, refused.hint, file, line=line), refused.said
        )


def _reserved(schema: dict[str, Any], kind: str, part: str) -> list[RefusedError]:
    """The runner's own arguments that a function lacks, or has though they are never supplied."""
    names = schema["properties"]
    found = []
    if missing := reserved.missing(names, kind, part):
        said = f"ValueError: [validate_arguments] Required arguments {reserved.as_set(missing)} are missing."
        listed = ", ".join(f"`{name}`" for name in missing)
        message = f"the function must take {listed}, which the runner supplies to this type of task"
        found.append(RefusedError("F070", message, said=said))
    if excess := reserved.excess(names, kind, part):
        said = f"ValueError: [validate_arguments] Forbidden arguments {reserved.as_set(excess)} are present."
        for name in excess:
            message = "the runner never supplies it to this type of task; take it out, or choose another type"
            found.append(RefusedError("F071", message, argument=name, said=said))
    return found
