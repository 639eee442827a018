"""The manifest of a package, made from its list of tasks; all problems of all tasks at once (manifest tools, 1, 2)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

from trivet.contracts.fractal.authoring import judging, packages
from trivet.contracts.fractal.authoring.entries import Entries
from trivet.contracts.fractal.authoring.functions import Arguments
from trivet.contracts.fractal.authoring.listing import Listing
from trivet.contracts.fractal.authoring.loading import Imported, Modules
from trivet.contracts.fractal.authoring.refused import RefusedError
from trivet.contracts.fractal.manifest import FILE_NAME
from trivet.tasks.problem import Problem, has_errors

SchemaVersion = Literal["fractal_schema_v1", "pydantic_v2"]
SCHEMA_VERSIONS: tuple[SchemaVersion, ...] = ("fractal_schema_v1", "pydantic_v2")


class Found(NamedTuple):
    """One problem of a manifest in the making; ``said`` is what the public tool says instead.

    ``order`` sorts by task, part and step of the work, in the order in which the public tool comes to it.
    """

    order: tuple[int, ...]
    problem: Problem
    said: str = ""


class Built:
    """What came of it: the manifest as far as it could be made, its problems, and the directory of the package."""

    def __init__(self) -> None:
        self.manifest: dict[str, Any] = {}
        self.written: Any = None
        """The manifest as it would be read again from its file; None where it can't be written."""
        self.found: list[Found] = []
        self.root: Path | None = None

    @property
    def path(self) -> Path:
        """The file of the manifest. Raises ValueError when the package was not found."""
        if self.root is None:
            raise ValueError("the package was not found")
        return self.root / FILE_NAME

    @property
    def problems(self) -> list[Problem]:
        """Every problem, in the order of the tasks."""
        return [one.problem for one in sorted(self.found, key=lambda one: one.order)]

    @property
    def ok(self) -> bool:
        """True when the manifest can be written."""
        return bool(self.manifest) and not has_errors(self.problems)

    @property
    def first_said(self) -> str:
        """What the public tool, which stops at the first error, ends with."""
        errors = (one for one in sorted(self.found, key=lambda one: one.order) if one.problem.severity == "error")
        return next((one.said for one in errors), "")

    def note(self, order: tuple[int, ...], problem: Problem, said: str = "") -> None:
        self.found.append(Found(order, problem, said))


def build(
    package: str,
    task_list: str = "dev.task_list",
    *,
    schema_version: SchemaVersion = "fractal_schema_v1",
    compatible: bool = False,
    static: bool = False,
) -> Built:
    """Make the manifest of a package that can be imported. Nothing is written; what is bad is told, not raised.

    ``compatible`` has it be the public tool's to the last letter, whatever a server makes of it. ``static`` imports
    nothing of the package: signatures are taken from its source.
    """
    built = Built()
    older = schema_version == "pydantic_v2"
    try:
        with closing(_modules(package, compatible, static)) as modules:
            listing = Listing(modules, task_list, built, compatible, older)
            built.root = modules.root
            entries = Entries(built, listing, Arguments(modules, older, compatible, listing.input_models))
            tasks = [entries.of(number, task) for number, task in enumerate(listing.tasks)]
    except RefusedError as refused:
        built.note((-1,), Problem(refused.code, refused.message, hint=refused.hint), refused.said)
        return built
    built.manifest = {
        "manifest_version": "2",
        "task_list": tasks,
        "has_args_schemas": True,
        "args_schema_version": schema_version,
        "authors": listing.authors,
    }
    judging.judge(built, compatible, older)
    return built


def _modules(package: str, compatible: bool, static: bool) -> Modules:
    if static:
        from trivet.contracts.fractal.authoring.static import Sliced

        return Sliced(packages.import_name(package))
    return Imported(packages.import_name(package, compatible), compatible)
