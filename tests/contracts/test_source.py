"""Reading the text of a document from a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trivet.contracts.source import MAX_BYTES, Source, decode, load
from trivet.tasks.problem import Problem, ProblemsError


def refusal(path: Path) -> Problem:
    with pytest.raises(ProblemsError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    return problem


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b"", "T002", "the file is empty"),
        (b" \n\t", "T002", "the file is empty"),
        ('{"a": 1}'.encode("utf-16"), "T003", "the file is UTF-16 text"),
        ('{"a": 1}'.encode("utf-16-le"), "T003", "the file is UTF-16 text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "T003", "the file is binary, not text"),
        (b'{"a":\n "\xe9"}', "T003", "the file is not UTF-8 text (byte 0xe9)"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, raw: bytes, code: str, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(raw)
    problem = refusal(path)
    assert (problem.code, problem.message) == (code, words)
    if "0xe9" in words:
        assert (problem.line, problem.column) == (2, 3)


def test_a_byte_order_mark_of_utf8_is_no_fault() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1}', "x") == '{"a": 1}'


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to("nowhere")
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert refusal(tmp_path / "pipe.json").message == "this is not a regular file"
    assert refusal(tmp_path / "gone.json").message == "the link leads nowhere"
    assert refusal(tmp_path / "loop.json").message.startswith("the file can't be read: ")
    assert refusal(tmp_path).message == "this is a directory, not a document"
    assert refusal(tmp_path / "none.json").message == "the file does not exist"
    assert refusal(tmp_path / ("n" * 5000)).message.startswith("the file can't be read: ")


def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(10**9)
    problem = refusal(path)
    assert problem.code == "T004"
    assert "1,000,000,000 bytes" in problem.message
    assert f"{MAX_BYTES:,}" in problem.message


@pytest.mark.parametrize(
    ("name", "text", "yaml"),
    [("a.json", "x: 1", False), ("a.YML", '{"x": 1}', True), ("a.txt", ' {"x": 1}', False), ("a.txt", "x: 1", True)],
)
def test_the_form_is_seen_by_the_name_and_else_by_the_text(name: str, text: str, yaml: bool) -> None:
    source = Source(name, text, Path("/"))
    assert source.is_yaml is yaml
    assert source.data == (None if name == "a.json" else {"x": 1})


def test_a_source_keeps_everything_that_is_needed_to_read_it_again(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    source = load(tmp_path / "x.json", "shown.json")
    assert source.base == tmp_path
    assert source.texts == {"shown.json": "{}"}
