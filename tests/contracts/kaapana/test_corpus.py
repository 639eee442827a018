"""Every public document is read, or refused with its reason."""

from __future__ import annotations

import json

import pytest

from trivet.contracts import kaapana
from trivet.contracts.source import load
from trivet.tasks.problem import has_errors

VARIABLES = ("registryUrl", "registry", "output_dir", "namespace", "registryUsername", "registryPassword")
BROKEN = "seed_pc_mitk-tools_INVALID-trailing-comma.json"


@pytest.fixture
def _variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, f"/example/{name}" if name == "output_dir" else f"example.org/{name.lower()}")
    monkeypatch.setenv("namespace", "example")


def _documents(corpus):
    listed = json.loads((corpus / "INDEX.json").read_text())["files"]
    names = [entry["file"] for entry in listed]
    documents = [
        corpus / name for name in names if name.rpartition("/")[2].startswith(("pc_", "task_", "seed_pc", "seed_task"))
    ]
    return [path for path in documents if path.is_file()]


@pytest.mark.usefixtures("_variables")
def test_every_document_of_every_form_loads(corpus):
    documents = _documents(corpus)
    assert len(documents) >= 19
    for path in documents:
        if path.name == BROKEN:
            continue
        source = load(path)
        custom = json.dumps({"custom": {"registry": "r", "output_dir": "/out"}})
        source = type(source)(source.name, source.text, source.base, {"templating.json": custom})
        assert kaapana.detect(source), path.name
        document = kaapana.read(source)
        assert document.kind == ("task" if "task_" in path.name.partition("pc_")[0] else "container")
        problems = source.place(kaapana.check(document))
        assert not has_errors(problems), (path.name, problems)
        assert {problem.code for problem in problems} <= {"K005", "K027", "K041"}, (path.name, problems)
        if document.kind == "container":
            written = json.loads(source.text)
            names = [item["identifier"] for item in written["templates"]] if "templates" in written else ["default"]
            assert [task.name for task in kaapana.tasks(document)] == names
        else:
            assert kaapana.image_of(document) == document.data["image"]


def test_the_document_that_is_no_json_is_pinpointed(corpus):
    source = load(corpus / "seed" / BROKEN)
    assert kaapana.detect(source)
    [problem] = source.place(kaapana.check(kaapana.read(source)))
    assert problem.hint == "remove the trailing comma"
    assert source.text[problem.column - 1] == ","
    assert source.text[problem.column :].lstrip().startswith("}")


def test_documents_of_other_kinds_are_left_alone(corpus):
    for name in (
        "current/workflow_dummy-workflow.json",
        "schemas/Task.schema.json",
        "seed/seed_dagrun_request_flat-task-form.json",
    ):
        assert not kaapana.detect(load(corpus / name))


@pytest.mark.usefixtures("_variables")
def test_a_task_of_the_corpus_runs_with_its_container(corpus):
    source = load(corpus / "current/task_dummy-workflow_dummy_downstream-task.json")
    attached = (corpus / "current/pc_dummy-workflow_dummy.json").read_text()
    source = type(source)(source.name, source.text, source.base, {kaapana.CONTAINER_FILE: attached})
    document = kaapana.read(source)
    assert not has_errors(kaapana.check(document))
    [task] = kaapana.tasks(document)
    paths = [port.default.path for port in task.inputs if port.type.is_file]
    assert paths == ["/example/output_dir/dummy/channel1", "/example/output_dir/dummy/channel2"]
    assert task.resources.memory == 50 * 1024**2
    assert task.program.reference == "example.org/registryurl/dummy:latest"


def test_without_its_variables_a_task_is_refused_and_every_one_is_named(corpus, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    problems = kaapana.check(kaapana.read(load(corpus / "current/task_dummy-workflow_dummy_upstream-task.json")))
    found = [(problem.path[0], problem.severity) for problem in problems if problem.code == "K030"]
    assert found == [("image", "error"), *[("outputs", "error")] * 2, *[("config", "warning")] * 4]
