"""Faults of the public implementation in binding a task to its template, one by one: here they are none."""

from __future__ import annotations

import json

import pytest

from trivet.contracts import kaapana
from trivet.contracts.kaapana.instance import instance
from trivet.contracts.kaapana.template_options import TemplateOptions, attach
from trivet.contracts.source import Source
from trivet.runs import start
from trivet.runs.options import Options
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError, has_errors
from trivet.tasks.values import FileRef


@pytest.fixture
def scans(tmp_path):
    (tmp_path / "scans" / "item").mkdir(parents=True)
    return tmp_path / "scans"


def _task(read, data, attached):
    document = read(data, attached)
    problems = kaapana.check(document)
    assert not has_errors(problems), problems
    return kaapana.tasks(document)[0]


def _errors(problems):
    return [(problem.code, problem.path) for problem in problems if problem.severity == "error"]


def test_01_a_channel_nobody_binds_is_no_results_lost(read, problems, task, container, scans, tmp_path):
    data = task(outputs=[])
    [warning] = problems(data, container())
    assert (warning.code, warning.path) == ("K043", ("outputs",))
    call = bind(_task(read, data, container()), {"dicom": FileRef(str(scans))})
    with pytest.raises(ProblemsError, match="output `nrrd` is bound to no path"):
        start.create(call, Options(), tmp_path / "home")
    start.create(call, Options(output=str(tmp_path / "out")), tmp_path / "home")


def test_01_an_input_nobody_binds_is_refused(read, task, container):
    with pytest.raises(ProblemsError, match="input `dicom`"):
        bind(_task(read, task(inputs=[]), container()), {})


def test_02_a_misspelt_channel_is_an_error_and_what_it_meant_is_said(problems, task, container):
    data = task(outputs=[{"name": "nrd", "volume_source": {"host_path": "/x"}}])
    found = problems(data, container())
    assert _errors(found) == [("K042", ("outputs", 0, "name"))]
    assert {problem.code: problem.hint for problem in found} == {
        "K042": "did you mean `nrrd`?",
        "K043": "is it meant by `nrd`?",
    }


def test_03_two_directories_for_one_channel_are_an_error(problems, task, container):
    twice = [{"name": "dicom", "volume_source": {"host_path": path}} for path in ("/a", "/b")]
    assert ("K011", ("inputs", 1, "name")) in _errors(problems(task(inputs=twice), container()))


def test_04_an_unknown_template_is_an_error_that_names_those_there_are(problems, task, container, template):
    data = container()
    data["templates"] += [template(identifier="other", inputs=[], outputs=[])]
    [problem] = problems(task(taskTemplate="nothing like them"), data)
    assert (problem.code, problem.hint) == ("K040", "known: `convert`, `other`")
    empty = problems(task(), {"name": "x", "description": "", "templates": []})
    assert _errors(empty) == [("K040", ("taskTemplate",))]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ({"value": "a", "choices": ["a", "b"]}, "c"),
        ({"value": "1", "type": "int"}, "1.5"),
        ({"value": "true", "type": "boolean"}, "perhaps"),
        ({"value": "x", "adjustable": False}, "y"),
    ],
)
def test_05_choices_types_and_adjustable_are_enforced(problems, task, container, variable, value):
    attached = container(env=[{"name": "A", **variable}])
    assert len(_errors(problems(task(env=[{"name": "A", "value": value}]), attached))) == 1


@pytest.mark.parametrize("value", ["true", "False", "1", "0", "YES", "no"])
def test_05_booleans_are_read_whatever_their_style_and_handed_on_as_given(read, task, container, value):
    attached = container(env=[{"name": "A", "value": "true", "type": "boolean"}])
    made = _task(read, task(env=[{"name": "A", "value": value}]), attached)
    assert {item["name"]: item["value"] for item in instance(made)["env"]} == {"A": value}


def test_06_a_task_without_variables_may_say_null(read, task, container):
    attached = container(env=[{"name": "A", "value": "1"}])
    assert _task(read, task(env=None), attached).input("A").default == "1"


def test_07_resources_are_merged_key_by_key(read, task, container):
    of_template = {"limits": {"memory": "1Gi", "cpu": "2"}, "requests": {"memory": "1Gi"}}
    data = task(resources={"limits": {"memory": "4Gi"}})
    merged = instance(_task(read, data, container(resources=of_template)))["resources"]
    assert merged == {"limits": {"memory": "4Gi", "cpu": "2"}, "requests": {"memory": "1Gi"}}


def test_a_rule_of_the_task_replaces_the_templates_as_a_whole_and_says_so(read, problems, task, container):
    rule = {"scale_factor": 2, "type": "limit", "mode": "sum", "target_glob": "*.dcm"}
    attached = container(inputs=[{"name": "dicom", "mounted_path": "/in", "scale_rule": rule}])
    own = {"scale_factor": 3, "type": "request", "mode": "sum"}
    data = task(inputs=[{"name": "dicom", "volume_source": {"host_path": "a"}, "scale_rule": own}])
    assert "K047" in [problem.code for problem in problems(data, attached) if problem.severity == "info"]
    [channel] = instance(_task(read, data, attached))["inputs"]
    assert channel["scale_rule"] == own


def test_a_command_that_is_given_counts_even_when_it_is_empty(read, task, container):
    attached = container(command=["template"])
    assert instance(_task(read, task(), attached))["command"] == ["template"]
    assert instance(_task(read, task(command=[]), attached))["command"] == []


@pytest.mark.parametrize("config", [None, {}, {"labels": {}}, {"type": "docker"}, {"type": "k8s", "env_vars": []}])
def test_33_a_task_runs_whatever_its_configuration(read, task, container, config):
    data = task() if config is None else task(config=config)
    assert instance(_task(read, data, container()))["config"] == (config or {})


def test_26_27_no_password_is_shown_or_kept(read, task, container, scans, tmp_path, monkeypatch):
    monkeypatch.setenv("PASSWORD", "geheim")
    config = {
        "registryUrl": "r",
        "registryUsername": "u",
        "registryPassword": "{{ env.PASSWORD }}",
        "env_vars": [{"name": "API_TOKEN", "value": "geheim"}],
    }
    made = _task(read, task(config=config, outputs=[]), container())
    assert "geheim" not in json.dumps(instance(made))
    call = bind(made, {"dicom": FileRef(str(scans))})
    run = start.create(call, Options(output=str(tmp_path / "out")), tmp_path / "home")
    kept = [path.read_text() for path in run.path.rglob("*") if path.is_file()]
    assert kept
    assert not [text for text in kept if "geheim" in text]


def test_options_that_may_hold_secrets_are_in_no_record(task, tmp_path):
    options = TemplateOptions({"tag": "geheim"}, env_file=(".env", "A=geheim"))
    source = attach(Source("t.json", json.dumps(task(image="x:{{ 1 }}")), tmp_path), options)
    assert "geheim" not in str(kaapana.read(source).texts)
    broken = attach(Source("t.json", "{", tmp_path), options)
    assert "geheim" not in str(kaapana.read(broken).texts)
