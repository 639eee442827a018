"""For authors of Fractal packages: `task_models` to list tasks, `task_wrapper` to run one, and their manifest.

from trivet.fractal import build, write

built = build("my_tasks")
if built.ok:
    write(built)
else:
    print(*built.problems, sep="\\n")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trivet.contracts.fractal.authoring.manifests import Built, build

__all__ = ["Built", "build", "write"]


def write(built: Built) -> None:
    """Write a manifest into the directory of its package, at once or not at all.

    Raises ProblemsError when something is wrong with it, and OSError.
    """
    from trivet.contracts.fractal.authoring.files import text_of
    from trivet.records.files import write_text
    from trivet.tasks.problem import ProblemsError

    if not built.ok:
        raise ProblemsError(built.problems)
    write_text(built.path.resolve(), text_of(built.manifest))


def __getattr__(name: str) -> Any:
    # A task at work imports its wrapper from here, and pays for nothing else.
    if name in __all__:
        from trivet.contracts.fractal.authoring import manifests

        return getattr(manifests, name)
    raise AttributeError(f"module 'trivet.fractal' has no attribute {name!r}")
