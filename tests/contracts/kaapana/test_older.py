"""What the older operator gave is pointed out where a container still reads it."""

from __future__ import annotations

import pytest

from trivet.contracts.kaapana.older import INSTEAD, hints


@pytest.fixture
def project(tmp_path):
    def make(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


def _found(directory, declared=()):
    return [
        (problem.file.removeprefix(f"{directory}/"), problem.line, problem.column, problem.message.split("`")[1])
        for problem in hints(str(directory), declared)
        if problem.severity == "warning"
    ]


def test_every_name_is_pointed_out_once_for_each_program(project):
    directory = project(
        files__run_DOT_sh='#!/bin/sh\nloop "$WORKFLOW_DIR/$BATCH_NAME"\necho $WORKFLOW_DIR\n',
        files__tool_DOT_py='import os\nroot = os.environ["OPERATOR_IN_DIR"]\nout = os.getenv("OPERATOR_OUT_DIR")\n',
        Dockerfile='FROM x\nCMD ["sh", "-c", "ls $WORKFLOW_DIR"]\n',
    )
    assert _found(directory) == [
        ("Dockerfile", 2, 23, "WORKFLOW_DIR"),
        ("files/run.sh", 2, 8, "WORKFLOW_DIR"),
        ("files/run.sh", 2, 22, "BATCH_NAME"),
        ("files/tool.py", 2, 20, "OPERATOR_IN_DIR"),
        ("files/tool.py", 3, 18, "OPERATOR_OUT_DIR"),
    ]


@pytest.mark.parametrize("text", ["conf/conf.json", "os.path.join('conf', 'conf.json')", 'root / "conf" / "conf.json"'])
def test_the_configuration_file_is_found_however_its_path_is_made(project, text):
    assert [found[3] for found in _found(project(a_DOT_py=f"open({text})"))] == ["conf/conf.json"]


def test_every_hint_says_what_to_do_instead(project):
    directory = project(a_DOT_sh=" ".join(INSTEAD))
    assert {problem.hint for problem in hints(str(directory), ())} == set(INSTEAD.values())


def test_what_template_or_dockerfile_set_themselves_is_only_noted(project):
    directory = project(
        a_DOT_sh="echo $OPERATOR_IN_DIR $BATCH_NAME $WORKFLOW_DIR", Dockerfile="FROM x\nENV BATCH_NAME=batch\n"
    )
    assert [found[3] for found in _found(directory, ["OPERATOR_IN_DIR"])] == ["WORKFLOW_DIR"]
    noted = [problem for problem in hints(str(directory), ["OPERATOR_IN_DIR"]) if problem.severity == "info"]
    assert len(noted) == 2


def test_what_is_no_program_or_another_project_is_passed_over(project):
    directory = project(
        README_DOT_md="WORKFLOW_DIR",
        data="WORKFLOW_DIR",
        _DOT_git__hook="#!/bin/sh\nWORKFLOW_DIR",
        tests__test_DOT_py="WORKFLOW_DIR",
        other__processing_minus_container="",
        a_DOT_sh="MY_WORKFLOW_DIRECTORY",
    )
    (directory / "other" / "processing-container.json").write_text("{}")
    (directory / "other" / "run.sh").write_text("WORKFLOW_DIR")
    (directory / "binary.sh").write_bytes(b"\xff\xfeWORKFLOW_DIR")
    (directory / "large.py").write_text("WORKFLOW_DIR" + " " * 1024 * 1024)
    (directory / "link.py").symlink_to("nowhere")
    assert _found(directory) == []
