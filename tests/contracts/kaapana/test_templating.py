"""Templates in a task.json: what is filled, what is refused, and what a record keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.contracts.source import Source


def _image(read, task, text, custom=None):
    return read(task(image=text), custom=custom).model.content.image


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("REGISTRY", "registry.example.org")
    monkeypatch.delenv("NOT_SET", raising=False)


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("{{ env.REGISTRY }}/a:1", "registry.example.org/a:1"),
        ("{{env['REGISTRY']}}/a", "registry.example.org/a"),
        ("{{ custom.name | upper }}", "TOOLS"),
        ("{{ custom.nested.tag }}", "7"),
        ("{{ env.NOT_SET | default('local') }}/a", "local/a"),
        ("{% if env.NOT_SET %}x{% else %}y{% endif %}", "y"),
        ("a{# a remark #}b", "ab"),
        ("{{ '{{' }}", "{{"),
        ("no template { here }", "no template { here }"),
    ],
)
def test_what_is_filled(read, task, text, image):
    assert _image(read, task, text, {"name": "tools", "nested": {"tag": 7}}) == image


def test_values_need_no_escaping_and_are_not_filled_again(read, task, monkeypatch):
    hostile = '"}, {{ env.HOME }} \\ {% raw %} {#'
    monkeypatch.setenv("REGISTRY", hostile)
    assert _image(read, task, "{{ env.REGISTRY }}") == hostile


def test_a_variable_may_be_named_like_a_method(read, task, monkeypatch):
    monkeypatch.setenv("keys", "mine")
    assert _image(read, task, "{{ env.keys }}") == "mine"
    [problem] = [item for item in kaapana.check(read(task(image="{{ env.items }}"))) if item.code == "K030"]
    assert "`items` is not set" in problem.message


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "{{ env.NOT_SET }}/a"},
        {"command": ["run", "{{ env.NOT_SET }}"]},
        {"env": [{"name": "A", "value": "{{ env.NOT_SET }}"}]},
        {"inputs": [{"name": "dicom", "volume_source": {"host_path": "{{ env.NOT_SET }}/a"}}]},
        {"taskTemplate": "{{ env.NOT_SET }}x"},
    ],
)
def test_a_missing_variable_is_an_error_where_it_decides_what_runs(problems, task, changes):
    [problem] = [problem for problem in problems(task(**changes)) if problem.severity == "error"]
    assert problem.code == "K030"
    assert "NOT_SET" in problem.message
    assert "default" in problem.hint


def test_a_missing_variable_elsewhere_is_empty_with_a_warning(read, task, container):
    document = read(task(config={"type": "k8s", "namespace": "{{ env.NOT_SET }}"}), container())
    assert document.model.content.config["namespace"] == ""
    [problem] = kaapana.check(document)
    assert (problem.code, problem.severity, problem.path) == ("K030", "warning", ("config", "namespace"))


@pytest.mark.parametrize("name", ["nothing", "nothing.x", "nothing.x.y", "custom.missing"])
def test_an_unknown_variable_is_named(problems, task, name):
    [problem] = [item for item in problems(task(image=f"{{{{ {name} }}}}a")) if item.code == "K030"]
    assert f"`{name}`" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in 'abc' %}{{ i }}{% endfor %}",
        "{{ ''.__class__.__mro__ | string }}{{ env.get('HOME') }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 2 ** 100000000 }}",
        "{{ range(10) }}",
        "{% set a = 1 %}{{ a }}",
        "{% include '/etc/passwd' %}",
        "{{ 'a' | center(1000000000) }}",
        "{{ unclosed",
        "{{ env.A B }}",
        "{{ env.REGISTRY | nofilter }}",
    ],
)
def test_everything_else_is_refused(problems, task, text):
    assert "K031" in [problem.code for problem in problems(task(image=text)) if problem.severity == "error"]


@pytest.mark.parametrize("text", ["{{ ''.__class__ }}", "{{ env.__class__ }}", "{{ custom.name.format }}"])
def test_no_attribute_of_python_is_reached(read, task, text):
    assert _image(read, task, text, {"name": "x"}) == ""


def test_a_record_reads_back_the_same_without_the_environment_and_without_passwords(task, container, monkeypatch, read):
    monkeypatch.setenv("REGISTRY", "{{ '{{' }} {# x #}")
    monkeypatch.setenv("PASSWORD", "geheim")
    data = task(
        image="{{ env.REGISTRY }}",
        config={
            "type": "k8s",
            "registryPassword": "{{ env.PASSWORD }}",
            "env_vars": [{"name": "API_TOKEN", "value": "geheim"}, {"name": "PLAIN", "value": "shown"}],
        },
        registryPassword="geheim",
    )
    document = read(data, container(), custom={"a": "geheim"})
    assert document.model.content.config["registryPassword"] == "geheim"
    assert "geheim" not in str(document.texts)
    assert "geheim" not in str(document.data)
    assert "shown" in document.texts["document.json"]

    monkeypatch.delenv("REGISTRY")
    monkeypatch.delenv("PASSWORD")
    (name, text), *others = document.texts.items()
    again = kaapana.read(Source(name, text, Path(document.base), dict(others)))
    assert again.data == document.data
    assert again.model.content.image == "{{ '{{' }} {# x #}"
    assert again.texts == document.texts


def test_a_password_is_not_kept_where_nothing_is_filled(read, task):
    document = read(task(config={"type": "k8s", "registryPassword": "geheim"}))
    assert "geheim" not in str(document.texts)


def test_a_text_without_templates_is_kept_as_it_is():
    text = '{"taskTemplate":   "a", "image": "b", "name": "c"}'
    assert kaapana.read(Source("t.json", text, Path("/"))).texts == {"t.json": text}
