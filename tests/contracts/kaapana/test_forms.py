"""Both published forms of the documents, mixed, older, and broken."""

from __future__ import annotations

import pytest

from trivet.contracts.kaapana.model import ScaleRule


def _rule(read, container, **rule):
    channel = {"name": "dicom", "mounted_path": "/in", "scale_rule": {"type": "limit", "mode": "sum"} | rule}
    document = read(container(inputs=[channel]))
    return document.model.content.templates[0].inputs[0].scale_rule


def test_a_plain_container_has_no_problems(problems, container):
    assert problems(container()) == []


def test_a_plain_task_with_its_container_has_no_problems(problems, task, container):
    assert problems(task(), container()) == []


@pytest.mark.parametrize(
    ("rule", "coefficient", "exponent"),
    [
        ({"scale_factor": 25}, "25", 1),
        ({"scale_factor": 2.0}, "2", 1),
        ({"scale_factor": "3"}, "3", 1),
        ({"scale_factor": True}, "1", 1),
        ({"scale_factor": 2.5}, "2.5", 1),
        ({"complexity": "25*n**1"}, "25", 1),
        ({"complexity": "0.5*n**2"}, "0.5", 2),
        ({"complexity": "n", "scale_factor": 1}, "1", 1),
        ({"complexity": "2.50n", "scale_factor": 2.5}, "2.50", 1),
    ],
)
def test_scale_rules_of_either_form(read, container, rule, coefficient, exponent):
    parsed = _rule(read, container, **rule)
    assert (parsed.coefficient, parsed.exponent) == (coefficient, exponent)


def test_defaults_of_targets(read, container):
    path = ("templates", 0, "inputs", 0, "scale_rule")
    assert _rule(read, container, scale_factor=2) == ScaleRule("2", 1, "limit", "sum", "", ".*", "*", path)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({}, "K001"),
        ({"scale_factor": "many"}, "K002"),
        ({"scale_factor": [1]}, "K002"),
        ({"complexity": "2*n+1"}, "K020"),
        ({"complexity": "2*n", "scale_factor": 3}, "K006"),
        ({"complexity": "n**2", "scale_factor": 1}, "K006"),
        ({"scale_factor": 1, "type": "Limit"}, "K002"),
        ({"scale_factor": 1, "mode": "mean"}, "K002"),
    ],
)
def test_wrong_scale_rules_are_errors(problems, container, rule, code):
    channel = {"name": "dicom", "mounted_path": "/in", "scale_rule": {"type": "limit", "mode": "sum"} | rule}
    errors = [problem for problem in problems(container(inputs=[channel])) if problem.severity == "error"]
    assert [problem.code for problem in errors] == [code]


def test_a_null_target_is_its_default_with_a_warning(problems, read, container):
    assert _rule(read, container, scale_factor=1, target_glob=None).target_glob == "*"
    channel = {"name": "a", "mounted_path": "/in"}
    channel["scale_rule"] = {"scale_factor": 1, "type": "limit", "mode": "sum", "target_regex": None}
    warnings = [problem for problem in problems(container(inputs=[channel])) if problem.severity == "warning"]
    assert [problem.code for problem in warnings] == ["K022"]


@pytest.mark.parametrize("key", ["input", "volume_source"])
@pytest.mark.parametrize("inner", ["host_path", "local_path"])
def test_host_paths_of_every_form(read, task, key, inner):
    document = read(task(inputs=[{"name": "dicom", key: {inner: "/scans"}}]))
    assert document.model.content.inputs[0].host_path == "/scans"


def test_both_names_of_a_volume_agree_or_are_refused(problems, task, container):
    def severities(other):
        binding = {"name": "dicom", "input": {"host_path": "/a"}, "volume_source": {"host_path": other}}
        return [(problem.code, problem.severity) for problem in problems(task(inputs=[binding]), container())]

    assert severities("/a") == [("K006", "info")]
    assert severities("/b") == [("K006", "error")]


@pytest.mark.parametrize(
    ("volume", "read_as"),
    [
        ({"host_path": {"path": "/a"}}, {"hostPath": {"path": "/a"}}),
        ({"hostPath": {"path": "/a"}}, {"hostPath": {"path": "/a"}}),
        ({"persistent_volume_claim": {"claim_name": "c"}}, {"persistentVolumeClaim": {"claimName": "c"}}),
        ({"csi": {"volume_attributes": {"my_key": "x"}}}, {"csi": {"volumeAttributes": {"my_key": "x"}}}),
    ],
)
def test_a_volume_of_kubernetes_is_told_apart(read, problems, task, container, volume, read_as):
    data = task(inputs=[{"name": "dicom", "volume_source": volume}])
    binding = read(data).model.content.inputs[0]
    assert (binding.host_path, binding.volume) == (None, read_as)
    assert [problem.code for problem in problems(data, container())] == ["K048"]


def test_missing_type_and_adjustable_mean_free_text(read, container):
    document = read(container(env=[{"name": "A", "value": "", "choices": [], "type": None, "adjustable": None}]))
    variable = document.model.content.templates[0].variables[0]
    assert (variable.kind, variable.adjustable, variable.choices) == ("string", True, ())


