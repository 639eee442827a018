"""A descriptor as a page of documentation, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import cast

from trivet.contracts.cytomine.matching import groups
from trivet.contracts.cytomine.model import Descriptor
from trivet.tasks import types
from trivet.tasks.quantities import format_memory
from trivet.tasks.task import MISSING, Port
from trivet.tasks.types import ValueType
from trivet.tasks.values import Value, to_json

_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#"})


def markdown(model: Descriptor) -> str:
    """The page of a descriptor without errors."""
    return "\n".join(_lines(model)).rstrip() + "\n"


def _lines(model: Descriptor) -> Iterator[str]:
    yield f"# {_text(model.name)}"
    yield ""
    if model.description:
        yield from (_text(model.description.strip()), "")
    yield from _table(("", ""), [(name, fact) for name, fact in _facts(model) if fact])
    for heading, ports, folder in (
        ("Inputs", model.inputs, model.input_folder),
        ("Outputs", model.outputs, model.output_folder),
    ):
        yield from ("", f"## {heading}", "")
        if not ports:
            yield "None."
            continue
        yield f"Files in `{folder}`, named as the parameters, without an extension."
        yield ""
        rows = [(f"`{port.name}`", _type(port.type), _need(port), _words(model, port)) for port in ports]
        yield from _table(("name", "type", "value" if heading == "Inputs" else "", "description"), rows)
    if model.links:
        yield from ("", "## Matching arrays", "")
        for group in groups(model.links):
            yield "- " + ", ".join(f"`{side}/{name}`" for side, name in group) + " have the same size"
    yield from ("", "## Authors", "")
    for author in model.authors:
        name = _text(f"{author['first_name']} {author['last_name']}, {author['organization']}")
        yield f"- {name} <{author['email']}>" + (" (contact)" if author["is_contact"] else "")


def _facts(model: Descriptor) -> Iterator[tuple[str, str]]:
    resources = model.resources
    yield "namespace", f"`{model.namespace}`"
    yield "version", f"`{model.version}`"
    yield "image", f"`{model.reference}`"
    yield "CPUs", f"{resources.cpus or 0:g}"
    yield "memory", format_memory(resources.memory or 0)
    yield "GPUs", str(resources.gpus or "")
    yield "internet", "needed" if model.internet else "not needed"
    yield "source code", model.source_code and f"<{model.source_code}>"
    yield "publications", " ".join(f"<{doi}>" for doi in model.dois)


def _type(kind: ValueType) -> str:
    if isinstance(kind, types.Array):
        sizes = _sizes(kind.min_size or None, kind.max_size, "items")
        return f"array of {_type(kind.of)}{sizes}"
    if isinstance(kind, types.Enumeration):
        return "one of " + ", ".join(_code(value) for value in kind.values)
    if isinstance(kind, types.File):
        limits = [", ".join(kind.formats)] if kind.formats else []
        if isinstance(kind, types.Image) and (kind.max_width or kind.max_height):
            limits.append(f"at most {kind.max_width or 'any'} × {kind.max_height or 'any'} pixels")
        if kind.max_size is not None:
            limits.append(f"at most {format_memory(kind.max_size)}")
        return kind.name + (f" ({'; '.join(limits)})" if limits else "")
    if isinstance(kind, types.Number):
        special = [word for word, allowed in (("∞", kind.allow_infinity), ("NaN", kind.allow_nan)) if allowed]
        return kind.describe() + (f" or {' or '.join(special)}" if special else "")
    return _text(kind.describe())


def _sizes(low: int | None, high: int | None, what: str) -> str:
    if low is None and high is None:
        return ""
    if low == high:
        return f" ({low} {what})"
    return f" ({f'{low or 0} to {high}' if high is not None else f'at least {low}'} {what})"


def _need(port: Port) -> str:
    if port.default is not MISSING:
        text = json.dumps(to_json(cast("Value", port.default)), ensure_ascii=False)
        return f"default {_code(text)}" + (" (optional)" if port.optional else "")
    return "optional" if port.optional else "required" if port.access == "in" else ""


def _words(model: Descriptor, port: Port) -> str:
    title = f"**{_text(port.title)}.** " if port.title != port.name else ""
    source = model.derived_from.get(port.name) if port.access == "out" else None
    return title + _text(port.description) + (f" (relative to `{source}`)" if source else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |".replace("  ", " ")
    yield "|" + " --- |" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _code(text: str) -> str:
    marks = "`" if "`" not in text else "`` "
    return f"{marks}{text}{marks[::-1]}".replace("|", "\\|")


def _text(text: str) -> str:
    """Text that means nothing in Markdown, on one line."""
    return " ".join(text.split()).translate(_MARKS)
