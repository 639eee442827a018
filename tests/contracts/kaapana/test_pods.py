"""What a task becomes on Kubernetes: its config, its amounts, its login; and every public template on a real server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.contracts.kaapana.secrets import filled, secrets_of, without_secrets
from trivet.contracts.source import Source, load
from trivet.engines import Attempt
from trivet.engines.kubernetes import faults, objects
from trivet.runs.options import Options
from trivet.tasks.call import bind
from trivet.tasks.problem import has_errors
from trivet.tasks.task import ContainerImage
from trivet.tasks.values import FileRef
from trivet.tasks.work import AttemptDirectory, Login

CONFIG = {
    "type": "k8s",
    "namespace": "lab",
    "labels": {"kaapana.ai/type": "processing-container", "network-access-external-ips": True, "count": 3},
    "annotations": {"prometheus.io/scrape": "true", "port": 80},
    "registryUrl": "https://registry.example.org",
    "registryUsername": "reader",
    "registryPassword": "hunter2",
    "imagePullSecrets": ["registry-secret"],
    "env_vars": [{"name": "TOKEN", "value_from": {"secret_key_ref": {"name": "s", "key": "k"}}}],
    "volumes": [{"name": "scratch", "empty_dir": {}}],
    "volume_mounts": [{"name": "scratch", "mount_path": "/scratch", "read_only": False}],
}


@pytest.fixture
def staged(read, task, container, tmp_path):
    """The invocation of a task.json in the directory of the test."""

    def make(data=None, attached=None, options=None, image=None):
        data = task() if data is None else data
        attachments = {kaapana.CONTAINER_FILE: json.dumps(attached or container())}
        document = kaapana.read(Source("task.json", json.dumps(data), tmp_path, attachments))
        assert not has_errors(kaapana.check(document)), kaapana.check(document)
        [made] = kaapana.tasks(document)
        if image:
            made = replace(made, program=ContainerImage(image))
        (tmp_path / "scans/p1").mkdir(parents=True, exist_ok=True)
        call = bind(made, {})
        [unit] = kaapana.plan(call, 0, ())
        invocation = kaapana.stage(call, unit, AttemptDirectory("run/0/1", tmp_path / "work/0/1"))
        return (options or Options()).applied(invocation)

    return make


def test_the_config_reaches_the_pod(staged, task):
    invocation = staged(task(image="registry.example.org/tools:1", config=CONFIG))
    pod = invocation.pod
    assert (pod.namespace, pod.pull_policy, pod.pull_secrets) == ("lab", "Always", ("registry-secret",))
    assert invocation.labels == {
        "kaapana.ai/type": "processing-container",
        "network-access-external-ips": "true",
        "count": "3",
    }
    assert pod.annotations == {"prometheus.io/scrape": "true", "port": "80"}
    assert pod.environment == ({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},)
    assert pod.volumes == ({"name": "scratch", "emptyDir": {}},)
    assert pod.mounts == ({"name": "scratch", "mountPath": "/scratch", "readOnly": False},)
    assert invocation.title == "my-task"


@pytest.mark.parametrize(
    ("given", "policy"), [({}, "Always"), ({"imagePullPolicy": None}, None), ({"imagePullPolicy": "Never"}, "Never")]
)
def test_the_image_is_pulled_as_the_config_says(staged, task, given, policy):
    assert staged(task(config={"type": "k8s", "namespace": "lab", **given})).pod.pull_policy == policy


def test_a_docker_config_gives_labels_and_no_more(staged, task):
    invocation = staged(task(config={"type": "docker", "labels": {"a": "b"}}))
    assert invocation.labels == {"a": "b"}
    assert invocation.pod.namespace is None
    assert [fault for fault in faults(invocation) if "no namespace" in fault]
    assert not list(faults(staged(task(config={"type": "docker"}), options=Options(namespace="lab"))))


def test_28_33_a_pod_needs_no_config_but_a_namespace(staged, task):
    invocation = staged(task(), options=Options(namespace="other"))
    assert list(faults(invocation)) == []
    assert staged(task(config=CONFIG), options=Options(namespace="other")).pod.namespace == "other"


def test_08_09_scaled_numbers_and_either_half_alone_reach_the_pod(staged, task, container, tmp_path):
    rule = {"complexity": "100*n", "type": "limit", "mode": "sum"}
    channel = {"name": "dicom", "mounted_path": "/data/in", "scale_rule": rule}
    (tmp_path / "scans/p1").mkdir(parents=True)
    (tmp_path / "scans/p1/a").write_bytes(bytes(1_000_000))
    limits = {"limits": {"memory": "50Mi", "nvidia.com/gpu": 1}}
    invocation = staged(attached=container(inputs=[channel], resources=limits))
    assert invocation.pod.resources == {"limits": {"memory": "110000000", "nvidia.com/gpu": "1"}}
    assert (invocation.resources.memory, invocation.resources.gpus) == (110_000_000, 1)
    requests = {"requests": {"memory": "500KiB", "cpu": 0.5}}
    assert staged(attached=container(resources=requests)).pod.resources == {
        "requests": {"memory": "512000", "cpu": "0.5"}
    }


def test_what_the_caller_asks_for_counts_before_the_tasks_word(staged, container):
    amounts = {"limits": {"memory": "1Gi", "cpu": "1"}, "requests": {"memory": "1Gi", "cpu": "1"}}
    invocation = staged(attached=container(resources=amounts), options=Options(memory=2**29, gpus=2))
    assert invocation.pod.resources == {
        "limits": {"cpu": "1", "memory": "536870912", "nvidia.com/gpu": "2"},
        "requests": {"cpu": "1"},
    }
    assert (invocation.resources.memory, invocation.resources.gpus) == (2**29, 2)


# Logins


def test_the_login_is_for_the_registry_of_the_image_alone(staged, task):
    invocation = staged(task(image="registry.example.org/tools:1", config=CONFIG))
    assert invocation.login == Login("https://registry.example.org", "reader", "hunter2")
    invocation = staged(
        task(image="registry.example.org/tools:1", config=CONFIG), image="elsewhere.example.org/tools:1"
    )
    assert invocation.login is None
    [note] = [note for note in invocation.notes if note.code == "K037"]
    assert "elsewhere.example.org/tools:1 is not in the registry" in note.message
    assert "hunter2" not in repr(invocation)
    partly = {**CONFIG, "registryPassword": ""}
    assert staged(task(image="registry.example.org/tools:1", config=partly)).login is None


def test_what_a_record_keeps_comes_back_with_its_secrets_only(task, container, tmp_path):
    config = {**CONFIG, "env_vars": [{"name": "API_TOKEN", "value": "hunter3"}, {"name": "PLAIN", "value": "x"}]}
    attachments = {kaapana.CONTAINER_FILE: json.dumps(container())}
    data = task(image="registry.example.org/tools:1", config=config)
    document = kaapana.read(Source("task.json", json.dumps(data), tmp_path, attachments))
    assert "hunter" not in json.dumps(document.texts)
    (name, text), *others = document.texts.items()
    again = kaapana.read(Source(name, text, tmp_path, {**dict(others), **document.secrets}))
    assert (
        kaapana.login_of(again)
        == kaapana.login_of(document)
        == Login("https://registry.example.org", "reader", "hunter2")
    )
    assert again.texts == document.texts
    assert again.model.content.config["env_vars"] == document.model.content.config["env_vars"]
    without = kaapana.read(Source(name, text, tmp_path, dict(others)))
    assert kaapana.login_of(without) is None
    assert without.secrets == {}


@pytest.mark.parametrize("data", [{}, [], "x", {"config": []}, {"config": {"env_vars": 7}}, {"registryPassword": 7}])
def test_secrets_of_odd_data_are_none(data):
    assert without_secrets(data) == data
    assert secrets_of(data) == {}
    assert filled(data, {"secrets.json": '[[["config", "registryPassword"], "x"]]'}) == data


def test_an_empty_password_is_no_secret(task):
    data = task(config={"type": "k8s", "registryPassword": ""})
    assert without_secrets(data) == data


# Every public template


def _tasks(corpus, place):
    """Every template and every task of the corpus with all it needs to be staged."""
    custom = json.dumps({"custom": {"registry": "registry.example.org", "output_dir": str(place)}})
    for path in sorted(corpus.glob("*/*.json")):
        if not path.name.startswith(("pc_", "task_", "seed_pc", "seed_task")) or "INVALID" in path.name:
            continue
        source = load(path)
        attachments = {"templating.json": custom}
        if "task_" in path.name.partition("pc_")[0]:
            beside = path.parent / f"pc_{path.name.removeprefix('task_').partition('_dummy_')[0]}_dummy.json"
            container = beside if beside.is_file() else path.parent / "seed_pc_my_algorithm.json"
            if not container.is_file():
                continue
            attachments[kaapana.CONTAINER_FILE] = container.read_text()
        document = kaapana.read(Source(source.name, source.text, place, attachments, "registry.example.org/tools:1"))
        if has_errors(kaapana.check(document)):
            continue
        yield from ((path.name, task) for task in kaapana.tasks(document))


@pytest.mark.full
@pytest.mark.kubernetes
@pytest.mark.timeout(3600)
def test_a_real_server_takes_the_pod_of_every_public_template(corpus, kubernetes, tmp_path, monkeypatch):
    for name in ("registryUrl", "registry"):
        monkeypatch.setenv(name, "registry.example.org")
    for name, value in {
        "output_dir": str(tmp_path),
        "namespace": "lab",
        "registryUsername": "u",
        "registryPassword": "p",
    }.items():
        monkeypatch.setenv(name, value)
    names = []
    for number, (name, task) in enumerate(_tasks(corpus, tmp_path)):
        values = {}
        for port in task.inputs:
            if port.type.is_file:
                place = Path(port.default.path) if isinstance(port.default, FileRef) else tmp_path / "in" / port.name
                (place / "item").mkdir(parents=True, exist_ok=True)
                values[port.name] = FileRef(str(place))
        call = bind(task, values)
        [unit] = kaapana.plan(call, 0, ())
        where = AttemptDirectory(f"run/{number}/1", tmp_path / "work" / str(number))
        invocation = Options(namespace="lab").applied(kaapana.stage(call, unit, where))
        assert list(faults(invocation)) == [], name
        for document in objects(Attempt(where.attempt, invocation)):
            status, answer = kubernetes.create(document, dry_run=True)
            assert status == 201, (name, task.name, answer["message"], document)
            if document["kind"] == "Pod":
                [sent], [taken] = document["spec"]["containers"], answer["spec"]["containers"]
                assert all(
                    mount["readOnly"]
                    for mount in taken.get("volumeMounts", [])
                    if mount["mountPath"] in {port.location for port in task.inputs}
                )
                assert [one.get("value", "") for one in taken.get("env", [])] == [
                    one["value"] for one in sent.get("env", [])
                ]
        names.append((name, task.name))
    assert len(names) >= 15, names
    assert len({name for name, _ in names}) >= 12, names


def test_a_variable_that_the_config_gives_another_value_is_told(staged, task):
    same = {"name": "DEPTH", "value": "3"}
    clash = {"name": "LEVEL", "value": "low"}
    env = [{"name": "DEPTH", "value": "3"}, {"name": "LEVEL", "value": "high"}]
    config = {"type": "k8s", "namespace": "lab", "env_vars": [same, clash]}
    [note] = [note for note in staged(task(env=env, config=config)).notes if note.code == "K076"]
    assert note.severity == "warning"
    assert "`LEVEL`" in note.message


def test_what_only_a_cluster_gives_is_told_when_the_task_is_checked(problems, task, container):
    found = [problem for problem in problems(task(config=CONFIG), container()) if problem.code == "K075"]
    assert [(problem.severity, problem.path) for problem in found] == [("info", ("config", "env_vars"))]
    assert "`env_vars`, `volumes`, `volume_mounts`" in found[0].message


def test_labels_by_which_runs_are_found_are_not_the_tasks(staged, problems, task, container):
    data = task(config={"type": "docker", "labels": {"trivet.time-limit": "1", "mine": "2"}})
    assert staged(data).labels == {"mine": "2"}
    [warning] = problems(data, container())
    assert (warning.code, warning.path) == ("K036", ("config", "labels", "trivet.time-limit"))


def test_a_relative_directory_is_where_it_is_from_the_task(staged, task, tmp_path):
    (tmp_path / "data/p1").mkdir(parents=True)
    (tmp_path / "elsewhere/tasks").mkdir(parents=True)
    data = task(inputs=[{"name": "dicom", "volume_source": {"host_path": "elsewhere/../data"}}])
    invocation = staged(data)
    assert [mount.source for mount in invocation.mounts if not mount.writable] == [str(tmp_path / "data")]
    assert not [fault for fault in faults(invocation) if str(tmp_path) in fault]
