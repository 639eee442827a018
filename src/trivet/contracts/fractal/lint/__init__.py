"""What the public form can't show of a manifest's arguments, said with the codes of the public tool and a few of ours.

The schemas are looked at as they stand in the manifest. Where the sources of the package are at hand, each finding is
placed in them, by their text: nothing is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trivet.contracts.fractal.lint.walk import violations

if TYPE_CHECKING:
    from trivet.contracts.fractal.lint.sources import Sources
    from trivet.tasks.document import Document
    from trivet.tasks.problem import Problem

REFUSED_IN = "fractal_schema_v1"
"""The generation of schemas for which the public tool refuses what breaks its rules; older ones it let pass."""


def check(document: Document) -> list[Problem]:
    """The findings of a manifest as it was read, placed in the package or the wheel it stands in."""
    if document.kind != "manifest":
        return []
    from trivet.contracts.fractal.lint.files import sources_of

    return lint(document.data, sources_of(document))


def lint(manifest: Any, sources: Sources | None = None) -> list[Problem]:
    """All findings of a manifest of version 2, in the order of its tasks.

    The codes E01 to E22 (and I90 to I92) are those of the public tool, found where it finds them: errors in a manifest
    of the generation that has these rules, else warnings. F040 to F043 are warnings of our own. ``path`` leads to the
    place in the manifest; file, line and column are those of the Python source where it is known. Never raises; what
    is no manifest, no task, no schema has no findings.
    """
    from trivet.contracts.fractal.lint import more

    found: list[Problem] = []
    refused = isinstance(manifest, dict) and manifest.get("args_schema_version") == REFUSED_IN
    for steps, task, part, schema in schemas_of(manifest):
        broken = violations(schema)
        own = [*more.names(schema), *more.unvisited(schema)]
        if sources is not None:
            own += more.hints(schema, sources, task.get(f"executable_{part}"))
        if broken or own:
            from trivet.contracts.fractal.lint.telling import Teller

            teller = Teller(schema, steps, sources, task.get(f"executable_{part}"), refused)
            found += [teller.violation(violation) for violation in broken]
            found += [teller.own(finding) for finding in own]
    return found


def schemas_of(manifest: Any) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any], str, Mapping[str, Any]]]:
    """Every schema of arguments in a manifest: its path, its task's entry, the part it belongs to, and itself."""
    tasks = manifest.get("task_list") if isinstance(manifest, dict) else None
    for index, task in enumerate(tasks if isinstance(tasks, list) else ()):
        for part in ("non_parallel", "parallel"):
            schema = task.get(f"args_schema_{part}") if isinstance(task, dict) else None
            if isinstance(schema, dict):
                yield ("task_list", index, f"args_schema_{part}"), task, part, schema
