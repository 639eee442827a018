"""The Pod and the Secret of an attempt: names, volumes, what the program gets, what is refused.

Faults 29 to 31, 34 and 35 of the public Kaapana implementation are none here.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.engines import Attempt
from trivet.engines.kubernetes import dns_label, faults, label_value, masked, objects, pod, pod_name, secret
from trivet.tasks.task import ContainerImage, Environment, Resources
from trivet.tasks.work import Invocation, Login, Mount, PodSettings
from trivet.testing.kubernetes import KubernetesApi

IMAGE = ContainerImage("registry.example.org/lab/seg:1")
LAB = PodSettings(namespace="lab")
MOUNTS = (Mount("/data/in", "/data/My_Chan"), Mount("/data/in", "/data/out", writable=True))
LOGIN = Login("https://Registry.example.org:5000/v2/", "reader", "hunter2")


def made(program: Any = IMAGE, command: tuple[str, ...] | None = None, **fields: Any) -> dict[str, Any]:
    """The Pod of an invocation."""
    invocation = Invocation(program, command, **{"pod": LAB, "title": "register", **fields})
    assert list(faults(invocation)) == []
    return pod(Attempt("20261120-1/unit/1", invocation))


def container(**fields: Any) -> dict[str, Any]:
    [one] = made(**fields)["spec"]["containers"]
    return dict(one)


# Names


@pytest.mark.parametrize(
    "text",
    [
        "validname",
        "valid-name-123",
        "evaluate-segmentations-250922070517319578-put-eval-metrics-to-",
        "x" * 63,
        "My_Task",
        "a..b",
        "a.-b",
        "---",
        "",
        "-a",
        "ünïcödé",
        "a/b",
    ],
)
def test_names_are_valid_host_names_that_dicom_tools_take(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", dns_label(text))
    assert len(dns_label(text)) <= 62
    assert dns_label(text) == dns_label(text)


def test_a_valid_name_stays_as_it_is() -> None:
    assert [dns_label(name) for name in ("validname", "0-a", "x" * 62)] == ["validname", "0-a", "x" * 62]


def test_no_two_texts_share_a_name() -> None:
    texts = ["a-b", "a/b", "a_b", "A-b", "a.b", "a--b", "-a-b", "x" * 62, "x" * 63, "x" * 64, "", "-", "--", "…"]
    assert len({dns_label(text) for text in texts}) == len(texts)
    assert len({label_value(text) for text in texts}) == len(texts)


@given(st.text(max_size=200))
def test_labels_of_any_text_are_valid(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", label_value(text))
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?", dns_label(text))


def test_an_attempt_has_one_name_and_no_other_has_it() -> None:
    names = [
        pod_name(Attempt(id, Invocation(IMAGE, None, title=title)))
        for id, title in (("r1/u/1", "seg"), ("r1/u/2", "seg"), ("r2/u/1", "seg"), ("r1/u/1", "seg-r1"), ("r1/u/1", ""))
    ]
    assert len(set(names)) == len(names)
    assert names[0] == "seg-r1-u-1-" + names[0][-10:]
    assert names[0] == pod_name(Attempt("r1/u/1", Invocation(IMAGE, ("other",), title="seg")))


def test_labels_tell_run_attempt_and_task() -> None:
    metadata = made(labels={"kaapana.ai/type": "processing-container", "trivet.run": "mine"})["metadata"]
    assert metadata["labels"] == {
        "kaapana.ai/type": "processing-container",
        "app.kubernetes.io/managed-by": "trivet",
        "trivet.run": "20261120-1",
        "trivet.attempt": metadata["labels"]["trivet.attempt"],
        "trivet.task": "register",
    }
    assert metadata["annotations"] == {"trivet.attempt": "20261120-1/unit/1"}
    assert metadata["namespace"] == "lab"


# What the program gets


def test_inputs_are_read_only_and_volumes_have_names_of_their_own() -> None:
    spec = made(mounts=MOUNTS)["spec"]
    first, second = (volume["name"] for volume in spec["volumes"])
    assert spec["volumes"] == [
        {"name": first, "hostPath": {"path": "/data/in", "type": "Directory"}},
        {"name": second, "hostPath": {"path": "/data/in", "type": "DirectoryOrCreate"}},
    ]
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": first, "mountPath": "/data/My_Chan", "readOnly": True},
        {"name": second, "mountPath": "/data/out", "readOnly": False},
    ]
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in (first, second))
    [volume] = made(mounts=(Mount("/data/a.json", "/in/a.json", directory=False),))["spec"]["volumes"]
    assert volume["hostPath"]["type"] == "File"


def test_a_command_replaces_the_entrypoint_and_none_keeps_it() -> None:
    assert container(command=("seg", "-v"), args=("a",))["command"] == ["seg", "-v"]
    assert container(command=("seg", "-v"), args=("a",))["args"] == ["a"]
    assert "command" not in container(args=("a",))
    assert not {"command", "args"} & container().keys()


def test_every_dollar_stands_for_itself() -> None:
    """Kubernetes replaces ``$(NAME)`` by a variable's value and ``$$`` by ``$`` in command, args and values."""
    one = container(command=("sh", "-c", "echo $$ $(HOME) $X"), environment={"A": "1", "B": "$(A)"})
    assert one["command"] == ["sh", "-c", "echo $$$$ $$(HOME) $$X"]
    assert one["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "$$(A)"}]


def test_no_variable_is_set_but_the_given_ones() -> None:
    spec = made()["spec"]
    assert "env" not in spec["containers"][0]
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False


def test_limits() -> None:
    spec = made(resources=Resources(1.5, 2**30, 2), time_limit=89.2, grace=9.5)["spec"]
    assert spec["containers"][0]["resources"] == {
        "limits": {"cpu": "1500m", "memory": "1073741824", "nvidia.com/gpu": "2"}
    }
    assert (spec["activeDeadlineSeconds"], spec["terminationGracePeriodSeconds"]) == (90, 10)
    assert spec["restartPolicy"] == "Never"
    spec = made()["spec"]
    assert "resources" not in spec["containers"][0]
    assert "activeDeadlineSeconds" not in spec
    exact = {"limits": {"memory": "2Gi"}, "requests": {"memory": "500M", "cpu": "100m"}}
    settings = PodSettings("lab", resources=exact)
    assert container(pod=settings, resources=Resources(memory=2**31))["resources"] == exact


def test_no_more_rights_than_elsewhere() -> None:
    security = container()["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    assert "runAsUser" not in security
    asked = container(user="1000:100")["securityContext"]
    assert (asked["runAsUser"], asked["runAsGroup"]) == (1000, 100)
    assert "runAsGroup" not in container(user="1000")["securityContext"]


def test_what_the_task_wants_of_its_cluster_is_merged() -> None:
    settings = PodSettings(
        namespace="lab",
        annotations={"prometheus.io/scrape": "true"},
        pull_policy="IfNotPresent",
        pull_secrets=("theirs",),
        environment=(
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "A", "value": "$(B)"},
        ),
        volumes=({"name": "scratch", "emptyDir": {}},),
        mounts=({"name": "scratch", "mountPath": "/scratch"},),
    )
    document = made(pod=settings, mounts=MOUNTS, environment={"A": "1", "B": "2"}, login=LOGIN)
    spec = document["spec"]
    [one] = spec["containers"]
    assert document["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
    assert one["imagePullPolicy"] == "IfNotPresent"
    assert [secret["name"] for secret in spec["imagePullSecrets"]] == [secret_of()["metadata"]["name"], "theirs"]
    assert one["env"] == [{"name": "B", "value": "2"}, *settings.environment]
    assert spec["volumes"][-1] == {"name": "scratch", "emptyDir": {}}
    assert one["volumeMounts"][-1] == {"name": "scratch", "mountPath": "/scratch"}
    assert "imagePullPolicy" not in container()


def test_a_known_digest_is_the_image() -> None:
    digest = "sha256:" + "a" * 64
    assert container(program=ContainerImage("lab/seg:1", digest=digest))["image"] == f"lab/seg:1@{digest}"


# The secret


def secret_of(login: Login = LOGIN) -> dict[str, Any]:
    return secret(login, "lab")


def test_the_secret_holds_the_login_for_the_host_and_as_it_was_written() -> None:
    document = secret_of()
    assert (document["type"], document["metadata"]["namespace"]) == ("kubernetes.io/dockerconfigjson", "lab")
    entry = {"username": "reader", "password": "hunter2", "auth": base64.b64encode(b"reader:hunter2").decode()}
    assert json.loads(document["stringData"][".dockerconfigjson"]) == {
        "auths": {"registry.example.org:5000": entry, "https://Registry.example.org:5000/v2/": entry}
    }
    hub = json.loads(secret_of(Login("docker.io", "u", "p"))["stringData"][".dockerconfigjson"])
    assert "https://index.docker.io/v1/" in hub["auths"]


def test_a_changed_password_takes_the_place_of_the_old_one_and_others_stay() -> None:
    name = secret_of()["metadata"]["name"]
    assert secret_of(Login(LOGIN.server, "reader", "new"))["metadata"]["name"] == name
    assert secret_of(Login("registry.example.org:5000", "reader", "x"))["metadata"]["name"] == name
    assert secret_of(Login(LOGIN.server, "writer", "x"))["metadata"]["name"] != name
    assert secret_of(Login("other.example.org", "reader", "x"))["metadata"]["name"] != name


def test_a_secret_is_shown_without_its_password() -> None:
    shown = json.dumps(masked(secret_of()))
    assert "hunter2" not in shown
    assert base64.b64encode(b"reader:hunter2").decode() not in shown
    assert "reader" in shown
    assert masked(made()) == made()


def test_without_a_login_there_is_a_pod_alone() -> None:
    attempt = Attempt("r/u/1", Invocation(IMAGE, None, pod=LAB))
    assert [document["kind"] for document in objects(attempt)] == ["Pod"]
    with_login = Attempt("r/u/1", Invocation(IMAGE, None, pod=LAB, login=LOGIN))
    assert [document["kind"] for document in objects(with_login)] == ["Secret", "Pod"]


# What is refused


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"program": Environment()}, "only images"),
        ({"program": ContainerImage("")}, "names no image"),
        ({"program": ContainerImage("", archive="/a.tar")}, "push it to a registry"),
        ({"pod": None}, "no namespace is given"),
        ({"pod": PodSettings(namespace="Lab_1")}, "'Lab_1' is no name of a namespace"),
        ({"mounts": (Mount("/a", "/in"), Mount("/b", "/in/"))}, "/b and /a are both mounted at /in/"),
        ({"mounts": (Mount("/a", "in"),)}, "'in' is no place"),
        ({"mounts": (Mount("/a", "/in:ro"),)}, "'/in:ro' is no place"),
        ({"mounts": (Mount("data", "/in"),)}, "'data' is no path"),
        ({"mounts": (Mount("/data/../etc", "/in"),)}, "is no path"),
        ({"environment": {"1A": ""}}, "'1A'"),
        ({"labels": {"-a": ""}}, "'-a' as the name of a label"),
        ({"labels": {"UP/a": ""}}, "'UP/a' as the name of a label"),
        ({"labels": {"a": "b c"}}, "'b c' as the value"),
        ({"user": "worker"}, "by numbers"),
        (
            {"pod": PodSettings("lab", mounts=({"name": "v", "mountPath": "/in"},)), "mounts": (Mount("/a", "/in"),)},
            "volume v and /a are both mounted",
        ),
        ({"pod": PodSettings("lab", volumes=({"name": "v"}, {"name": "v"}))}, "two volumes are called v"),
    ],
)
def test_faults_are_told_before_the_cluster_is_asked(fields: dict[str, Any], sentence: str) -> None:
    program = fields.pop("program", IMAGE)
    invocation = Invocation(program, None, **{"pod": LAB, **fields})
    assert any(sentence in fault for fault in faults(invocation)), list(faults(invocation))


