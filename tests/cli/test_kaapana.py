"""The commands for Kaapana's documents, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import CONTAINER, Trivet, written

TASK = {
    "name": "my-task",
    "image": "{{ env.TEST_REGISTRY }}/tools:{{ custom.tag }}",
    "taskTemplate": "convert",
    "inputs": [{"name": "in", "volume_source": {"host_path": "scans"}}],
    "outputs": [{"name": "out", "volume_source": {"host_path": "results"}}],
    "env": [{"name": "LEVEL", "value": "7"}],
    "config": {"namespace": "{{ env.TEST_NAMESPACE }}"},
}


@pytest.fixture
def task(tmp_path: Path, container: Path) -> Path:
    """A task.json with templates, beside its container file."""
    return written(tmp_path / "task.json", TASK)


def problems(text: str) -> list[tuple[str, str]]:
    return [(item["severity"], item["code"]) for one in json.loads(text) for item in one["problems"]]


def test_templates_are_filled_as_asked(trivet: Trivet, task: Path) -> None:
    done = trivet("check", "task.json", "--format", "json")
    assert problems(done.stdout) == [("error", "K030"), ("error", "K030"), ("warning", "K030")]
    done = trivet("check", "task.json", "--format", "json", "--undefined", "empty")
    assert problems(done.stdout) == [("warning", "K030")] * 3
    done = trivet("check", "task.json", "--set", "tag=1", "--undefined", "error", "--format", "json")
    assert problems(done.stdout) == [("error", "K030")] * 2
    (task.parent / ".env").write_text("TEST_REGISTRY=r.example.org\nTEST_NAMESPACE=mine\n")
    done = trivet("check", "task.json", "--set", "tag=1", "--format", "json")
    assert (done.returncode, problems(done.stdout)) == (0, [])
    done = trivet("show", "task.json", "--set", "tag=1", "--json")
    assert json.loads(done.stdout)[0]["program"]["reference"] == "r.example.org/tools:1"
    done = trivet("show", "task.json", "--no-templates", "--json")
    assert json.loads(done.stdout)[0]["program"]["reference"] == TASK["image"]


def test_a_setting_without_a_value_is_wrong_usage(trivet: Trivet, task: Path) -> None:
    done = trivet("check", "task.json", "--set", "tag")
    assert done.returncode == 2
    assert "not of the form NAME=VALUE" in done.stderr


def test_merging_prints_the_instance(trivet: Trivet, task: Path) -> None:
    done = trivet(
        "kaapana", "merge", "task.json", "--set", "tag=1", env={"TEST_REGISTRY": "r", "TEST_NAMESPACE": "mine"}
    )
    instance = json.loads(done.stdout)
    assert instance["image"] == "r/tools:1"
    [variable] = instance["env"]
    assert (variable["name"], variable["value"]) == ("LEVEL", "7")
    [channel] = instance["inputs"]
    assert (channel["mounted_path"], channel["volume_source"]) == ("/data/in", {"host_path": "scans"})
    assert instance["command"] == ["python3", "convert.py"]
    assert instance["config"] == {"namespace": "mine"}
    assert trivet("kaapana", "merge", "processing-container.json").returncode == 1


def test_merged_variables_are_exactly_template_and_task(trivet: Trivet, tmp_path: Path) -> None:
    template = {**CONTAINER["templates"][0], "env": [{"name": "VAR1", "value": "0"}, {"name": "VAR2", "value": "0"}]}
    env = [{"name": "VAR1", "value": "1"}, {"name": "VAR3", "value": "1"}]
    plain = {key: value for key, value in TASK.items() if key != "config"}
    written(tmp_path / "t.json", {**plain, "image": "i", "taskTemplate": template, "env": env})
    done = trivet("kaapana", "merge", "t.json")
    found = {item["name"]: item["value"] for item in json.loads(done.stdout)["env"]}
    assert found == {"VAR1": "1", "VAR2": "0", "VAR3": "1"}
    assert "`VAR3` is not declared" in done.stderr


@pytest.mark.parametrize("name", ["kaapana-container", "kaapana-task"])
def test_schemas_are_printed(trivet: Trivet, name: str) -> None:
    schema = json.loads(trivet("schema", name).stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert trivet("schema", "nonsense").returncode == 2


def test_converting(trivet: Trivet, task: Path, tmp_path: Path) -> None:
    rule = {"complexity": "n**2", "type": "limit", "mode": "sum"}
    channel = {"name": "in", "mounted_path": "/in", "scale_rule": rule}
    data: dict[str, Any] = {**CONTAINER, "templates": [{**CONTAINER["templates"][0], "inputs": [channel]}]}
    written(tmp_path / "c.json", data)
    done = trivet("convert", "c.json", "--to", "kaapana")
    assert done.returncode == 0
    assert "scale_rule" not in json.loads(done.stdout)["templates"][0]["inputs"][0]
    assert "c.json:12:11: warning K091 the scale rule of `in` is left out" in done.stderr
    done = trivet("convert", "task.json", "--to", "kaapana:guide", "-o", "old/task.json")
    assert (done.returncode, done.stdout) == (0, "old/task.json\n")
    assert json.loads((tmp_path / "old/task.json").read_text())["image"] == TASK["image"]
    assert "is there already" in trivet("convert", "task.json", "--to", "kaapana:guide", "-o", "old/task.json").stderr
    assert trivet("convert", "task.json", "--to", "kaapana", "-o", "old", "--force").returncode == 0


def test_what_can_not_be_converted_is_refused(trivet: Trivet, tmp_path: Path) -> None:
    (tmp_path / "blur.json").write_text('{"trivet": 1, "name": "blur", "command": ["true"]}')
    assert "can't be written in kaapana" in trivet("convert", "blur.json", "--to", "kaapana").stderr
    (tmp_path / "x.json").write_text("{}")
    assert trivet("convert", "x.json", "--to", "kaapana").returncode == 1
    (tmp_path / "x.json").write_text('{"templates": [}')
    assert "x.json:1:16: error T005" in trivet("convert", "x.json", "--to", "kaapana").stderr
    assert trivet("convert", "gone.json", "--to", "kaapana").returncode == 1


def test_user_input_is_refused_before_anything_starts(trivet: Trivet, container: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "item").mkdir(parents=True)
    words = ("run", "processing-container.json", "--image", "i", "--input", "in=in")
    assert trivet(*words, "--conf", "c.json").returncode == 2
    written(tmp_path / "c.json", {"conf": {"task_form": {"t": {"LEVLE": 5}}}})
    done = trivet(*words, "--conf", "c.json", "--task-id", "t")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no variable `LEVLE`" in done.stderr
    assert "did you mean `LEVEL`?" in done.stderr
    done = trivet(*words, "--conf", "c.json", "--task-id", "s")
    assert "`task_form` has no task `s`" in done.stderr


def test_an_unbound_output_is_refused_unless_it_is_placed(trivet: Trivet, tmp_path: Path, container: Path) -> None:
    (tmp_path / "scans" / "item").mkdir(parents=True)
    (tmp_path / "scans" / "item" / "a").touch()
    data = {**TASK, "image": "no-such-image:1", "outputs": []}
    del data["config"]
    written(tmp_path / "task.json", data)
    home = {"TRIVET_HOME": str(tmp_path / "home")}
    done = trivet("run", "task.json", env=home)
    assert done.returncode == 1
    assert "error B018 output `out` is bound to no path" in done.stderr
    assert "B018" not in trivet("run", "task.json", "--output", "there", env=home).stderr


def test_an_unbound_input_is_refused_with_what_to_do(trivet: Trivet, tmp_path: Path, container: Path) -> None:
    data = {**TASK, "image": "i:1", "inputs": []}
    del data["config"]
    written(tmp_path / "task.json", data)
    done = trivet("run", "task.json", env={"TRIVET_HOME": str(tmp_path / "home")})
    assert done.returncode == 1
    assert "input `in` (directory) has no value" in done.stderr
    assert "--input in=PATH" in done.stderr


def test_a_project_that_is_begun_passes_its_own_checks_and_tests(trivet: Trivet, tmp_path: Path) -> None:
    done = trivet("new", "kaapana", "my-tools")
    assert done.returncode == 0
    assert "my-tools/Dockerfile" in done.stdout.splitlines()
    done = trivet("check", "my-tools", "--strict")
    assert (done.returncode, done.stderr) == (0, "2 files, 0 errors, 0 warnings\n")
    tests = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "tests"],
        cwd=tmp_path / "my-tools",
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stderr
    assert "Ran 4 tests" in tests.stderr
    dockerfile = (tmp_path / "my-tools/Dockerfile").read_text()
    assert 'LABEL IMAGE="my-tools"' in dockerfile
    assert "LABEL BUILD_IGNORE=" in dockerfile
    files = [path for path in (tmp_path / "my-tools").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert not [path for path in files if "@NAME@" in path.read_text()]
    assert trivet("new", "kaapana", "my-tools").returncode == 1


def test_the_wrapper_of_a_project_is_that_of_the_example(trivet: Trivet, tmp_path: Path) -> None:
    trivet("new", "kaapana", "x")
    example = Path(__file__).resolve().parents[2] / "examples/kaapana/dicom-tools/files/for-each-item.sh"
    assert (tmp_path / "x/files/for-each-item.sh").read_text() == example.read_text()


@pytest.mark.parametrize("name", ["My Tools", "../evil", "a//b", "-x", "ü", "a" * 64])
def test_a_bad_name_of_a_project_is_refused(trivet: Trivet, tmp_path: Path, name: str) -> None:
    done = trivet("new", "kaapana", "--", name)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_check_hints_at_what_the_older_operator_gave(trivet: Trivet, container: Path, tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh\nls $WORKFLOW_DIR\n")
    assert "K080" not in trivet("check", ".").stdout
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    for target in (".", "processing-container.json"):
        done = trivet("check", target)
        assert "run.sh:2:5: warning K080 `WORKFLOW_DIR` is what the older operator gave" in done.stdout
        assert done.returncode == 0
