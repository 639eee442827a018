"""Documents as tasks: ports, defaults, program, resources, and what a task.json changes."""

from __future__ import annotations

import pytest

from trivet.contracts import kaapana
from trivet.tasks import types
from trivet.tasks.call import bind
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage, Resources
from trivet.tasks.values import FileRef


def test_a_container_gives_a_task_for_every_template(read, container, template):
    data = container(description="Converts", command=["sh", "x"], resources={"limits": {"memory": "1Ki", "cpu": "2"}})
    data["templates"].append(template(identifier="other"))
    first, second = kaapana.tasks(read(data, image="tools:1"))
    assert (first.name, second.name, first.namespace, first.description) == ("convert", "other", "tools", "Converts")
    assert first.program == ContainerImage("tools:1")
    assert first.command == ("sh", "x")
    assert second.command == ()
    assert first.resources == Resources(cpus=2.0, memory=1024)
    assert not first.network
    [channel] = first.inputs
    assert (channel.name, channel.type, channel.location, channel.required) == (
        "dicom",
        types.Directory(),
        "/data/in",
        True,
    )
    [output] = first.outputs
    assert (output.name, output.access, output.location) == ("nrrd", "out", "/data/out")


def test_without_an_image_the_caller_must_name_one(read, container):
    assert kaapana.tasks(read(container()))[0].program == ContainerImage("")


def test_variables_become_typed_ports(read, container):
    variables = [
        {"name": "TEXT", "value": "5"},
        {"name": "COUNT", "value": "007", "type": "int"},
        {"name": "FLAG", "value": "Yes", "type": "boolean", "adjustable": False, "description": "A flag"},
        {"name": "CHOICE", "value": "b", "choices": ["a", "b"], "type": "string"},
        {"name": "LATER", "value": "", "type": "int"},
        {"name": "dicom", "value": "clash"},
    ]
    [task] = kaapana.tasks(read(container(env=variables)))
    ports = {port.name: port for port in task.inputs}
    assert list(ports) == ["dicom", "TEXT", "COUNT", "FLAG", "CHOICE", "LATER", "env.dicom"]
    assert (ports["TEXT"].type, ports["TEXT"].default) == (types.String(), "5")
    assert (ports["COUNT"].type, ports["COUNT"].default) == (types.Integer(), 7)
    assert (ports["FLAG"].type, ports["FLAG"].default, ports["FLAG"].adjustable) == (types.Boolean(), True, False)
    assert ports["FLAG"].description == "A flag"
    assert (ports["CHOICE"].type, ports["CHOICE"].default) == (types.Enumeration(("a", "b")), "b")
    assert ports["LATER"].default == ""
    assert ports["env.dicom"].location == "dicom"
    assert bind(task, {"dicom": FileRef("/x")}).values["COUNT"] == 7


def test_undeclared_variables_are_passed_on(read, container):
    [task] = kaapana.tasks(read(container()))
    call = bind(task, {"dicom": FileRef("/x"), "EXTRA": "1"})
    assert call.values["EXTRA"] == "1"
    assert [note.severity for note in call.notes] == ["info"]


def test_a_task_file_binds_and_overrides(read, task, container):
    attached = container(
        env=[{"name": "A", "value": "1", "type": "int"}, {"name": "B", "value": "b"}],
        command=["sh", "template"],
        resources={"limits": {"memory": "1Gi", "cpu": "1"}},
    )
    data = task(
        env=[{"name": "A", "value": "2"}, {"name": "EXTRA", "value": "x"}],
        command=["sh", "task"],
        resources={"limits": {"memory": "2Gi"}},
    )
    document = read(data, attached)
    [made] = kaapana.tasks(document)
    assert (made.name, made.namespace, made.program) == ("my-task", "tools", ContainerImage("tools:1"))
    assert made.command == ("sh", "task")
    assert made.resources == Resources(cpus=1.0, memory=2 * 1024**3)
    defaults = {port.name: port.default for port in made.inputs}
    assert defaults == {"dicom": FileRef("/base/scans"), "A": 2, "B": "b", "EXTRA": "x"}
    assert {port.name: port.place for port in made.outputs} == {"nrrd": "/results/nrrd"}
    assert bind(made, {}).values["dicom"] == FileRef("/base/scans")


def test_an_empty_command_of_a_task_means_the_image_s_own(read, task, container):
    [made] = kaapana.tasks(read(task(command=[]), container(command=["sh"])))
    assert made.command == ()


def test_an_inline_template_needs_no_image(read, task, template):
    document = read(task(taskTemplate=template()))
    assert kaapana.image_of(document) is None
    assert kaapana.check(document) == []
    assert kaapana.tasks(document)[0].outputs[0].location == "/data/out"


def test_the_image_of_a_named_template_is_needed_until_its_file_is_there(read, task, container):
    assert kaapana.image_of(read(task())) == "tools:1"
    assert kaapana.image_of(read(task(), container())) is None
    assert kaapana.image_of(read(container())) is None
    with pytest.raises(ProblemsError, match=r"processing-container\.json of image tools:1"):
        kaapana.tasks(read(task()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"taskTemplate": "other"}, "no template `other`"),
        ({"outputs": [{"name": "no", "volume_source": {"host_path": "/x"}}]}, "no output channel `no`"),
        ({"env": [{"name": "A", "value": "2"}]}, "not adjustable"),
    ],
)
def test_a_task_that_does_not_fit_its_template_is_refused(read, task, container, changes, words):
    attached = container(env=[{"name": "A", "value": "1", "adjustable": False}])
    with pytest.raises(ProblemsError, match=words):
        kaapana.tasks(read(task(**changes), attached))


@pytest.mark.parametrize(("value", "network"), [("true", True), (True, True), ("false", False), ("", False)])
def test_a_label_asks_for_the_network(read, task, container, value, network):
    labels = {"kaapana.ai/type": "processing-container", "network-access-external-ips": value}
    [made] = kaapana.tasks(read(task(config={"labels": labels}), container()))
    assert made.network is network


def test_a_task_reads_back_from_its_texts(read, task, container):
    document = read(task(), container())
    from pathlib import Path

    from trivet.contracts.source import Source

    (name, text), *others = document.texts.items()
    again = kaapana.read(Source(name, text, Path(document.base), dict(others)))
    assert again == document
