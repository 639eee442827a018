"""Files that are no documents: each gets a clear message and exit code 1, and never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import CONTAINER, Trivet, written


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**9)


def private(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0)


CASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("x.json", lambda path: None, "error T001 the file does not exist"),
    "missing without suffix": ("dir/x", lambda path: None, "error T012 this is neither a file or directory, nor"),
    "empty": ("x.json", lambda path: path.write_text(""), "error T002 the file is empty"),
    "blank": ("x.yml", lambda path: path.write_text(" \n"), "error T002 the file is empty"),
    "only a comment": ("x.yml", lambda path: path.write_text("# nothing\n"), "error T010 this is not a task document"),
    "binary": ("x.json", lambda path: path.write_bytes(b"\x7fELF" + bytes(64)), "error T003 the file is binary"),
    "gigabyte": ("x.json", sparse, "error T004 the file has 1,000,000,000 bytes"),
    "utf-16": ("x.json", lambda path: path.write_text("{}", "utf-16"), "error T003 the file is UTF-16 text"),
    "latin-1": (
        "x.json",
        lambda path: path.write_text('{"é": 1}', "latin-1"),
        ":1:3: error T003 the file is not",
    ),
    "deep json": (
        "x.json",
        lambda path: path.write_text("[" * 10**6),
        ":1:101: error T006 nested more than",
    ),
    "deep yaml": (
        "x.yml",
        lambda path: path.write_text("- " * 10**4),
        ":1:201: error T006 nested more than",
    ),
    "cyclic yaml": ("x.yml", lambda path: path.write_text("a: &a [*a]"), ":1:8: error T007 alias *a contains itself"),
    "broken json": ("x.json", lambda path: path.write_text('{"a":\n 1,}'), ":2:3: error T005 not valid JSON"),
    "broken yaml": ("x.yml", lambda path: path.write_text("a: [1\nb: 2"), ":2:2: error T005 not valid YAML"),
    "two documents": ("x.yml", lambda path: path.write_text("a: 1\n---\nb: 2"), ":2:1: error T005 not valid YAML"),
    "a list": ("x.json", lambda path: path.write_text("[1, 2]"), ":1:1: error T010 this is not a task document"),
    "a number": ("x.json", lambda path: path.write_text("5"), ":1:1: error T010 this is not a task document"),
    "no command": ("x.json", lambda path: path.write_text('{"trivet": 1}'), ":1:1: error R005 `command` must name a"),
    "broken link": ("x.json", lambda path: path.symlink_to("nowhere"), "error T001 the link leads nowhere"),
    "named pipe": ("x.json", os.mkfifo, "error T001 this is not a regular file"),
    "long name": ("n" * 5000 + ".json", lambda path: None, "error T001 the file can't be read: File name too long"),
    "no zip": ("x.zip", lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c"), "error C100"),
    "no wheel": ("x.whl", lambda path: path.write_bytes(b"PK"), "error T015 the wheel can't be read"),
    "missing wheel": ("x.whl", lambda path: None, "error T001 the file does not exist"),
    "empty directory": ("x", lambda path: path.mkdir(), "error T011 no task document was found in this directory"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_document_is_refused_with_a_reason(trivet: Trivet, tmp_path: Path, case: str) -> None:
    name, make, words = CASES[case]
    make(tmp_path / name)
    done = trivet("check", name)
    assert done.returncode == 1
    assert name.split("/")[0] in done.stdout
    assert words in done.stdout
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("case", ["missing", "binary", "broken json", "empty directory", "long name"])
def test_show_refuses_them_as_well_and_prints_nothing_on_stdout(trivet: Trivet, tmp_path: Path, case: str) -> None:
    name, make, words = CASES[case]
    make(tmp_path / name)
    done = trivet("show", "--json", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr


def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    written(tmp_path / "open/processing-container.json", CONTAINER)
    private(tmp_path / "secret.json")
    (tmp_path / "closed").mkdir(mode=0o000)
    powerless: list[str] = []
    if os.geteuid() == 0:  # root reads everything, unless it gives up the right to
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is needed to take root's rights away")
        powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    command = [*powerless, sys.executable, "-m", "trivet", "check", ".", "secret.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "closed: error T001 the directory can't be read: Permission denied" in done.stdout
    assert "secret.json: warning T001 the file can't be read: Permission denied" in done.stdout  # found by walking
    assert "secret.json: error T001 the file can't be read: Permission denied" in done.stdout  # named
    assert "ok kaapana container open/processing-container.json" in done.stdout
