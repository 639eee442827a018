"""The published schemas say the same as the checker: over the corpus, and over documents broken on purpose."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.contracts import kaapana
from trivet.contracts.kaapana import schemas
from trivet.contracts.kaapana.detection import is_task
from trivet.contracts.source import Source

from .mutations import EXAMPLES, mutated

VALIDATORS = {
    "container": jsonschema_rs.validator_for(schemas.container()),
    "task": jsonschema_rs.validator_for(schemas.task()),
}

RICH_CONTAINER = {
    "name": "tools",
    "description": "Tools",
    "api_version": 1,
    "templates": [
        {
            "identifier": "one",
            "description": "",
            "inputs": [
                {
                    "name": "a",
                    "mounted_path": "/a",
                    "scale_rule": {"complexity": "2.5*n**2", "type": "limit", "mode": "sum", "target_dir": "x"},
                },
                {
                    "name": "b",
                    "mounted_path": "/b",
                    "description": "B",
                    "scale_rule": {"scale_factor": 3, "headroom": 1.5, "type": "request", "mode": "max_item_sum"},
                },
            ],
            "outputs": [{"name": "c", "mounted_path": "/c", "items": {"each": "a", "combine": ["a", "b"]}}],
            "env": [
                {"name": "N", "value": "5", "type": "int", "choices": ["5", "6"], "adjustable": False},
                {"name": "T", "value": "", "description": "text"},
            ],
            "command": ["run", "it"],
            "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": 1}},
        }
    ],
}
FLAT_CONTAINER = {
    "name": "old",
    "description": "",
    "inputs": [],
    "outputs": [{"name": "c", "mounted_path": "/c"}],
    "env": [],
    "command": ["x"],
}
RICH_TASK = {
    "name": "t",
    "image": "tools:1",
    "api_version": "1",
    "taskTemplate": RICH_CONTAINER["templates"][0],
    "inputs": [
        {"name": "a", "volume_source": {"host_path": "data"}},
        {
            "name": "b",
            "input": {"host_path": "/data"},
            "scale_rule": {"complexity": "n", "type": "limit", "mode": "sum"},
        },
    ],
    "outputs": [{"name": "c", "volume_source": {"persistentVolumeClaim": {"claimName": "x"}}}],
    "env": [{"name": "T", "value": 5}, {"name": "U", "value": "x"}],
    "command": ["y"],
    "resources": {"limits": {"memory": "2Gi"}},
    "config": {
        "type": "k8s",
        "labels": {"a": "b", "n": 1},
        "namespace": "mine",
        "registryUrl": "r",
        "imagePullSecrets": ["s"],
        "imagePullPolicy": "Never",
        "annotations": {},
        "env_vars": [{"name": "A", "value": "x"}, {"name": "B", "value_from": {}}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "volume_mounts": [{"name": "v", "mount_path": "/v", "readOnly": True}],
    },
}
FLAT_TASK = {
    "name": "t",
    "image": "old:1",
    "inputs": [],
    "outputs": [{"name": "c", "input": {"local_path": "/x"}}],
    "namespace": "mine",
    "env": [],
}
ODD = [None, True, 0, 1, 2, -1, 1.5, "", "x", "1", "n", "k8s", "limit", [], ["x"], [None], {}, {"a": {}}]


def _verdicts(data):
    kind = "task" if is_task(data) else "container"
    source = Source("d.json", json.dumps(data), Path("/base"))
    problems = kaapana.check(kaapana.read(source))
    structural = [item for item in problems if item.code in schemas.STRUCTURAL and item.severity == "error"]
    return VALIDATORS[kind].is_valid(data), structural


def _agree(data):
    valid, structural = _verdicts(data)
    assert valid == (not structural), (data, structural)


@pytest.mark.parametrize("data", [RICH_CONTAINER, FLAT_CONTAINER, RICH_TASK, FLAT_TASK])
def test_good_documents_of_every_form_are_valid(data):
    assert _verdicts(data) == (True, [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"api_version": 7}, "K004"),
        ({"name": ""}, "K013"),
        ({"templates": [{}]}, "K001"),
        ({"description": 5}, "K002"),
    ],
)
def test_what_the_public_schema_lets_through_or_not_is_refused_by_both(change, code):
    valid, structural = _verdicts(RICH_CONTAINER | change)
    assert not valid
    assert code in {problem.code for problem in structural}


def test_the_configuration_of_a_task_is_not_left_out():
    for config in ({"type": "podman"}, {"type": "k8s", "namespace": 5}, {"volumes": [{}]}):
        valid, structural = _verdicts(RICH_TASK | {"config": config})
        assert not valid
        assert structural


def test_they_agree_over_the_corpus(corpus):
    seen = 0
    for path in sorted(corpus.glob("*/*.json")):
        if path.name.startswith(("pc_", "task_", "seed_task", "seed_pc_my")):
            _agree(json.loads(path.read_text()))
            seen += 1
    assert seen >= 15


@pytest.mark.timeout(900)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([RICH_CONTAINER, FLAT_CONTAINER, RICH_TASK, FLAT_TASK]), st.integers(0, 2**32))
def test_they_agree_over_documents_broken_on_purpose(data, seed):
    broken = mutated(data, random.Random(seed), ODD)
    if isinstance(broken, dict):
        _agree(broken)


@pytest.mark.timeout(900)
def test_they_agree_over_a_broken_corpus(corpus):
    paths = sorted(corpus.glob("*/*.json"))
    texts = [path.read_text() for path in paths if path.name.startswith(("pc_", "task_", "seed_task", "seed_pc_my"))]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(texts), st.integers(0, 2**32))
    def mutate(text, seed):
        _agree(mutated(json.loads(text), random.Random(seed), ODD))

    mutate()


@pytest.mark.parametrize("schema", [schemas.container(), schemas.task()])
def test_they_are_good_schemas(schema):
    assert jsonschema_rs.meta.is_valid(schema)
    assert schema["$schema"] == schemas.DIALECT