def test_numbers_are_refused_in_a_template_and_converted_in_a_task(problems, read, task, container):
    [problem] = problems(container(env=[{"name": "A", "value": 5}]))
    assert (problem.code, problem.severity, problem.hint) == ("K002", "error", 'write "5"')
    document = read(task(env=[{"name": "A", "value": 100}, {"name": "B", "value": 0.2}, {"name": "C", "value": True}]))
    assert [setting.value for setting in document.model.content.settings] == ["100", "0.2", "true"]


@pytest.mark.parametrize("version", [1, 1.0])
def test_api_version_one(problems, container, version):
    assert problems(container() | {"api_version": version}) == []


@pytest.mark.parametrize(
    ("version", "code"), [(2, "K004"), (None, "K002"), ("one", "K002"), (1.5, "K004"), ([], "K002")]
)
def test_other_api_versions_are_refused(problems, container, version, code):
    [problem] = problems(container() | {"api_version": version})
    assert (problem.code, problem.severity, problem.path) == (code, "error", ("api_version",))


def test_misspelt_keys_are_warned_about_with_the_right_one(problems, container):
    channel = {"name": "dicom", "mounted_path": "/in", "scale_rules": {}}
    [problem] = problems(container(inputs=[channel]))
    assert (problem.code, problem.severity) == ("K003", "warning")
    assert problem.hint == "did you mean `scale_rule`?"


def test_a_misspelt_required_key_is_named(problems, container):
    missing, unknown = problems(container(inputs=[{"name": "dicom", "mount_path": "/in"}]))
    assert (missing.code, missing.path) == ("K001", ("templates", 0, "inputs", 0))
    assert "`mount_path`" in missing.hint
    assert (unknown.code, unknown.path) == ("K003", ("templates", 0, "inputs", 0, "mount_path"))


@pytest.mark.parametrize("key", ["name", "mounted_path"])
def test_empty_texts_are_one_error_each(problems, container, key):
    [problem] = problems(container(inputs=[{"name": "dicom", "mounted_path": "/in"} | {key: ""}]))
    assert (problem.code, problem.path) == ("K013", ("templates", 0, "inputs", 0, key))


def test_all_faults_are_told_at_once_in_the_order_of_the_file(problems):
    template = {"outputs": None, "env": [{"name": "A=", "value": 1}], "inputs": [5], "identifier": "", "command": "run"}
    found = [(problem.code, problem.path) for problem in problems({"templates": [template], "name": 3})]
    assert found == [
        ("K001", ()),
        ("K001", ("templates", 0)),
        ("K002", ("templates", 0, "outputs")),
        ("K016", ("templates", 0, "env", 0, "name")),
        ("K002", ("templates", 0, "env", 0, "value")),
        ("K002", ("templates", 0, "inputs", 0)),
        ("K013", ("templates", 0, "identifier")),
        ("K002", ("templates", 0, "command")),
        ("K002", ("name",)),
    ]


def test_a_flat_container_becomes_one_template(read, problems):
    data = {
        "name": "old",
        "description": "Old",
        "env": [{"name": "A", "value": "5"}],
        "inputs": [],
        "outputs": [{"name": "out", "mounted_path": "/out"}],
        "command": ["python3", "start.py"],
    }
    content = read(data).model.content
    assert [template.identifier for template in content.templates] == ["default"]
    assert content.templates[0].command == ("python3", "start.py")
    assert [(problem.code, problem.severity) for problem in problems(data)] == [("K005", "warning")]


def test_a_flat_task_moves_its_configuration(read, problems, task):
    data = task(namespace="mine", registryUrl="r", imagePullSecrets=["s"])
    del data["taskTemplate"]
    content = read(data).model.content
    assert content.template == "default"
    assert content.config == {"type": "k8s", "namespace": "mine", "registryUrl": "r", "imagePullSecrets": ["s"]}
    assert {problem.code for problem in problems(data)} == {"K005", "K037", "K041"}


def test_a_task_without_a_template_is_refused(problems, task):
    data = task()
    del data["taskTemplate"]
    assert [problem.path for problem in problems(data) if problem.severity == "error"] == [()]
    assert "taskTemplate" in problems(data)[0].message


@pytest.mark.parametrize("key", ["inputs", "outputs"])
def test_null_channels_of_a_task_are_refused_but_absent_ones_are_none(problems, read, task, key):
    assert [problem.severity for problem in problems(task(**{key: None})) if problem.path == (key,)] == ["error"]
    data = task()
    del data[key]
    assert getattr(read(data).model.content, key) == ()


def test_null_variables_of_a_task_are_none(problems, task, container):
    assert problems(task(env=None), container()) == []


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        ({}, []),
        ({"labels": {"a": "b", "n": 1}}, []),
        ({"type": "docker"}, []),
        ({"type": "docker", "namespace": "x"}, ["K003"]),
        ({"type": "k8s", "anything": [1]}, []),
        ({"type": "k8s", "registryURL": "x"}, ["K003"]),
        ({"type": "podman"}, ["K033"]),
        ({"type": "k8s", "namespace": 5}, ["K002"]),
        ({"labels": []}, ["K002"]),
    ],
)
def test_configuration(problems, task, container, config, codes):
    assert [problem.code for problem in problems(task(config=config), container())] == codes


@pytest.mark.parametrize("text", ["[]", "5", "null", '"x"'])
def test_a_document_that_is_no_object_is_refused(problems, text):
    assert [problem.code for problem in problems(text)] == ["K002"]
