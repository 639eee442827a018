"""What a user gave a workflow: both published shapes, what is allowed, and what counts over what."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.contracts.kaapana import user_input
from trivet.contracts.kaapana.user_input import UserInput, applied, of_task, unknown_tasks
from trivet.contracts.source import Source
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.work import AttemptDirectory

ENV = [
    {"name": "LEVEL", "value": "1", "type": "int"},
    {"name": "MODE", "value": "a", "choices": ["a", "b"]},
    {"name": "FIXED", "value": "x", "adjustable": False},
    {"name": "FLAG", "value": "False", "type": "boolean"},
    {"name": "FREE", "value": ""},
]


def _given(form):
    """Names and values of a task's input, and the codes of what is wrong with it."""
    given, problems = of_task({"t": form}, "t")
    return {one.name: one.value for one in given.settings}, [problem.code for problem in problems]


def _request(data):
    return Source("request.json", json.dumps(data), Path("/"))


def _environment(document, tmp_path):
    """What the container finds in its environment."""
    [task] = kaapana.tasks(document)
    call = bind(task, {})
    [unit] = kaapana.plan(call, 0, ())
    return kaapana.stage(call, unit, AttemptDirectory("r/0/1", tmp_path)).environment


@pytest.mark.parametrize(
    "form",
    [
        {"LEVEL": "5", "FREE": "x"},
        {"env": [{"name": "LEVEL", "value": "5"}, {"name": "FREE", "value": "x"}]},
        {"env": {"LEVEL": "5", "FREE": "x"}},
        {"env": [{"name": "LEVEL", "value": 5}, {"name": "FREE", "value": "x"}]},
    ],
)
def test_both_published_shapes_are_read(form):
    assert _given(form) == ({"LEVEL": "5", "FREE": "x"}, [])


def test_a_variable_may_be_called_env():
    assert _given({"env": "x"}) == ({"env": "x"}, [])


@pytest.mark.parametrize(("value", "text"), [(100, "100"), (0.2, "0.2"), (True, "true"), (False, "false"), ("", "")])
def test_scalars_become_text(value, text):
    assert _given({"A": value}) == ({"A": text}, [])


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_what_is_no_scalar_is_refused(value):
    assert _given({"A": value, "B": "x"}) == ({"B": "x"}, ["K071"])


@pytest.mark.parametrize("key", ["image", "command", "resources", "outputs", "config", "taskTemplate", "namespace"])
def test_nothing_but_variables_can_be_given(key):
    assert _given({"env": [], key: {}})[1] == ["K072"]


def test_an_operator_may_allow_more_but_never_the_image():
    form = {"t": {"env": [], "command": ["x"], "image": "evil"}}
    given, problems = of_task(form, "t", allowed=("env", "command", "image"))
    assert given.more == {"command": ["x"]}
    assert [problem.path for problem in problems] == [("t", "image")]
    _, problems = of_task({"t": {"env": {"A": 1}}}, "t", allowed=())
    assert [problem.code for problem in problems] == ["K072"]


def test_a_variable_given_twice_is_refused():
    assert _given({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})[1] == ["K071"]
    assert _given({"env": [{"name": "A"}]})[1] == ["K071"]


def test_unknown_tasks_are_named_with_what_is_near():
    [problem] = of_task({"get-data": {}}, "get-dat")[1]
    assert (problem.code, problem.hint) == ("K070", "did you mean `get-data`?")
    [problem] = unknown_tasks({"get-data": {}, "other": {}}, ["get-data", "others"])
    assert (problem.path, problem.hint) == (("other",), "did you mean `others`?")


@pytest.mark.parametrize("wrap", [lambda form: {"conf": {"task_form": form}}, lambda form: {"task_form": form}])
def test_a_request_or_its_conf_is_read_and_not_changed(wrap):
    request = wrap({"t": {"A": 1}})
    before = copy.deepcopy(request)
    source = _request(request)
    assert user_input.read(source, "t").settings[0].value == "1"
    assert user_input.read(source, "t").source is source
    assert source.data == before


@pytest.mark.parametrize("data", [{}, [], {"conf": None}, {"conf": {"task_form": None}}, {"t": {"A": "1"}}])
def test_a_request_without_a_form_is_refused(data):
    with pytest.raises(ProblemsError, match="no `task_form`"):
        user_input.read(_request(data), "t")


