"""Journals: what survives torn lines, former owners, full disks and other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from trivet.records import journal
from trivet.records.directory import RunDirectory
from trivet.records.journal import Journal, NotOwnerError
from trivet.records.owner import Owner


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    writer = Journal(tmp_path / "journal", 0)
    for number in range(3):
        writer.append({"e": number, "text": "a\nb « ü \udcff \ud800"})
    writer.close()
    lines = list(journal.read(tmp_path / "journal"))
    assert [line["e"] for line in lines] == [0, 1, 2]
    assert lines[0]["text"] == "a\nb « ü \udcff \ud800"
    assert journal.last_owner(tmp_path / "journal") == (1, Owner.this_process())


def test_an_absent_journal_is_empty(tmp_path: Path) -> None:
    assert list(journal.read(tmp_path / "nothing")) == []
    assert journal.last_owner(tmp_path / "nothing") == (0, None)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    writer = Journal(tmp_path, 0)
    writer.append({"e": "whole"})
    writer.close()
    with writer.path.open("ab") as stream:
        stream.write(b'{"e":"to')
    assert list(journal.read(tmp_path)) == [{"e": "whole"}]


def test_what_a_former_owner_writes_late_does_not_count(tmp_path: Path) -> None:
    first = Journal(tmp_path, 0)
    first.append({"e": "in time"})
    first.write()
    second = Journal(tmp_path, 1)
    first.append({"e": "too late"})
    first.write()
    second.append({"e": "next"})
    second.write()
    assert list(journal.read(tmp_path)) == [{"e": "in time"}, {"e": "next"}]
    assert first.superseded
    assert not second.superseded
    third = Journal(tmp_path, 2)
    assert third.generation == 3
    assert list(journal.read(tmp_path)) == [{"e": "in time"}, {"e": "next"}]


def test_of_two_who_want_the_same_generation_one_gets_it(tmp_path: Path) -> None:
    Journal(tmp_path, 0)
    with pytest.raises(NotOwnerError):
        Journal(tmp_path, 0)


def test_a_run_is_claimed_only_from_the_dead(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.claim().close()
    with pytest.raises(NotOwnerError, match=f"driven by process {os.getpid()}"):
        run.claim()
    rewrite_owner(run.journal / "1.jsonl", start="long ago")
    assert run.claim().generation == 2


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"x" * 512):
            pass


def test_the_reserve_lets_a_full_disk_be_recorded(small_disk: Path) -> None:
    writer = Journal(small_disk / "journal", 0)
    fill(small_disk)
    writer.append({"e": "stopped", "m": "the disk is full"})
    writer.sync()
    assert list(journal.read(small_disk / "journal")) == [{"e": "stopped", "m": "the disk is full"}]


def test_an_owner_is_alive_until_its_process_ends() -> None:
    code = """
import sys, json
from trivet.records.owner import Owner
print(json.dumps(Owner.this_process().to_json()), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        owner = Owner.from_json(json.loads(child.stdout.readline()))
        assert owner.alive is True
        child.kill()
        child.wait()
        assert owner.alive is False


def test_a_reused_process_number_is_not_the_same_owner() -> None:
    now = Owner.this_process()
    assert Owner(now.host, now.boot, now.pid, now.start + "1").alive is False
    assert Owner(now.host, "another boot", now.pid, now.start).alive is False
    assert Owner("elsewhere", now.boot, now.pid, now.start).alive is None


def test_the_owner_on_another_machine_is_judged_by_its_sign_of_life(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.claim().close()
    rewrite_owner(run.journal / "1.jsonl", host="elsewhere")
    assert run.owner_alive()
    old = (run.path / "alive").stat().st_mtime - 61
    os.utime(run.path / "alive", (old, old))
    assert not run.owner_alive()


def test_a_run_that_nobody_drives_yet_belongs_to_who_asked_for_it(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert run.owner_alive()
    record = run.read()
    record["asked_by"]["start"] = "long ago"
    run.write(record)
    assert not run.owner_alive()


def new_run(home: Path) -> RunDirectory:
    return RunDirectory.create(home, 0.0, lambda name: {"format": 1, "asked_by": Owner.this_process().to_json()})


def rewrite_owner(path: Path, **changes: str) -> None:
    header = json.loads(path.read_text())
    header["owner"].update(changes)
    path.write_text(json.dumps(header) + "\n")


def test_a_record_of_another_format_is_refused(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, 0.0, lambda name: {"format": 99})
    with pytest.raises(ValueError, match="format 99; this version of Trivet reads 1"):
        run.read()
    (run.path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        run.read()


def test_runs_of_one_moment_get_names_of_their_own_that_sort(tmp_path: Path) -> None:
    moment = 1_800_000_000.999999
    names = [RunDirectory.create(tmp_path, moment, lambda name: {"id": name}).id for _ in range(3)]
    assert names == sorted(set(names))
    assert json.loads((tmp_path / "runs" / names[2] / "run.json").read_text()) == {"id": names[2]}
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == names


def test_a_record_that_cannot_be_made_leaves_no_directory(tmp_path: Path) -> None:
    def fails(name: str) -> dict[str, int]:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        RunDirectory.create(tmp_path, 0.0, fails)
    assert list((tmp_path / "runs").iterdir()) == []
