"""The descriptor as a document and as a task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trivet.contracts.cytomine.model import Descriptor
from trivet.contracts.cytomine.rules import examine
from trivet.contracts.source import Source
from trivet.tasks.task import ContainerImage, Document, Task


def read(source: Source) -> Document:
    """The document; what is wrong with it (and with the bundle it came in) is in ``model.problems``."""
    data, problem = source.parsed
    model = Descriptor((problem,)) if problem else examine(data)
    model = replace(model, problems=_in_file_order(data, model.problems), image=source.image, archive=source.archive)
    if source.archive is not None and source.image is None:
        from trivet.contracts.cytomine.bundle import find_image

        member, problems = find_image(source.archive, model, bundle_of(source.name))
        model = replace(model, archive_image=member, problems=(*model.problems, *problems))
    return Document("cytomine", "descriptor", source.texts, str(source.base), source.name, data, model)


def bundle_of(name: str) -> str:
    """The name of the bundle that a descriptor of this name is in."""
    return name.rpartition("/")[0]


def task_of(document: Document) -> Task:
    """The task of a descriptor without errors. It runs the image's own entrypoint, without arguments."""
    from trivet.contracts.cytomine import sidecars

    model: Descriptor = document.model
    if model.image is not None:
        program = ContainerImage(model.image)
    elif model.archive is not None:
        program = ContainerImage(model.reference, str(model.archive), member=model.archive_image)
    else:
        program = ContainerImage(model.reference)
    return Task(
        "cytomine",
        model.namespace.rpartition(".")[2],
        (*model.inputs, *sidecars.ports(model.inputs)),
        model.outputs,
        program,
        document,
        model.resources,
        title=model.name,
        description=model.description,
        namespace=model.namespace,
        version=model.version,
        network=model.internet,
    )


def _in_file_order(data: Any, problems: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sorted by where they stand; what is missing comes with the object it is missing from."""

    def rank(problem: Any) -> list[int]:
        node, ranks = data, []
        for step in problem.path:
            if isinstance(node, dict) and step in node:
                ranks.append(list(node).index(step))
                node = node[step]
            elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                ranks.append(step)
                node = node[step]
            else:
                break
        return ranks

    return tuple(sorted(problems, key=rank))