def test_faults_of_a_request_are_placed_in_it():
    source = Source("r.json", '{"task_form":\n {"t":\n  {"A": null}}}', Path("/"))
    with pytest.raises(ProblemsError) as raised:
        user_input.read(source, "t")
    [problem] = raised.value.problems
    assert (problem.file, problem.line, problem.column) == ("r.json", 3, 4)


def test_what_does_not_fit_the_template_is_placed_in_the_request(read, container):
    source = Source("r.json", '{"task_form":\n {"t":\n  {"LEVEL": "high"}}}', Path("/"))
    with pytest.raises(ProblemsError) as raised:
        applied(read(container(env=ENV)), user_input.read(source, "t"))
    [problem] = raised.value.problems
    assert (problem.file, problem.line, problem.column) == ("r.json", 3, 4)


def test_the_request_of_the_guide(corpus):
    source = Source("r.json", (corpus / "seed/seed_dagrun_request_flat-task-form.json").read_text(), Path("/"))
    assert [tuple(one[:2]) for one in user_input.read(source, "get-data").settings] == [("DATASET", "study-123")]


def test_the_user_counts_over_the_task_and_the_task_over_the_template(read, task, container, tmp_path):
    data = task(inputs=[], env=[{"name": "LEVEL", "value": "2"}, {"name": "FREE", "value": "task"}])
    document = read(data, container(inputs=[], env=ENV))
    given, _ = of_task({"t": {"LEVEL": 3, "FLAG": "yes"}}, "t")
    expected = {"LEVEL": "3", "MODE": "a", "FIXED": "x", "FLAG": "yes", "FREE": "task"}
    assert _environment(applied(document, given), tmp_path) == expected
    assert _environment(document, tmp_path) == expected | {"LEVEL": "2", "FLAG": "False"}


def test_the_user_counts_over_a_template_without_a_task(read, container, template, tmp_path):
    data = container(inputs=[], env=ENV)
    data["templates"].append(template(identifier="other", inputs=[]))
    made = applied(read(data), of_task({"t": {"LEVEL": 3}}, "t")[0], "convert")
    values = {port.name: port.default for port in kaapana.tasks(made)[0].inputs}
    assert values == {"LEVEL": 3, "MODE": "a", "FIXED": "x", "FLAG": False, "FREE": ""}


def test_what_the_user_gave_is_text_and_never_a_template(read, task, container, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "geheim")
    hostile = "{{ env.SECRET }} @/etc/passwd"
    document = read(task(inputs=[]), container(inputs=[], env=ENV))
    made = applied(document, of_task({"t": {"FREE": hostile}}, "t")[0])
    assert _environment(made, tmp_path)["FREE"] == hostile
    (name, text), *others = made.texts.items()
    again = kaapana.read(Source(name, text, Path(made.base), dict(others)))
    assert _environment(again, tmp_path)["FREE"] == hostile


@pytest.mark.parametrize(
    ("given", "code", "word"),
    [
        ({"LEVLE": "1"}, "K073", "did you mean `LEVEL`?"),
        ({"PATH": "/evil"}, "K073", "known:"),
        ({"FIXED": "y"}, "K044", "leave it out"),
        ({"MODE": "c"}, "K045", "known:"),
        ({"LEVEL": "five"}, "K045", ""),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(read, container, given, code, word):
    with pytest.raises(ProblemsError) as raised:
        applied(read(container(env=ENV)), user_input.read(_request({"task_form": {"t": given}}), "t"))
    [problem] = raised.value.problems
    assert (problem.code, problem.file) == (code, "request.json")
    assert word in problem.hint


def test_a_value_that_is_fixed_may_be_repeated(read, container):
    applied(read(container(env=ENV)), of_task({"t": {"FIXED": "x"}}, "t")[0])


def test_variables_only_the_task_sets_and_those_of_the_platform_are_not_the_users(read, task, container):
    document = read(task(env=[{"name": "EXTRA", "value": "1"}]), container(env=ENV))
    with pytest.raises(ProblemsError, match="no variable `EXTRA`"):
        applied(document, of_task({"t": {"EXTRA": "2"}}, "t")[0])
    template = document_template(read, container)
    [problem] = user_input.misfits(template, of_task({"t": {"LEVEL": "2"}}, "t")[0], reserved=["LEVEL"])
    assert "set by the platform" in problem.message


def document_template(read, container):
    return read(container(env=ENV)).model.content.templates[0]


def test_nothing_given_changes_nothing(read, task, container):
    document = read(task(), container(env=ENV))
    assert kaapana.tasks(applied(document, UserInput()))[0].inputs == kaapana.tasks(document)[0].inputs
