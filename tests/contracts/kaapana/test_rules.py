"""What must hold beyond the shape: names, paths, defaults, regexes, quantities; and a task against its template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.contracts.source import Source


def _channels(*paths):
    return [{"name": f"c{index}", "mounted_path": path} for index, path in enumerate(paths)]


def test_duplicate_names(found, container, template):
    twice = [{"name": "a", "mounted_path": "/a"}, {"name": "a", "mounted_path": "/b"}]
    assert found(container(inputs=twice))["K011"] == ("templates", 0, "inputs", 1, "name")
    assert found(container(outputs=twice))["K011"] == ("templates", 0, "outputs", 1, "name")
    variables = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    assert found(container(env=variables))["K012"] == ("templates", 0, "env", 1, "name")
    data = container()
    data["templates"].append(template())
    assert found(data)["K010"] == ("templates", 1, "identifier")


def test_the_same_name_as_input_and_output_is_fine(problems, container):
    assert (
        problems(container(inputs=[{"name": "x", "mounted_path": "/a"}], outputs=[{"name": "x", "mounted_path": "/b"}]))
        == []
    )


@pytest.mark.parametrize("path", ["data", "./data", "/", "//", "/a/../b", "/a:b", "/a\nb"])
def test_mounted_paths_no_engine_can_mount(problems, container, path):
    codes = [problem.code for problem in problems(container(inputs=_channels(path), outputs=[]))]
    assert codes == ["K014"]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("/a", "/a", True),
        ("/a", "/a/", True),
        ("/a/./b", "/a/b", True),
        ("/a", "/a/b/c", True),
        ("/a/b", "/a", True),
        ("/a", "/ab", False),
        ("/a/b", "/a/c", False),
    ],
)
@pytest.mark.parametrize("across", [True, False])
def test_overlapping_mounted_paths(problems, container, first, second, overlap, across):
    channels = _channels(first, second)
    data = container(inputs=channels[:1], outputs=channels[1:]) if across else container(inputs=channels, outputs=[])
    assert [problem.code for problem in problems(data)] == (["K015"] if overlap else [])


@pytest.mark.parametrize(
    ("name", "severity"),
    [("A=B", "error"), ("A\0B", "error"), ("1A", "warning"), ("A B", "warning"), ("_a.B-1", None)],
)
def test_names_of_variables(problems, container, name, severity):
    severities = [problem.severity for problem in problems(container(env=[{"name": name, "value": "x"}]))]
    assert severities == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("variable", "code"),
    [
        ({"value": "a", "choices": ["a", "b"]}, None),
        ({"value": "c", "choices": ["a", "b"]}, "K017"),
        ({"value": "anything", "choices": []}, None),
        ({"value": "5", "type": "int"}, None),
        ({"value": "-5", "type": "int"}, None),
        ({"value": "five", "type": "int"}, "K018"),
        ({"value": "5.0", "type": "int"}, "K018"),
        ({"value": "٥", "type": "int"}, "K018"),
        ({"value": "Yes", "type": "boolean"}, None),
        ({"value": "0", "type": "boolean"}, None),
        ({"value": "perhaps", "type": "boolean"}, "K018"),
        ({"value": "1", "type": "int", "choices": ["1", "two"]}, "K018"),
        ({"value": "a", "choices": ["a", "a"]}, "K019"),
        ({"value": "a", "type": "integer"}, "K007"),
        ({"value": "a\0"}, "K017"),
    ],
)
def test_defaults_of_variables(problems, container, variable, code):
    codes = [problem.code for problem in problems(container(env=[{"name": "A"} | variable]))]
    assert codes == ([code] if code else [])


@pytest.mark.parametrize("variable", [{"type": "int"}, {"choices": ["a"]}, {"type": "boolean"}])
def test_an_empty_default_is_never_an_error(problems, container, variable):
    assert {problem.severity for problem in problems(container(env=[{"name": "A", "value": ""} | variable]))} <= {
        "info"
    }


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"target_regex": "("}, "K021"),
        ({"target_regex": "a" * 50 + "{9999999999999}"}, "K021"),
        ({"target_dir": "/etc"}, "K021"),
        ({"target_dir": "a/../.."}, "K021"),
        ({"target_glob": "../*"}, "K021"),
        ({"target_glob": ""}, "K021"),
        ({"target_dir": ".", "target_glob": "**/*.dcm", "target_regex": r".*\.dcm"}, None),
    ],
)
def test_targets_of_scale_rules(problems, container, target, code):
    rule = {"scale_factor": 2, "type": "limit", "mode": "sum"} | target
    data = container(inputs=[{"name": "a", "mounted_path": "/a", "scale_rule": rule}])
    errors = [problem.code for problem in problems(data) if problem.severity == "error"]
    assert errors == ([code] if code else [])


def test_a_scale_rule_of_an_output_is_warned_about(problems, container):
    rule = {"scale_factor": 2, "type": "limit", "mode": "sum"}
    data = container(outputs=[{"name": "a", "mounted_path": "/a", "scale_rule": rule}])
    assert "K022" in [problem.code for problem in problems(data) if problem.severity == "warning"]


@pytest.mark.parametrize(
    ("resources", "code", "severity"),
    [
        ({"limits": {"memory": "2000Mi", "cpu": "500m", "nvidia.com/gpu": 1}}, None, None),
        ({"limits": {"memory": "lots"}}, "K023", "error"),
        ({"limits": {"memory": [1]}}, "K023", "error"),
        ({"limits": {"memory": True}}, "K023", "error"),
        ({"limits": {"memory": "-1"}}, "K023", "error"),
        ({"limits": {"memory": "500KiB"}}, "K023", "warning"),
        ({"limits": {"memroy": "1Gi"}}, "K025", "warning"),
        ({"limits": {"memory": "1Gi"}, "requests": {"memory": "1024Mi"}}, None, None),
        ({"limits": {"memory": "1Gi"}, "requests": {"memory": "1025Mi"}}, "K024", "error"),
        ({"limits": {"cpu": "1"}, "requests": {"cpu": "1001m"}}, "K024", "error"),
        ({"limits": None, "requests": None}, None, None),
        ({"limit": {}}, "K003", "warning"),
    ],
)
def test_resources(problems, container, resources, code, severity):
    found = [(problem.code, problem.severity) for problem in problems(container(resources=resources))]
    assert found == ([(code, severity)] if code else [])


def test_templates_in_a_container_file_are_warned_about(found, container):
    assert found(container(command=["run", "{{ env.HOME }}"])) == {"K032": ("templates", 0, "command", 1)}


def test_a_task_that_names_an_unknown_template_gets_the_known_ones(problems, task, container):
    [problem] = problems(task(taskTemplate="convrt"), container())
    assert (problem.code, problem.path, problem.hint) == ("K040", ("taskTemplate",), "did you mean `convert`?")


def test_channels_the_template_does_not_know(problems, task, container):
    data = task(inputs=[{"name": "dicoms", "volume_source": {"host_path": "/a"}}])
    unbound, unknown = sorted(problems(data, container()), key=lambda problem: problem.severity, reverse=True)
    assert (unknown.code, unknown.hint) == ("K042", "did you mean `dicom`?")
    assert (unbound.code, unbound.severity) == ("K043", "warning")


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ({"adjustable": False}, "other", "K044"),
        ({"adjustable": False}, "1", None),
        ({"choices": ["1", "2"]}, "3", "K045"),
        ({"choices": ["1", "2"]}, "2", None),
        ({"type": "int"}, "x", "K045"),
        ({"type": "int"}, 7, None),
    ],
)
def test_values_the_template_does_not_allow(problems, task, container, variable, value, code):
    attached = container(env=[{"name": "A", "value": "1"} | variable])
    data = task(env=[{"name": "A", "value": value}])
    errors = [problem.code for problem in problems(data, attached) if problem.severity == "error"]
    assert errors == ([code] if code else [])


def test_undeclared_variables_are_an_info(problems, task, container):
    [problem] = problems(task(env=[{"name": "DUMMY", "value": "5"}]), container())
    assert (problem.code, problem.severity) == ("K046", "info")


def test_problems_of_the_container_file_are_placed_in_it(problems, task, container):
    [problem] = problems(task(), container(inputs=_channels("relative")))
    assert (problem.code, problem.file, problem.line) == ("K014", kaapana.CONTAINER_FILE, 1)


def test_a_named_template_without_its_file_is_an_info(found, task):
    assert found(task()) == {"K041": ("taskTemplate",)}


def test_a_trailing_comma_is_pinpointed():
    text = '{\n "name": "a", "templates": [\n  {"mounted_path": "/a", }\n]}'
    source = Source("x.json", text, Path("/"))
    assert kaapana.detect(source)
    [problem] = source.place(kaapana.check(kaapana.read(source)))
    assert (problem.line, problem.column, problem.hint) == (3, 24, "remove the trailing comma")


def test_a_template_outside_a_string_is_explained(problems):
    [problem] = problems('{"taskTemplate": "a", "api_version": {{ env.V }}}')
    assert '"{{ env.NAME }}"' in problem.hint


@pytest.mark.parametrize(
    ("data", "is_ours"),
    [
        ({"templates": []}, True),
        ({"taskTemplate": "x"}, True),
        ({"name": "n", "description": "d", "templates": {}}, True),
        ({"image": "x", "outputs": []}, True),
        ({"inputs": [], "outputs": [], "env": [], "command": []}, True),
        ({"name": "n", "description": "d", "inputs": [], "outputs": [], "env": []}, True),
        ({"inputs": {}, "outputs": {}, "name": "n", "namespace": "s"}, False),
        ({"task_list": [], "manifest_version": "2"}, False),
        ({"trivet": 1, "command": ["a"], "inputs": {"a": "image"}}, False),
        ({"conf": {"task_form": {}}}, False),
        ([], False),
    ],
)
def test_detection_by_content(data, is_ours):
    assert kaapana.detect(Source("some.json", json.dumps(data), Path("/"))) is is_ours


def test_a_container_file_is_ours_by_its_name_whatever_is_in_it():
    text = '{"name": "n", "description": "d", "template": [{}]}'
    source = Source("a/processing-container.json", text, Path("/"))
    assert kaapana.detect(source)
    problem = kaapana.check(kaapana.read(source))[0]
    assert (problem.code, problem.hint) == ("K001", "is `template` a misspelling of it?")


@pytest.mark.parametrize(
    ("fields", "code", "severity", "path"),
    [
        ({"image": "Lab/Tools"}, "K009", "warning", ("image",)),
        ({"image": "two words"}, "K009", "warning", ("image",)),
        ({"command": ["", "a"]}, "K009", "error", ("command", 0)),
        ({"command": ["a", "b\0"]}, "K009", "error", ("command", 1)),
        ({"env": [{"name": "A", "value": "b\0"}]}, "K017", "error", ("env", 0, "value")),
    ],
)
def test_what_nothing_can_be_started_by_is_told_before(problems, task, container, fields, code, severity, path):
    found = [problem for problem in problems(task(**fields), container()) if problem.severity != "info"]
    assert [(problem.code, problem.severity, problem.path) for problem in found] == [(code, severity, path)]


def test_a_template_that_is_no_name_is_not_looked_for(found, task):
    assert found(task(taskTemplate=["a"])) == {"K002": ("taskTemplate",)}


def test_templates_of_the_wrong_type_are_not_none(found, container):
    assert found({**container(), "templates": [1]}) == {"K002": ("templates", 0)}
    assert found({**container(), "templates": []}) == {"K008": ("templates",)}
