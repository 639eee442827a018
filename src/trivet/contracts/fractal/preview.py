"""One page with the argument form of every task, as a user of the public web form would see it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from trivet.contracts import fractal
from trivet.contracts.fractal import environment, lint
from trivet.contracts.fractal.manifest import METADATA, NON_PARALLEL, PARALLEL, has_part, prefix_of
from trivet.tasks.document import Document
from trivet.tasks.problem import Problem, ProblemsError

MARK = 'id="trivet-forms"'
"""What every such page holds."""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="root"></div>
<script type="application/json" {mark}>{data}</script>
<script>{script}</script>
</body>
</html>
"""
_NOTE = "A preview: nothing is sent or stored. Arguments that the server supplies are not shown."


def page(document: Document, findings: Sequence[Problem] | None = None) -> str:
    """A self-contained HTML page for a manifest of either version; it loads nothing from elsewhere.

    ``findings`` are those of the lint, placed in their files, by default those of the document itself; each is shown
    with its task. Raises ProblemsError for a manifest with errors.
    """
    problems = [problem for problem in fractal.check(document) if problem.severity == "error"]
    if problems:
        raise ProblemsError(problems)
    name, versions = environment.identity(document.base, prefix_of(document), document.texts.get(METADATA, ""))
    title = f"{name} {versions.get(name, '')}".strip()
    notes = lint.check(document) if findings is None else findings
    data = {
        "title": title,
        "note": _NOTE,
        "version": document.data.get("args_schema_version"),
        "tasks": [_task(entry, index, notes) for index, entry in enumerate(document.data["task_list"])],
    }
    forms = files("trivet") / "forms"
    return _PAGE.format(
        title=escape(title),
        mark=MARK,
        style=(forms / "forms.css").read_text(encoding="utf-8"),
        script=(forms / "forms.js").read_text(encoding="utf-8"),
        # A text of the manifest must not end the element it stands in.
        data=json.dumps(data).replace("<", "\\u003c"),
    )


def _task(entry: Mapping[str, Any], index: int, notes: Sequence[Problem]) -> dict[str, Any]:
    parts = [part for part in (NON_PARALLEL, PARALLEL) if has_part(entry, part)]
    schemas = [{"part": part, "schema": entry.get(f"args_schema_{part}")} for part in parts]
    if "executable" in entry or "command" in entry:  # version 1
        schemas = [{"part": PARALLEL, "schema": entry.get("args_schema")}]
    return {
        **{key: entry.get(key) for key in ("name", "type", "category", "modality", "tags")},
        "docs": entry.get("docs_info"),
        "parts": schemas,
        "notes": [
            {
                "code": note.code,
                "severity": note.severity,
                "message": note.message,
                "hint": note.hint,
                "place": f"{note.file}:{note.line}" if note.file and note.line else "",
            }
            for note in notes
            if note.path[:2] == ("task_list", index)
        ],
    }
