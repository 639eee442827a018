"""`trivet check`: what it recognises, what it tells, and in which form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import pytest

from .conftest import COMMAND, CONTAINER, Trivet, written

FAULTY = """{
  "name": "tools",
  "description": "d",
  "templates": [
    {"identifier": "a", "description": "d", "inputs": [], "outputs": [], "env": [], "comand": ["x"]},
    {"identifier": "b", "description": "d", "inputs": {}, "outputs": [], "env": []}
  ]
}
"""
"""One warning, at line 5, and one error, at line 6."""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.json"
    path.write_text(FAULTY)
    return path


def test_faultless_documents_are_told_by_contract_and_kind(trivet: Trivet, container: Path, descriptor: Path) -> None:
    command = written(container.parent / "blur.json", COMMAND)
    done = trivet("check", container, descriptor, command)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"ok kaapana container {container}",
        f"ok cytomine descriptor {descriptor}",
        f"ok command command {command}",
    ]
    assert done.stderr == "3 files, 0 errors, 0 warnings\n"


def test_every_problem_is_a_line_with_its_place_and_a_hint_below(trivet: Trivet, faulty: Path) -> None:
    done = trivet("check", "faulty.json")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "faulty.json:5:85: warning K003 unknown field `comand` is ignored",
        "    hint: did you mean `command`?",
        "faulty.json:6:45: error K002 `inputs` must be a list, not an object",
    ]
    assert done.stderr == "1 file, 1 error, 1 warning\n"


def test_options_change_nothing_in_what_is_found(trivet: Trivet, faulty: Path) -> None:
    """The way without the option parser and the way with it are the same."""
    plain, parsed = trivet("check", faulty), trivet("check", "--format", "text", faulty)
    assert (plain.returncode, plain.stdout, plain.stderr) == (parsed.returncode, parsed.stdout, parsed.stderr)


def test_strict_makes_errors_of_warnings(trivet: Trivet, tmp_path: Path) -> None:
    warned = written(tmp_path / "warned.json", {**CONTAINER, "extra": 1})
    assert trivet("check", warned).returncode == 0
    done = trivet("check", "--strict", warned)
    assert done.returncode == 1
    assert ": error K003 unknown field `extra`" in done.stdout


def test_a_document_of_no_contract_is_told(trivet: Trivet, tmp_path: Path) -> None:
    done = trivet("check", written(tmp_path / "x.json", {"some": "data"}))
    assert done.returncode == 1
    first, hint = done.stdout.splitlines()
    assert first == f"{tmp_path}/x.json:1:1: error T010 this is not a task document of any known contract"
    assert "Kaapana" in hint
    assert "Fractal" in hint


def test_json_for_programs(trivet: Trivet, faulty: Path, container: Path) -> None:
    done = trivet("check", "--format", "json", "faulty.json", container)
    assert done.returncode == 1
    assert json.loads(done.stdout) == [
        {
            "file": "faulty.json",
            "contract": "kaapana",
            "kind": "container",
            "problems": [
                {
                    "file": "faulty.json",
                    "line": 5,
                    "column": 85,
                    "path": ["templates", 0, "comand"],
                    "severity": "warning",
                    "code": "K003",
                    "message": "unknown field `comand` is ignored",
                    "hint": "did you mean `command`?",
                },
                {
                    "file": "faulty.json",
                    "line": 6,
                    "column": 45,
                    "path": ["templates", 1, "inputs"],
                    "severity": "error",
                    "code": "K002",
                    "message": "`inputs` must be a list, not an object",
                    "hint": "",
                },
            ],
        },
        {"file": str(container), "contract": "kaapana", "kind": "container", "problems": []},
    ]


def test_workflow_commands_for_github(trivet: Trivet, tmp_path: Path) -> None:
    written(tmp_path / "a,b:c.json", {**CONTAINER, "templtes": []})
    (tmp_path / "broken.json").write_text('{"a": 1,}')
    done = trivet("check", "--format", "github", "a,b:c.json", "broken.json")
    first, second = done.stdout.splitlines()
    assert first.startswith("::warning file=a%2Cb%3Ac.json,line=")
    assert "title=K003::unknown field `templtes` is ignored" in first
    assert second.startswith("::error file=broken.json,line=1,col=8,title=T005::not valid JSON: ")
    assert second.endswith("%0Aremove the trailing comma")


SARIF = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "shortDescription"],
                                            "properties": {"shortDescription": {"required": ["text"]}},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
                "locations": {
                    "type": "array",
                    "items": {
                        "required": ["physicalLocation"],
                        "properties": {
                            "physicalLocation": {
                                "required": ["artifactLocation"],
                                "properties": {
                                    "artifactLocation": {
                                        "required": ["uri"],
                                        "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                                    },
                                    "region": {
                                        "required": ["startLine"],
                                        "properties": {
                                            "startLine": {"type": "integer", "minimum": 1},
                                            "startColumn": {"type": "integer", "minimum": 1},
                                        },
                                    },
                                },
                            }
                        },
                    },
                },
            },
        }
    },
}
"""The part of OASIS' schema of SARIF 2.1.0 that concerns what is written here."""


def test_sarif_for_code_hosts(trivet: Trivet, faulty: Path, tmp_path: Path) -> None:
    (tmp_path / "odd name:#é.json").write_text("")
    done = trivet("check", "--format", "sarif", "faulty.json", "odd name:#é.json", tmp_path / "faulty.json")
    assert done.returncode == 1
    log: dict[str, Any] = json.loads(done.stdout)
    validator = jsonschema_rs.Draft202012Validator(SARIF, validate_formats=True)
    assert [error.message for error in validator.iter_errors(log)] == []
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    results = run["results"]
    assert rules == ["K002", "K003", "T002"]
    assert [rules[result["ruleIndex"]] for result in results] == [result["ruleId"] for result in results]
    assert [(result["ruleId"], result["level"]) for result in results] == [
        ("K003", "warning"),
        ("K002", "error"),
        ("T002", "error"),
        ("K003", "warning"),
        ("K002", "error"),
    ]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert places[0] == {"artifactLocation": {"uri": "faulty.json"}, "region": {"startLine": 5, "startColumn": 85}}
    assert unquote(places[2]["artifactLocation"]["uri"]) == "odd name:#é.json"
    assert ":" not in places[2]["artifactLocation"]["uri"]  # a colon would make a scheme of what is before it
    assert places[3]["artifactLocation"]["uri"].startswith("file:///")
    assert results[0]["message"]["text"] == "unknown field `comand` is ignored (did you mean `command`?)"


def test_a_directory_is_walked(trivet: Trivet, tmp_path: Path) -> None:
    written(tmp_path / "b/processing-container.json", CONTAINER)
    written(tmp_path / "b/package.json", {"name": "something else"})
    written(tmp_path / "a/blur.json", COMMAND)
    (tmp_path / "a/task.json").write_text('{"name": ')
    done = trivet("check", ".")
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines() if "hint" not in line] == [
        "ok command command a/blur.json",
        "a/task.json:1:10",
        "ok kaapana container b/processing-container.json",
    ]


def test_a_task_is_checked_with_the_container_file_beside_it(trivet: Trivet, container: Path) -> None:
    task = {
        "name": "t",
        "image": "tools:1",
        "taskTemplate": "convetr",
        "inputs": [{"name": "in", "input": {"host_path": "/data"}}],
        "outputs": [],
    }
    written(container.parent / "task.json", task)
    assert "convert" in trivet("check", "task.json").stdout
    container.write_text('{"name": "tools"')
    done = trivet("check", "task.json")
    assert done.stdout.startswith("processing-container.json:1:17: error T005 not valid JSON")
