"""The configuration of a task: told apart by its type alone, in both spellings of Kubernetes, and checked."""

from __future__ import annotations

import pytest

ONLY_THERE = "K075"
"""That a part of it means nothing but on Kubernetes, which is true of most of them."""


@pytest.fixture
def codes(problems, task, container):
    """Codes and severities of what is wrong with a configuration."""

    def check(**config):
        found = problems(task(config=config), container())
        return [(problem.code, problem.severity, problem.path[1:]) for problem in found if problem.code != ONLY_THERE]

    return check


def test_the_type_alone_decides(read, task, codes):
    assert read(task(config={"labels": {"a": "b"}})).model.content.config == {"labels": {"a": "b"}}
    assert codes(type="docker", labels={"a": 1}) == []
    assert codes(type="podman") == [("K033", "error", ("type",))]
    assert codes(type="docker", namespace="x") == [("K003", "warning", ("namespace",))]


def test_parts_of_kubernetes_in_either_spelling_are_the_same(read, task, codes):
    documents = {
        "type": "k8s",
        "namespace": "mine",
        "env_vars": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
        "volume_mounts": [{"name": "v", "mountPath": "/v", "readOnly": True, "subPath": "x"}],
    }
    client = {
        **documents,
        "env_vars": [{"name": "A", "value_from": {"secret_key_ref": {"name": "s", "key": "k"}}}],
        "volumes": [{"name": "v", "persistent_volume_claim": {"claim_name": "c"}}],
        "volume_mounts": [{"name": "v", "mount_path": "/v", "read_only": True, "sub_path": "x"}],
    }
    assert codes(**documents) == codes(**client) == []
    read_as = read(task(config=client)).model.content.config
    assert read_as == documents == read(task(config=documents)).model.content.config


@pytest.mark.parametrize(
    ("config", "code", "path"),
    [
        ({"env_vars": [{"value": "x"}]}, "K001", ("env_vars", 0)),
        ({"env_vars": [{"name": "A", "value": 5}]}, "K002", ("env_vars", 0, "value")),
        ({"env_vars": [{"name": "A"}, {"name": "A"}]}, "K012", ("env_vars", 1, "name")),
        ({"volumes": ["v"]}, "K002", ("volumes", 0)),
        ({"volumes": [{"name": "v"}]}, "K038", ("volumes", 0)),
        ({"volumes": [{"name": "v", "emptyDirs": {}}]}, "K038", ("volumes", 0)),
        ({"volumes": [{"name": "v", "emptyDir": {}, "nfs": {}}]}, "K038", ("volumes", 0)),
        ({"volumes": [{"name": "v", "emptyDir": {}}] * 2}, "K038", ("volumes", 1, "name")),
        ({"volume_mounts": [{"name": "v", "mountPath": "/v"}]}, "K038", ("volume_mounts", 0, "name")),
        ({"imagePullSecrets": [{"name": "s"}]}, "K002", ("imagePullSecrets", 0)),
        ({"imagePullPolicy": "always"}, "K002", ("imagePullPolicy",)),
        ({"labels": {"a": ["b"]}}, "K002", ("labels", "a")),
        ({"namespace": 5}, "K002", ("namespace",)),
    ],
)
def test_what_is_wrong_with_it_is_an_error_with_its_place(codes, config, code, path):
    assert codes(type="k8s", **config) == [(code, "error", path)]


def test_a_mount_without_a_path(codes):
    found = codes(volumes=[{"name": "v", "emptyDir": {}}], volume_mounts=[{"name": "v"}])
    assert found == [("K001", "error", ("volume_mounts", 0))]


@pytest.mark.parametrize(
    ("config", "code", "path"),
    [
        ({"namespace": "My_Project"}, "K035", ("namespace",)),
        ({"labels": {"-a": "x"}}, "K036", ("labels", "-a")),
        ({"labels": {"a/b/c": "x"}}, "K036", ("labels", "a/b/c")),
        ({"labels": {"a": "two words"}}, "K036", ("labels", "a")),
        ({"registryUrl": "r"}, "K037", ("registryUrl",)),
        ({"registryUsername": "u", "registryPassword": "{{ 'p' }}"}, "K037", ("registryUsername",)),
        ({"volume_mount": []}, "K003", ("volume_mount",)),
    ],
)
def test_what_only_kubernetes_would_refuse_is_a_warning(codes, config, code, path):
    assert codes(**config) == [(code, "warning", path)]


def test_good_labels_and_credentials_are_quiet(codes, monkeypatch):
    monkeypatch.setenv("PASSWORD", "geheim")
    labels = {"kaapana.ai/type": "processing-container", "a": "", "n": 1, "x" * 63: "y" * 63}
    credentials = {"registryUrl": "r", "registryUsername": "u", "registryPassword": "{{ env.PASSWORD }}"}
    assert codes(labels=labels, namespace="project-1", **credentials) == []


def test_a_password_in_the_file_is_warned_about_without_telling_it(problems, task, container):
    config = {"registryUrl": "r", "registryUsername": "u", "registryPassword": "geheim"}
    [problem] = problems(task(config=config), container())
    assert (problem.code, problem.severity, problem.path) == ("K039", "warning", ("config", "registryPassword"))
    assert "geheim" not in str(problem)


def test_a_record_read_again_has_no_password_to_warn_about(read, task, problems, container):
    config = {"registryUrl": "r", "registryUsername": "u", "registryPassword": "geheim"}
    assert problems(read(task(config=config)).data, container()) == []
