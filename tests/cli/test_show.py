"""`trivet show`: tasks for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import COMMAND, CONTAINER, Trivet, written


def test_a_task_for_people(trivet: Trivet, container: Path) -> None:
    done = trivet("show", "processing-container.json")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "convert  (kaapana container, processing-container.json)"
    assert "  Converts." in lines
    assert "  command      python3 convert.py" in lines
    rows = [line.split() for line in lines]
    assert ["in", "directory", "required", "/data/in"] in rows
    assert ["LEVEL", "integer", "5", "LEVEL", "How", "much."] in rows
    assert ["out", "directory", "/data/out"] in rows
    columns = {line.index("/data/in") for line in lines if "/data/in" in line}
    columns |= {line.rindex("LEVEL") for line in lines if "LEVEL" in line}
    assert len(columns) == 1  # the table is aligned


def test_tasks_for_programs(trivet: Trivet, descriptor: Path) -> None:
    done = trivet("show", "descriptor.yml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (task,) = json.loads(done.stdout)
    assert {key: task[key] for key in ("contract", "kind", "file", "namespace", "version")} == {
        "contract": "cytomine",
        "kind": "descriptor",
        "file": "descriptor.yml",
        "namespace": "org.example.add",
        "version": "1.0.0",
    }
    (port,) = task["inputs"]
    assert (port["name"], port["type"], port["required"]) == ("a", {"name": "integer"}, True)
    assert [port["name"] for port in task["outputs"]] == ["sum"]


def test_one_task_of_many(trivet: Trivet, tmp_path: Path) -> None:
    template = CONTAINER["templates"][0]  # type: ignore[index]
    written(tmp_path / "c.json", {**CONTAINER, "templates": [template, {**template, "identifier": "other"}]})
    assert [task["name"] for task in json.loads(trivet("show", "c.json", "--json").stdout)] == ["convert", "other"]
    assert [task["name"] for task in json.loads(trivet("show", "c.json#other", "--json").stdout)] == ["other"]
    done = trivet("show", "c.json#othr")
    assert (done.returncode, done.stdout) == (1, "")
    assert "c.json: error T016 there is no task `othr`" in done.stderr
    assert "did you mean `other`?" in done.stderr


def test_the_image_can_be_named(trivet: Trivet, container: Path) -> None:
    (task,) = json.loads(trivet("show", container, "--json", "--image", "tools:7").stdout)
    assert task["program"]["reference"] == "tools:7"
    assert "image        tools:7" in trivet("show", container, "--image", "tools:7").stdout


def test_what_is_good_is_shown_beside_what_is_bad(trivet: Trivet, tmp_path: Path) -> None:
    written(tmp_path / "d/blur.json", COMMAND)
    written(tmp_path / "d/bad.json", {**COMMAND, "command": ["{nothing}"]})
    done = trivet("show", "d", "--json")
    assert done.returncode == 1
    assert [task["file"] for task in json.loads(done.stdout)] == ["d/blur.json"]
    assert "d/bad.json:" in done.stderr


def test_a_document_can_write_nothing_but_text_to_a_terminal(trivet: Trivet, tmp_path: Path) -> None:
    written(tmp_path / "x.json", {**COMMAND, "description": "\x1b]0;owned\x07 \u202edesrever"})
    done = trivet("show", "x.json")
    assert done.returncode == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