# A real server


@pytest.mark.full
@pytest.mark.kubernetes
@pytest.mark.timeout(3600)
def test_a_real_server_takes_everything(kubernetes: KubernetesApi) -> None:
    settings = PodSettings(
        "lab", {"a.b/c": "x y"}, "Always", ("theirs",), None, ({"name": "X", "value": "$(B)"},),
        ({"name": "scratch", "emptyDir": {}},), ({"name": "scratch", "mountPath": "/scratch"},),
    )  # fmt: skip
    invocation = Invocation(
        IMAGE, ("sh", "-c", "echo $$"), ("ü",), {"B": "$(A)"}, MOUNTS, "/tmp", "1000:100", Resources(0.5, 2**30, 1),
        time_limit=90.0, title="Régister_me", labels={"kaapana.ai/type": "x"}, login=LOGIN, pod=settings,
    )  # fmt: skip
    assert list(faults(invocation)) == []
    for document in objects(Attempt("20261120-230046-5c23/ünit/1", invocation)):
        for shown in (document, masked(document)):
            status, answer = kubernetes.create(shown, dry_run=True)
            assert status == 201, answer
    assert answer["metadata"]["name"] == document["metadata"]["name"]


@pytest.mark.full
@pytest.mark.kubernetes
@pytest.mark.timeout(3600)
def test_a_real_server_refuses_what_we_refuse(kubernetes: KubernetesApi) -> None:
    twice = Invocation(IMAGE, None, mounts=(Mount("/a", "/in"), Mount("/b", "/in")), pod=LAB)
    status, answer = kubernetes.create(pod(Attempt("r/u/1", twice)), dry_run=True)
    assert (status, "must be unique" in answer["message"]) == (422, True)
