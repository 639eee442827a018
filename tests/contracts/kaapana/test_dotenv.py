"""Reading a .env file, and how templates are filled as the caller wishes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trivet.contracts import kaapana
from trivet.contracts.kaapana import dotenv
from trivet.contracts.kaapana.template_options import TemplateOptions, attach
from trivet.contracts.source import Source
from trivet.runs.sources import with_options

TASK = {"name": "t", "image": "{{ env.A }}", "taskTemplate": "x"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("# a remark\n\nexport A = x y  # remark\n", {"A": "x y"}),
        ("A='it''s'", None),
        ("A='$HOME ${B} \\n'", {"A": "$HOME ${B} \\n"}),
        ('A="two\\nlines"', {"A": "two\nlines"}),
        ('A="over\ntwo lines"\nB=1', {"A": "over\ntwo lines", "B": "1"}),
        ("A=x#y", {"A": "x#y"}),
        ("A=\nB=", {"A": "", "B": ""}),
        ("A=1\nB=${A}/${GIVEN}/${NOTHING:-else}/${NOTHING}", {"A": "1", "B": "1/given/else/"}),
        ("A=a=b", {"A": "a=b"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)
def test_lines(text, values):
    found, problems = dotenv.parsed(text, ".env", {"GIVEN": "given"})
    if values is None:
        assert [problem.code for problem in problems] == ["K034"]
    else:
        assert (found, problems) == (values, [])


def test_a_line_that_is_none_is_told_with_its_number_and_the_others_count():
    values, problems = dotenv.parsed("A=1\nnonsense\n2B=3\nC=4", "/x/.env", {})
    assert values == {"A": "1", "C": "4"}
    assert [(problem.file, problem.line, problem.severity) for problem in problems] == [
        ("/x/.env", 2, "warning"),
        ("/x/.env", 3, "warning"),
    ]


def _read(options, data=TASK):
    return kaapana.read(attach(Source("t.json", json.dumps(data), Path("/base")), options))


def test_the_environment_counts_over_the_file(monkeypatch):
    monkeypatch.setenv("A", "process")
    assert _read(TemplateOptions(env_file=(".env", "A=file"))).model.content.image == "process"
    monkeypatch.delenv("A")
    document = _read(TemplateOptions(env_file=(".env", "A=file")))
    assert document.model.content.image == "file"
    assert list(document.texts) == ["t.json"]


@pytest.mark.parametrize(
    ("undefined", "severities"),
    [(None, ["error", "warning"]), ("error", ["error", "error"]), ("empty", ["warning", "warning"])],
)
def test_undefined_variables_are_what_the_caller_wants(monkeypatch, undefined, severities):
    monkeypatch.delenv("A", raising=False)
    data = {**TASK, "image": "x{{ env.A }}", "config": {"namespace": "{{ custom.missing }}"}}
    problems = kaapana.check(_read(TemplateOptions(undefined=undefined), data))
    assert [problem.severity for problem in problems if problem.code == "K030"] == severities


def test_templating_can_be_switched_off():
    document = _read(TemplateOptions(enabled=False))
    assert document.model.content.image == "{{ env.A }}"
    again = kaapana.read(Source("t.json", document.texts["t.json"], Path("/base")))
    assert again.model.content.image == "{{ env.A }}"


def test_unknown_wishes_are_refused():
    with pytest.raises(ValueError, match="error or empty"):
        attach(Source("t.json", "{}", Path("/")), TemplateOptions(undefined="zero"))


def test_the_next_file_upward_is_found(tmp_path, monkeypatch):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / ".env").write_text("A=near\n")
    (tmp_path / ".env").write_text("A=far\n")
    monkeypatch.chdir(inner)
    monkeypatch.delenv("A", raising=False)
    source = with_options(Source("t.json", json.dumps(TASK), tmp_path), None)
    assert kaapana.read(source).model.content.image == "near"


def test_documents_without_templates_and_of_other_contracts_get_nothing(tmp_path):
    for text in (json.dumps({**TASK, "image": "a"}), '{"trivet": 1, "command": ["echo", "{{ a }}"]}'):
        assert with_options(Source("t.json", text, tmp_path), None).attachments == {}
