"""The index lists what the directories say, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trivet
from trivet.index import default_url
from trivet.index.runs import Index, IndexUnusableError
from trivet.runs.adoption import all_runs


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return default_url(tmp_path)


@pytest.fixture
def index(url: str, tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path, url)
    index.rebuild()
    yield index
    index.close()


def run(home: Path, code: int) -> str:
    task = trivet.command(["sh", "-c", f"exit {code}"], name=f"exit-{code}")
    return trivet.run(trivet.call(task), home=home).id


def test_runs_are_listed_newest_first_and_by_state(tmp_path: Path, index: Index) -> None:
    good, bad = run(tmp_path, 0), run(tmp_path, 3)
    assert index.runs() == []
    index.refresh()
    assert [row.id for row in index.runs()] == [bad, good]
    assert [row.id for row in index.runs(limit=1)] == [bad]
    [failed] = index.runs(states=["FAILED"])
    assert (failed.id, failed.reason, failed.task, failed.contract) == (bad, "exit_code", "exit-3", "command")
    assert (failed.units, failed.done, failed.failed) == (1, 1, 1)
    assert failed.ended is not None
    assert failed.created <= failed.ended
    assert index.runs(contract="kaapana") == []


def test_a_removed_run_is_forgotten_and_the_rest_rebuilt(tmp_path: Path, index: Index) -> None:
    first, second = run(tmp_path, 0), run(tmp_path, 0)
    index.refresh()
    before = index.runs()
    shutil.rmtree(tmp_path / "runs" / first)
    index.refresh()
    assert [row.id for row in index.runs()] == [second]
    index.rebuild()
    assert index.runs() == [row for row in before if row.id == second]


def test_a_damaged_run_does_not_hide_the_others(tmp_path: Path, index: Index) -> None:
    first, second = run(tmp_path, 0), run(tmp_path, 0)
    (tmp_path / "runs" / first / "run.json").write_text("{")
    index.refresh()
    assert [row.id for row in index.runs()] == [second]


def test_several_homes_share_one_database(tmp_path: Path, url: str) -> None:
    here = Index(tmp_path / "here", url)
    there = Index(tmp_path / "there", url)
    name = run(tmp_path / "here", 0)
    here.refresh()
    there.refresh()
    assert [row.id for row in here.runs()] == [name]
    assert there.runs() == []
    here.close()
    there.close()


def test_several_first_users_at_once_all_get_the_list(tmp_path: Path, url: str) -> None:
    name = run(tmp_path, 0)
    words = [sys.executable, "-m", "trivet", "runs", "--index", url, "--json"]
    environment = {"TRIVET_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    commands = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [command.communicate(timeout=60)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0, 0]
    assert all(name in output for output in outputs)
    assert len(list(all_runs(tmp_path))) == 1


def test_an_index_that_is_no_database_any_more_is_built_anew(tmp_path: Path) -> None:
    name = run(tmp_path, 0)
    (tmp_path / "index.db").write_bytes(b"this is not a database")
    index = Index(tmp_path, default_url(tmp_path))
    index.refresh()
    assert [row.id for row in index.runs()] == [name]


def test_an_index_of_another_version_is_built_anew(tmp_path: Path) -> None:
    name = run(tmp_path, 0)
    Index(tmp_path, default_url(tmp_path)).close()
    with sqlite3.connect(tmp_path / "index.db") as connection:
        connection.execute("UPDATE trivet_schema SET version = 0")
        connection.execute("ALTER TABLE trivet_runs RENAME COLUMN state TO status")
    index = Index(tmp_path, default_url(tmp_path))
    index.refresh()
    assert [row.id for row in index.runs()] == [name]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://lab:secret@127.0.0.1:1/trivet", "can't be used"),
        ("sqlite:////nowhere/at/all/index.db", "can't be used"),
        ("nonsense", "can't be used"),
        ("mysql+pymysql://h/x", "needs a driver"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(IndexUnusableError) as caught:
        Index(tmp_path, url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
