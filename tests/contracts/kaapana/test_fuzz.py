"""Mutated documents never raise: every fault is a problem that can be placed and printed."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.contracts import kaapana
from trivet.contracts.kaapana import user_input
from trivet.contracts.kaapana.instance import instance
from trivet.contracts.kaapana.template_options import TemplateOptions, attach
from trivet.contracts.source import Source
from trivet.tasks.problem import ProblemsError, has_errors

from .mutations import EXAMPLES, mutated

KEYS = [
    "name",
    "templates",
    "identifier",
    "inputs",
    "outputs",
    "env",
    "taskTemplate",
    "image",
    "command",
    "resources",
    "config",
]
ODD = [
    None,
    True,
    0,
    -1,
    1.5,
    1e300,
    10**30,
    "",
    "x",
    "\0",
    "\ud800",
    "{{ env.X }}",
    "{% x",
    "../..",
    "(",
    [],
    [None],
    {},
    {"a": {}},
    [[]],
]


def _survives(source):
    kaapana.detect(source)
    document = kaapana.read(source)
    problems = source.place(kaapana.check(document))
    for problem in problems:
        str(problem)
        assert problem.severity in ("error", "warning", "info")
    kaapana.image_of(document)
    untouched = kaapana.read(attach(source, TemplateOptions(enabled=False)))
    for form in ("current", "guide"):
        with suppress(ProblemsError):
            kaapana.write(untouched, form)
    with suppress(ProblemsError):
        user_input.read(source, "name")
    if has_errors(problems):
        return
    if kaapana.image_of(document) is not None:
        with pytest.raises(ProblemsError):
            kaapana.tasks(document)
        return
    for task in kaapana.tasks(document):
        if document.kind == "task":
            assert instance(task)["name"] == task.name
        names = [port.name for port in task.inputs]
        assert len(set(names)) == len(names)
    (name, text), *others = document.texts.items()
    assert kaapana.read(Source(name, text, source.base, dict(others))).data == document.data


@pytest.mark.timeout(900)
def test_mutated_documents_of_the_corpus(corpus):
    texts = [
        path.read_text()
        for path in sorted(corpus.glob("*/*.json"))
        if path.name.startswith(("pc_", "task_", "seed_task", "seed_pc_my"))
    ]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(texts), st.sampled_from([None, *texts]), st.integers(0, 2**32))
    def mutate(text, attached, seed):
        data = mutated(json.loads(text), random.Random(seed), ODD)
        attachments = {} if attached is None else {kaapana.CONTAINER_FILE: attached}
        _survives(Source("mutated.json", json.dumps(data), Path("/base"), attachments))

    mutate()


@pytest.mark.timeout(900)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "name",
                        "templates",
                        "identifier",
                        "inputs",
                        "outputs",
                        "env",
                        "taskTemplate",
                        "image",
                        "command",
                        "resources",
                        "config",
                    ]
                )
                | st.text(max_size=3),
                inner,
                max_size=6,
            )
        ),
        max_leaves=30,
    )
)
def test_any_json_at_all(data):
    for shape in (
        data,
        {"templates": [data]},
        {"taskTemplate": data, "inputs": [data], "config": data, "resources": data},
    ):
        _survives(Source("any.json", json.dumps(shape), Path("/base")))
