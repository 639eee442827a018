"""What a caller wants done with the templates of a task.json, and how that travels with the document's text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from trivet.tasks.problem import Problem

if TYPE_CHECKING:
    from trivet.contracts.source import Source

ATTACHMENT = "templating.json"
"""The attachment of a source that holds the options; no record keeps it, since it may hold secrets."""

UNDEFINED = ("error", "empty")
MARKS = ("{{", "{%", "{#")


class TemplateOptions(NamedTuple):
    """How templates are filled.

    ``custom`` holds the caller's own variables (``custom.NAME``). ``undefined`` says what a variable without a value
    is: ``error`` everywhere, ``empty`` everywhere with a warning as in the public implementation, or None: an error
    where it decides what runs. ``env_file`` is name and text of a ``.env`` file; the process's own environment wins.
    Not ``enabled``, every text is used as it is written.
    """

    custom: Mapping[str, Any] = {}
    undefined: str | None = None
    enabled: bool = True
    env_file: tuple[str, str] | None = None


def has_templates(text: str) -> bool:
    """True when a text may hold something to fill."""
    return any(mark in text for mark in MARKS)


def attach(source: Source, options: TemplateOptions) -> Source:
    """The source with the options. Raises ValueError for an unknown word, TypeError for what is no JSON."""
    if options.undefined not in (None, *UNDEFINED):
        raise ValueError(f"undefined variables can be {' or '.join(UNDEFINED)}, not {options.undefined!r}")
    from dataclasses import replace

    return replace(source, attachments={**source.attachments, ATTACHMENT: json.dumps(options._asdict())})


def options_of(source: Source) -> tuple[TemplateOptions, list[Problem]]:
    """The options a source came with, and what is wrong with them."""
    text = source.attachments.get(ATTACHMENT)
    if text is None:
        return TemplateOptions(), []
    try:
        return TemplateOptions(**json.loads(text)), []
    except (ValueError, TypeError):
        message = "template options must be an object as `template_options.attach` writes it"
        return TemplateOptions(), [Problem("K002", message, file=ATTACHMENT)]
