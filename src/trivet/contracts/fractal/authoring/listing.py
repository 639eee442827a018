"""The module of a package that lists its tasks, and what it says beside them (manifest tools, 2.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.authoring import packages
from trivet.contracts.fractal.authoring.refused import RefusedError
from trivet.tasks.problem import Problem

if TYPE_CHECKING:
    from trivet.contracts.fractal.authoring.loading import Modules
    from trivet.contracts.fractal.authoring.manifests import Built

BEFORE_ALL_TASKS = (-1,)


class Listing:
    """The tasks, the authors, the link to the documentation, and the folder that texts of tasks are read from."""

    def __init__(self, modules: Modules, dotted: str, built: Built, compatible: bool, older: bool) -> None:
        """Raises RefusedError when there is no list of tasks."""
        if "/" in dotted or dotted.endswith(".py"):
            message = f"Invalid task_list_path={dotted!r} (valid example: `dev.task_list`)."
            raise RefusedError("F061", message)
        self.module = modules.task_list(dotted)
        self.folder = Path(self.module.__file__).parent
        self._built = built
        self.tasks = self._tasks(compatible and not older)
        self.authors = self._authors(compatible, older)
        self.docs_link = self._docs_link()
        self.input_models: Sequence[Any] = getattr(self.module, "INPUT_MODELS", []) if older else []

    def _tasks(self, compatible: bool) -> Sequence[Any]:
        if not hasattr(self.module, "TASK_LIST"):
            said = f"AttributeError: module '{self.module.__name__}' has no attribute 'TASK_LIST'"
            raise RefusedError("F061", f"`{self.module.__name__}` defines no `TASK_LIST`", said=said)
        tasks = self.module.TASK_LIST
        if not isinstance(tasks, list | tuple):
            raise RefusedError("F061", f"`TASK_LIST` must be a list of tasks, not {type(tasks).__name__}")
        for number, task in enumerate(tasks):
            if not (hasattr(task, "model_dump") and hasattr(task, "executable_parallel")):
                message = f"`TASK_LIST[{number}]` is no task, but an object of type {type(task).__name__}"
                said = f"AttributeError: '{type(task).__name__}' object has no attribute 'model_dump'"
                hint = "use the classes of trivet.fractal.task_models"
                raise RefusedError("F061", message, hint=hint, said=said)
        names = [task.name for task in tasks]
        if compatible and len(set(names)) < len(names):  # our own rules tell of each, with all other problems
            message = f"Task names must be unique (given: {names})."
            raise RefusedError("F007", message, said=_not_unique(message, tasks))
        return tasks

    def _authors(self, compatible: bool, older: bool) -> Any:
        """Those that the list names, else those of the ``pyproject.toml`` of the working directory."""
        given = getattr(self.module, "AUTHORS", None)
        if given is not None:
            return given
        self._warn(Problem("F074", "No `AUTHORS` found in task_list module.", "warning"))
        if older:  # this generation did not look further
            return None
        path = os.path.join(os.getcwd(), "pyproject.toml")  # noqa: PTH109, PTH118
        try:
            return packages.project_authors(path)
        except (LookupError, OSError, TypeError, ValueError) as error:
            if compatible or not isinstance(error, FileNotFoundError):
                message = f"Cannot get author names from {path}. Original error: {error}"
                self._warn(Problem("F075", message, "warning"))
            return None

    def _docs_link(self) -> Any:
        if not hasattr(self.module, "DOCS_LINK"):
            self._warn(Problem("F076", "No `DOCS_LINK` found in task_list module.", "warning"))
            return None
        if self.module.DOCS_LINK == "":
            self._warn(Problem("F076", "`DOCS_LINK=` transformed into `DOCS_LINK=None`.", "warning"))
            return None
        return self.module.DOCS_LINK

    def _warn(self, problem: Problem) -> None:
        self._built.note(BEFORE_ALL_TASKS, problem)


def _not_unique(message: str, tasks: Sequence[Any]) -> ValueError:
    """What pydantic would raise, were the list of tasks a model."""
    from pydantic_core import InitErrorDetails, ValidationError

    detail: InitErrorDetails = {"type": "value_error", "input": tasks, "ctx": {"error": ValueError(message)}}
    return ValidationError.from_exception_data("_TaskList", [detail])
