"""Dependencies between parameters: what an output is derived from, and which arrays match (App Engine tasks,
dependencies)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from trivet.contracts.cytomine.model import Link, Member
from trivet.contracts.fields import Fields, name_of
from trivet.tasks.problem import closest
from trivet.tasks.task import Port
from trivet.tasks.types import Array

_REFERENCE = re.compile(r"(inputs|outputs)((?:/[a-zA-Z0-9_]+)+)", re.ASCII)


class Dependencies:
    """The dependencies of a descriptor while it is read: `read` each parameter's, then `check` them all."""

    def __init__(self) -> None:
        self.derived_from: dict[str, str] = {}
        self._links: list[tuple[Member, Member, Fields, int]] = []
        self._derived: list[tuple[str, Fields]] = []

    def read(self, owner: Member, parameter: Fields) -> None:
        """Take the dependencies of one parameter."""
        fields = parameter.child("dependencies")
        if fields is None:
            return
        side, name = owner
        source = fields.get("derived_from", str)
        if source is not None and side == "inputs":
            message = "only an output is derived from something; it is ignored"
            fields.note("C048", message, "derived_from", severity="warning")
        elif source is not None:
            target = _target(fields, source, "derived_from")
            if target is not None and target[0] != "inputs":
                fields.note("C048", f"`{source}` is no input", "derived_from", hint="write inputs/ID")
            elif target is not None:
                self.derived_from[name] = target[1]
                self._derived.append((name, fields))
        others = fields.get("matching", list, [])
        if "matching" in fields.data and fields.data["matching"] == []:
            fields.note("C047", "`matching` is empty", "matching", hint="name the arrays, or remove it")
        for index, other in enumerate(others):
            if not isinstance(other, str):
                message = f"item {index} of `matching` must be text, not {name_of(other)}"
                fields.note("type", message, "matching", index)
                continue
            target = _target(fields, other, "matching", index)
            if target is not None:
                self._links.append((owner, target, fields, index))
        fields.unknown()

    def check(self, inputs: Sequence[Port], outputs: Sequence[Port], declared: Collection[Member]) -> None:
        """Check that everything named exists and has the right type.

        ``declared`` are all parameters of the document; one that is no port was already complained about.
        """
        ports = {("inputs", port.name): port for port in inputs} | {("outputs", port.name): port for port in outputs}
        for name, fields in self._derived:
            source = self.derived_from[name]
            if ("inputs", source) not in declared:
                hint = closest(source, (port.name for port in inputs))
                fields.note("C047", f"there is no input `{source}`", "derived_from", hint=hint)
                del self.derived_from[name]
        good = []
        for owner, target, fields, index in self._links:
            if target not in declared:
                known = [name for side, name in declared if side == target[0]]
                message = f"there is no {target[0][:-1]} `{target[1]}`"
                fields.note("C047", message, "matching", index, hint=closest(target[1], known))
            elif target in ports and not isinstance(ports[target].type, Array):
                fields.note("C049", f"`{target[1]}` is no array; only arrays match", "matching", index)
            elif owner in ports and not isinstance(ports[owner].type, Array):
                fields.note("C049", "only an array can match others", "matching", index)
            elif owner in ports and target in ports:
                good.append((owner, target, fields, index))
        self._links = good

    def links(self) -> tuple[Link, ...]:
        """Arrays that match directly, as declared."""
        return tuple((owner, target) for owner, target, _, _ in self._links)


def _target(fields: Fields, reference: str, *steps: str | int) -> Member | None:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        fields.note("C047", f"`{reference}` names no parameter", *steps, hint="write inputs/ID or outputs/ID")
        return None
    return match[1], match[2].split("/")[1]
