"""Documents written in the one form or the other: nothing changes its meaning, and what can't be said is told."""

from __future__ import annotations

import json

import pytest

from trivet.contracts import kaapana
from trivet.contracts.kaapana.template_options import TemplateOptions, attach
from trivet.contracts.source import Source, load
from trivet.tasks.problem import ProblemsError, has_errors


def _written(source, form="current"):
    written = kaapana.write(kaapana.read(attach(source, TemplateOptions(enabled=False))), form)
    [(name, text)] = written.files.items()
    return Source(name, text, source.base), written.lost


def _data(tmp_path, data, form="current"):
    source, lost = _written(Source("x.json", json.dumps(data), tmp_path), form)
    return source.data, [(problem.code, problem.path) for problem in lost]


def _content(source):
    """What a document says, without where it says it."""
    return _bare(kaapana.read(source).model.content)


def _bare(thing):
    if hasattr(thing, "_asdict"):
        return {key: _bare(value) for key, value in thing._asdict().items() if key != "path"}
    if isinstance(thing, tuple | list):
        return [_bare(item) for item in thing]
    return {key: _bare(value) for key, value in thing.items()} if isinstance(thing, dict) else thing


def _corpus(corpus):
    for path in sorted(corpus.glob("*/*.json")):
        if path.name.startswith(("pc_", "task_", "seed_task", "seed_pc_my")):
            yield load(path)


def test_every_document_of_the_corpus_keeps_its_meaning_in_both_forms(corpus):
    seen = 0
    for source in _corpus(corpus):
        before = _content(source)
        for form in ("current", "guide"):
            written, lost = _written(source, form)
            problems = kaapana.check(kaapana.read(attach(written, TemplateOptions(enabled=False))))
            assert not has_errors(problems), (source.name, problems)
            assert "K005" not in {problem.code for problem in problems}
            assert _written(written, form)[0].text == written.text
            if not lost:
                assert _content(written) == before, source.name
                assert _written(written)[0].data == _written(source)[0].data
            seen += 1
    assert seen >= 30


def test_only_scale_rules_of_the_corpus_get_lost_and_only_in_the_guides_form(corpus):
    lost = [
        (source.name.rpartition("/")[2].split("_")[2], form, problem.path[-1])
        for source in _corpus(corpus)
        for form in ("current", "guide")
        for problem in _written(source, form)[1]
    ]
    assert {form for _, form, _ in lost} == {"guide"}
    assert {key for _, _, key in lost} == {"scale_rule"}


def test_templates_are_left_as_they_are(corpus):
    source = load(corpus / "current/task_lib-taskapi_dummy_upstream-task.json")
    written, _ = _written(source)
    assert written.data["image"] == "{{ env.registryUrl }}/dummy:latest"
    assert written.data["config"]["registryPassword"] == "{{ env.registryPassword }}"


def test_a_task_of_the_guide_in_the_current_form(tmp_path):
    guide = {
        "name": "t",
        "api_version": 1,
        "image": "i:1",
        "taskTemplate": "x",
        "inputs": [{"name": "a", "input": {"host_path": "./a"}}],
        "outputs": [],
        "env": [{"name": "N", "value": 5}],
        "config": {"registryPassword": "geheim"},
        "mine": {"kept": True},
    }
    data, lost = _data(tmp_path, guide)
    assert data == guide | {
        "inputs": [{"name": "a", "volume_source": {"host_path": "./a"}}],
        "env": [{"name": "N", "value": "5"}],
    }
    assert lost == []
    assert _data(tmp_path, data, "guide")[0] == guide | {"env": [{"name": "N", "value": "5"}]}


def test_a_minimal_task_gets_what_the_guide_demands(tmp_path):
    data, _ = _data(tmp_path, {"name": "t", "image": "i", "taskTemplate": "x", "env": None}, "guide")
    expected = {"name": "t", "api_version": 1, "image": "i", "taskTemplate": "x", "inputs": [], "outputs": []}
    assert data == expected


def test_a_flat_task_becomes_a_current_one(tmp_path):
    flat = {
        "name": "t",
        "image": "i",
        "inputs": [{"name": "a", "input": {"local_path": "/a"}}],
        "outputs": [],
        "env": [],
        "namespace": "mine",
        "imagePullSecrets": ["s"],
    }
    assert _data(tmp_path, flat)[0] == {
        "name": "t",
        "api_version": 1,
        "image": "i",
        "inputs": [{"name": "a", "volume_source": {"host_path": "/a"}}],
        "outputs": [],
        "env": [],
        "taskTemplate": "default",
        "config": {"type": "k8s", "namespace": "mine", "imagePullSecrets": ["s"]},
    }


@pytest.mark.parametrize(
    ("rule", "form", "written"),
    [
        ({"complexity": "25*n**1"}, "current", {"scale_factor": 25}),
        ({"complexity": "n"}, "current", {"scale_factor": 1}),
        ({"complexity": "25n", "scale_factor": 25}, "current", {"scale_factor": 25}),
        ({"scale_factor": "3", "headroom": 2}, "current", {"scale_factor": 3, "headroom": 2}),
        ({"scale_factor": 3, "target_glob": None}, "current", {"scale_factor": 3}),
        ({"scale_factor": 3}, "guide", {"complexity": "3*n**1"}),
        ({"scale_factor": 2.5}, "guide", {"complexity": "2.5*n**1"}),
        ({"complexity": ".5n**2"}, "guide", {"complexity": ".5n**2"}),
        ({"complexity": "n**2"}, "current", None),
        ({"scale_factor": 2.5}, "current", None),
        ({"scale_factor": 1, "mode": "max_item_sum"}, "guide", None),
    ],
)
def test_scale_rules(tmp_path, container, rule, form, written):
    rest = {"type": "limit", "mode": "sum"}
    channel = {"name": "a", "mounted_path": "/a", "scale_rule": {**rest, **rule}}
    data, lost = _data(tmp_path, container(inputs=[channel]), form)
    made = data["templates"][0]["inputs"][0].get("scale_rule")
    path = ("templates", 0, "inputs", 0, "scale_rule")
    if written is None:
        assert (made, lost) == (None, [("K091", path)])
    else:
        assert (made, lost) == ({**rest, **written}, [])


def test_type_adjustable_and_choices_are_kept(tmp_path, container):
    variable = {"name": "A", "value": "1", "type": "int", "adjustable": False, "choices": ["1", "2"]}
    for form in ("current", "guide"):
        assert _data(tmp_path, container(env=[variable]), form)[0]["templates"][0]["env"] == [variable]


def test_a_document_with_errors_is_refused(tmp_path, container):
    with pytest.raises(ProblemsError, match="more than one input channel"):
        _data(tmp_path, container(inputs=[{"name": "a", "mounted_path": "/a"}] * 2))


def test_a_template_where_only_its_value_would_tell_is_no_error(tmp_path, task):
    data = task(resources={"limits": {"memory": "{{ env.MEMORY }}"}})
    assert _data(tmp_path, data)[0]["resources"] == data["resources"]
