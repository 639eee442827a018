"""What a document says about the items of a channel: the key ``items``, an extension that other readers ignore.

``"items": {"each": "dicom"}`` at an output, ``{"combine": ["moving", "fixed"]}``, or ``{"match": "reference"}`` at an
input. Checked at every run, as warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trivet.contracts.fields import Fields, name_of
from trivet.contracts.kaapana.channels import compare, identifiers
from trivet.contracts.kaapana.model import Channel, Relation, Template
from trivet.tasks.problem import Problem, closest

KINDS = ("each", "combine", "match")


def read_relations(parent: Fields) -> tuple[Relation, ...]:
    """The relations of a channel; what is wrong with their shape is noted."""
    fields = parent.child("items")
    if fields is None:
        return ()
    relations = []
    for kind in KINDS:
        if not fields.has(kind):
            continue
        given = fields.data[kind]
        names = [given] if isinstance(given, str) else given
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            relations += [Relation(kind, name) for name in names]
        else:
            fields.note(
                "type", f"`{kind}` must be the name of a channel, or a list of names, not {name_of(given)}", kind
            )
    fields.unknown()
    return tuple(relations)


def faults(template: Template) -> Iterator[Problem]:
    """Relations with channels that are not there, or on the wrong side."""
    for channels, output in ((template.inputs, False), (template.outputs, True)):
        for channel in channels:
            for relation in channel.relations:
                yield from _fault(channel, relation, template, output)


def _fault(channel: Channel, relation: Relation, template: Template, output: bool) -> Iterator[Problem]:
    path = (*channel.path, "items", relation.kind)
    if relation.kind != "match" and not output:
        message = f"`{relation.kind}` says how an output's items come from an input's; `{channel.name}` is an input"
        yield Problem("K061", message, path=path)
        return
    side = template.outputs if output and relation.kind == "match" else template.inputs
    names = [one.name for one in side if one is not channel]
    if relation.channel not in names:
        word = "output" if side is template.outputs else "input"
        message = f"there is no other {word} channel `{relation.channel}`"
        yield Problem("K061", message, path=path, hint=closest(relation.channel, names))


def departures(
    channels: Sequence[Channel], items: Mapping[str, frozenset[str]], others: Mapping[str, str]
) -> Iterator[Problem]:
    """What the relations of these channels say and does not hold.

    ``items`` holds the identifiers of channels that were looked at, ``others`` the directories of further ones.
    """
    for channel in channels:
        for kind, other in channel.relations:
            if channel.name not in items:
                continue
            known = items.get(other) if kind == "match" else None
            if known is None and other in others:
                try:
                    known = identifiers(others[other])
                except OSError:
                    continue  # staging has said it
            if known is not None:
                yield from compare(kind, channel.name, items[channel.name], other, known)
