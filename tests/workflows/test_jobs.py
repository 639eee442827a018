"""Jobs as a user has them: filters, stops, continuing, retries, limits, one for each dataset, files, crashes."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trivet.datasets.images import Image
from trivet.datasets.statuses import STATUS
from trivet.engines.local import LocalEngine
from trivet.records import claims, journal
from trivet.records.directory import JobDirectory
from trivet.records.journal import Journal, NotOwnerError
from trivet.runs import events as runs
from trivet.runs.machine import Wait
from trivet.runs.options import Options
from trivet.runs.performing import Performer
from trivet.tasks.problem import ProblemsError
from trivet.tasks.states import Reason, RunState
from trivet.workflows import driver as driving
from trivet.workflows import history, start
from trivet.workflows.driver import JobDriver
from trivet.workflows.events import Within
from trivet.workflows.reporting import JobReporter, JobResult

from . import players

FULL = bool(os.environ.get("TRIVET_TEST_FULL"))


def played(tmp_path: Path, request: Any) -> tuple[JobDirectory, JobResult]:
    job = start.create(request, tmp_path)
    return job, start.drive(job)


def given(job: JobDirectory, folder: str) -> list[str]:
    """The images for which processes were started, by the files of their arguments."""
    files = sorted((job.path / folder).glob("*-args.json"))
    return [json.loads(file.read_text())["zarr_url"] for file in files]


def test_files_of_units_have_the_names_of_the_public_server(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(3))
    talk = players.task(tmp_path / "p", "parallel", meta={"parallel_tasks_per_job": 2}, name="Talk a-lot")
    single = players.task(tmp_path / "n", "non_parallel")
    job, _ = played(
        tmp_path, players.request(data, [players.step(talk, warn=True), players.step(single, reply="NOFILE")])
    )
    names = sorted(file.name for file in (job.path / "0_talk_a_lot").iterdir())
    units = ("par-000000-0000000", "par-000000-0000001", "par-000001-0000002")
    assert names == sorted(f"{unit}-{what}" for unit in units for what in ("args.json", "log.txt", "metadiff.json"))
    assert [file.name for file in (job.path / "1_play").iterdir()] == ["non_par--args.json"]
    arguments = json.loads((job.path / "1_play/non_par--args.json").read_text())
    assert arguments == {"zarr_dir": "/zd", "zarr_urls": [f"/zd/i{n:06d}" for n in range(3)], "reply": "NOFILE"}
    [unit, *_] = history.units(job, 0)
    assert (unit.state, unit.zarr_url, unit.warned) == ("done", "/zd/i000000", True)
    assert unit.log is not None
    assert unit.log.read_text() == "a WaRniNG about nothing\n"


def test_a_job_runs_from_its_record_alone(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    folder = tmp_path / "p"
    task = players.task(folder, "parallel", output_types={"seen": True})
    job = start.create(players.request(data, [players.step(task)]), tmp_path)
    (folder / "__FRACTAL_MANIFEST__.json").write_text("{}")
    assert start.drive(job).state is RunState.FINISHED
    assert data.read().images["/zd/i000000"].types == {"seen": True}


def test_an_empty_selection_fails_the_job_before_the_step_and_keeps_what_was_done(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(2))
    first = players.step(players.task(tmp_path / "a", "parallel", output_types={"flat": True}))
    second = players.step(players.task(tmp_path / "b", "parallel", input_types={"flat": False}, name="Deep"))
    job, result = played(tmp_path, players.request(data, [first, second], attribute_filters={}))
    assert result.state is RunState.FAILED
    assert result.message.startswith("Cannot run task 'Deep' for an empty image list (obtained after applying type_fi")
    assert result.step == 1
    assert all(image.types == {"flat": True} for image in data.read().images.values())
    assert [step.state for step in history.read(job).steps] == ["done", "failed"]
    assert not list(job.path.glob("1_*"))


def test_images_are_chosen_by_status_once_and_the_order_is_kept(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(4))
    task = players.task(tmp_path / "p", "parallel")
    failing = players.step(task, replies={"/zd/i000001": "FAIL", "/zd/i000002": "FAIL"})
    played(tmp_path, players.request(data, [failing]))
    derived = {"/zd/i000001": {"image_list_updates": [{"zarr_url": "/zd/new", "origin": "/zd/i000001"}]}}
    again = [players.step(task, replies=derived), players.step(task)]
    asked = players.request(data, again, attribute_filters={STATUS: ["failed"]})
    job, result = played(tmp_path, asked)
    assert result.state is RunState.FINISHED
    assert given(job, "0_play") == ["/zd/i000001", "/zd/i000002"]
    # What the first step made takes the status of what it was made of, although that is done by now.
    assert given(job, "1_play") == ["/zd/i000001", "/zd/i000002", "/zd/new"]
    images = data.read().images
    assert list(images) == [*(f"/zd/i{n:06d}" for n in range(4)), "/zd/new"]
    assert not any(image.attributes for image in images.values())


def test_removed_images_lose_their_status(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(2))
    task = players.task(tmp_path / "p", "parallel")
    reply = {"image_list_removals": ["/zd/i000001"]}
    played(tmp_path, players.request(data, [players.step(task, replies={"/zd/i000001": reply})]))
    assert history.statuses(data.path, "w", 0, "Play") == {"/zd/i000000": "done"}


def test_continuing_a_failure_does_the_rest_of_its_step_and_everything_after(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, [Image(f"/zd/i{n}", types={"raw": True}) for n in range(3)])
    first = players.step(players.task(tmp_path / "a", "parallel", {"raw": True}, {"raw": False}))
    flag = tmp_path / "dead"
    second = players.step(players.task(tmp_path / "b", "parallel", name="Then"), die={"file": str(flag), "times": 1})
    third = players.step(players.task(tmp_path / "c", "parallel", output_types={"end": True}, name="Last"))
    (tmp_path / "dead-i0").write_text("x")
    (tmp_path / "dead-i2").write_text("x")
    job, result = played(tmp_path, players.request(data, [first, second, third], type_filters={"raw": True}))
    assert (result.state, result.reason, result.step) == (RunState.FAILED, Reason.EXIT_CODE, 1)
    assert "unit par-000000-0000001: ended by signal 9" in result.message
    asked = start.continued(job)
    assert (asked.first, asked.last, dict(asked.type_filters)) == (1, 2, {"raw": False})
    again, result = played(tmp_path, asked)
    assert result.state is RunState.FINISHED
    assert given(again, "1_then") == ["/zd/i1"]
    assert given(again, "2_last") == ["/zd/i0", "/zd/i1", "/zd/i2"]
    assert history.statuses(data.path, "w", 1, "Then") == {f"/zd/i{n}": "done" for n in range(3)}
    with pytest.raises(ProblemsError, match="ended well"):
        start.continued(again)


class Stopping(JobReporter):
    """Stops its job when so many units of a step are over."""

    def __init__(self, step: int, done: int) -> None:
        self.driver: JobDriver | None = None
        self._at = (step, done)

    def progress(self, step: int, done: int, failed: int, total: int) -> None:
        if (step, done) >= self._at and self.driver is not None:
            self.driver.stop()


def stopped(job: JobDirectory, step: int, done: int) -> JobResult:
    reporter = Stopping(step, done)
    options = Options(slots=1, grace=0.2)
    reporter.driver = JobDriver(job, start.engine_for(options, job.path), reporter)
    return reporter.driver.run()


def test_a_stopped_job_keeps_what_was_done_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(3))
    gate = tmp_path / "gate"
    task = players.task(tmp_path / "p", "parallel", output_types={"done": True}, meta={"parallel_tasks_per_job": 1})
    waiting = players.step(task, gate=str(gate))
    asked = players.request(data, [players.step(task), waiting], Options(slots=1, grace=0.2))
    job = start.create(asked, tmp_path)
    result = stopped(job, 1, 0)
    assert (result.state, result.reason, result.step) == (RunState.CANCELLED, Reason.CANCELLED, 1)
    [first, second] = history.read(job).steps
    assert (first.state, first.done) == ("done", 3)
    assert (second.state, second.units, second.done) == ("stopped", 3, 0)
    units = history.units(job, 1)
    assert {(unit.state, unit.reason) for unit in units} == {("failed", "cancelled")}
    assert units[2].message == "stopped before it was started"
    gate.touch()
    again, result = played(tmp_path, start.continued(job))
    assert result.state is RunState.FINISHED
    assert len(given(again, "1_play")) == 3
    assert not (again.path / "0_play").exists()


def test_a_request_stops_a_job_from_outside(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    task = players.task(tmp_path / "p", "parallel")
    asked = players.request(data, [players.step(task, gate=str(tmp_path / "never"))], Options(slots=1, grace=0.2))
    job = start.create(asked, tmp_path)
    job.ask("cancel")
    assert start.drive(job).message == "cancelled on request"


@pytest.mark.parametrize(("retries", "state", "attempts"), [(1, RunState.FAILED, 2), (2, RunState.FINISHED, 3)])
def test_units_that_ran_out_of_time_are_started_again_with_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: int, state: RunState, attempts: int
) -> None:
    monkeypatch.setattr("trivet.runs.retrying.LONGEST", 0.01)
    data = players.dataset(tmp_path, players.numbered(1))
    task = players.task(tmp_path / "p", "parallel")
    flag = tmp_path / "flag"
    # It takes a second and a half: too long for 0.4 and 0.8 seconds.
    asked = players.request(
        data, [players.step(task, pause=1.2, trace=str(flag))], Options(retries=retries, time_limit=0.5, grace=0.1)
    )
    job, result = played(tmp_path, asked)
    assert result.state is state
    [unit] = history.units(job, 0)
    assert unit.attempts == attempts
    starts = [line for line in flag.read_text().splitlines() if line.startswith("/zd")]
    assert len(starts) == attempts
    names = {file.name for file in (job.path / "0_play").glob("*-args.json")}
    later = {f"par-000000-0000000-{n}-args.json" for n in range(2, attempts + 1)}
    assert names == {"par-000000-0000000-args.json", *later}
    assert "started again after its time was up: it has 1 s now" in job.workflow_log.read_text()


def test_an_exit_code_is_no_reason_to_start_again(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    task = players.task(tmp_path / "p", "parallel")
    job, result = played(tmp_path, players.request(data, [players.step(task, default="FAIL")], Options(retries=3)))
    assert result.reason is Reason.EXIT_CODE
    assert history.units(job, 0)[0].attempts == 1


def test_a_limit_holds_at_every_moment_and_slots_do_not_stay_empty(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(12))
    trace = tmp_path / "trace"
    limited = players.task(tmp_path / "p", "parallel", meta={"parallel_tasks_per_job": 2})
    other = players.task(tmp_path / "q", "parallel", meta={"parallel_tasks_per_job": 3})
    steps = [players.step(limited, trace=str(trace), pause=0.05), players.step(other, trace=str(trace), pause=0.05)]
    _, result = played(tmp_path, players.request(data, steps, Options(slots=8)))
    assert result.state is RunState.FINISHED
    assert [most(lines) for lines in halves(trace.read_text().splitlines())] == [2, 3]


def halves(lines: list[str]) -> tuple[list[str], list[str]]:
    assert len(lines) == 48
    return lines[:24], lines[24:]


def most(lines: list[str]) -> int:
    running = largest = 0
    for line in sorted(lines, key=lambda line: float(line.split()[1])):
        running += -1 if line.startswith("end") else 1
        largest = max(largest, running)
    return largest


def test_a_dataset_has_one_job_at_a_time(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    asked = players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))])
    job = start.create(asked, tmp_path)
    with pytest.raises(ProblemsError, match=f"job {job.id} is on dataset ds"):
        start.create(asked, tmp_path)
    start.drive(job)
    start.drive(start.create(asked, tmp_path))
    assert len(list((tmp_path / "jobs").iterdir())) == 2


def test_of_jobs_created_at_once_one_gets_the_dataset(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    asked = players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))])
    together, made, refused = threading.Barrier(8), [], []

    def attempt() -> None:
        together.wait()
        try:
            made.append(start.create(asked, tmp_path))
        except ProblemsError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(refused) == 7
    assert all("is on dataset ds" in message for message in refused)
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [made[0].id]
    assert claims.holder(data.path)[1] == made[0]


def orphan(job: JobDirectory) -> None:
    """Let it look as if the process that asked for the job had died."""
    stored = job.read()
    stored["asked_by"]["start"] = "0"
    job.write(stored)


def test_a_job_whose_process_died_is_ended_by_the_next_one(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    asked = players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))])
    dead = start.create(asked, tmp_path)
    orphan(dead)
    assert history.read(dead).state == "LOST"
    _, result = played(tmp_path, asked)
    assert result.state is RunState.FINISHED
    told = history.read(dead)
    assert (told.state, told.result and told.result.reason) == ("FAILED", Reason.LOST)
    assert "its driver died" in dead.workflow_log.read_text()


def test_a_job_that_never_got_its_dataset_gives_way(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    asked = players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))])
    early = start.create(asked, tmp_path)
    (data.path / "jobs/1.json").unlink()  # its process died before it said so
    late = start.create(asked, tmp_path)
    with pytest.raises(NotOwnerError, match=late.id):
        start.drive(early)
    start.drive(late)
    assert start.drive(early).state is RunState.FINISHED


def test_a_job_may_be_reached_by_a_link(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    job = start.create(players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))]), tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "jobs")
    assert start.drive(JobDirectory(tmp_path / "link" / job.id)).state is RunState.FINISHED


def test_detached_jobs_run_to_their_end(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(2))
    job = start.create(players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))]), tmp_path)
    process = start.detach(job)
    assert process.wait(60) == 0
    assert history.read(job).state == "FINISHED"


def test_an_image_taken_out_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(3))
    task = players.task(tmp_path / "p", "parallel", output_types={"done": True})

    class Removing(JobReporter):
        def step_started(self, step: int, name: str, images: int) -> None:
            data.edit(lambda now: {url: one for url, one in now.items() if url != "/zd/i000001"}, 2.0, {"by": "me"})

    job = start.create(players.request(data, [players.step(task)]), tmp_path)
    assert start.drive(job, Removing()).state is RunState.FINISHED
    assert list(data.read().images) == ["/zd/i000000", "/zd/i000002"]


def test_unknown_origins_and_refused_units_are_told(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(2))
    task = players.task(tmp_path / "p", "parallel")
    replies = {
        "/zd/i000000": {"image_list_updates": [{"zarr_url": "/zd/new", "origin": "/zd/nobody"}]},
        "/zd/i000001": {"image_list_updates": [{"zarr_url": "/elsewhere"}]},
    }
    job, result = played(tmp_path, players.request(data, [players.step(task, replies=replies)]))
    assert (result.state, result.reason) == (RunState.FAILED, Reason.INVALID_OUTPUT)
    log = job.workflow_log.read_text()
    assert "WARNING origin /zd/nobody is not in the image list" in log
    assert "ERROR unit par-000000-0000001: invalid output: new image /elsewhere must be below" in log
    assert list(data.read().images) == ["/zd/i000000", "/zd/i000001", "/zd/new"]
    assert history.statuses(data.path, "w", 0, "Play") == {"/zd/i000000": "done", "/zd/i000001": "failed"}


def test_what_units_say_is_kept_whatever_it_is(tmp_path: Path) -> None:
    half, strange = "\ud800", "/zd/\udcff"
    data = players.dataset(tmp_path, players.numbered(2))
    replies = {
        "/zd/i000000": {"image_list_updates": [{"zarr_url": strange, "attributes": {"a": half}}]},
        "/zd/i000001": {half: 1},
    }
    step = players.step(players.task(tmp_path / "p", "parallel"), replies=replies)
    job, result = played(tmp_path, players.request(data, [step]))
    assert half in result.message
    assert history.read(job).result == result
    assert data.read().images[strange].attributes == {"a": half}


def test_a_driver_that_was_taken_for_dead_writes_no_result(tmp_path: Path) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    job = start.create(players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))]), tmp_path)

    class Following(JobReporter):
        def step_ended(self, step: int, name: str, units: int, failed: int, images: int) -> None:
            Journal(job.journal, 1)

    with pytest.raises(NotOwnerError):
        start.drive(job, Following())
    assert "result" not in job.read()


class DiedError(BaseException):
    """The driver dies here."""


def killed_at(kind: type, job: JobDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drive a job until its driver dies, right before it takes the first event of that kind from a unit."""

    def dying(self: JobDriver, event: Any, *more: Any) -> None:
        if isinstance(event, Within) and isinstance(event.event, kind):
            self._journal.write()
            raise DiedError
        take(self, event, *more)

    take = JobDriver._take
    monkeypatch.setattr("trivet.records.owner.Owner.alive", property(lambda self: False))
    with monkeypatch.context() as patch:
        patch.setattr(JobDriver, "_take", dying)
        with pytest.raises(DiedError):
            start.drive(job)


def test_a_unit_that_waits_to_be_started_again_is_started_by_the_next_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trivet.runs.retrying.LONGEST", 0.01)
    data = players.dataset(tmp_path, players.numbered(1))
    gate = tmp_path / "gate"
    step = players.step(players.task(tmp_path / "p", "parallel"), gate=str(gate))
    job = start.create(players.request(data, [step], Options(retries=1, time_limit=1.0, grace=0.0)), tmp_path)
    killed_at(runs.Again, job, monkeypatch)
    gate.touch()
    assert start.drive(job).state is RunState.FINISHED
    assert [unit.attempts for unit in history.units(job, 0)] == [2]


def test_after_a_stop_nobody_tells_that_a_unit_is_started_again() -> None:
    told: list[Any] = []
    machine = SimpleNamespace(flying=(), stopped=None)
    nothing: Any = None
    progress: Any = SimpleNamespace(machine=machine)
    performer = Performer(progress, nothing, nothing, told.append, lambda: None, nothing)
    performer.perform(Wait(0, 0.0))
    performer.look()
    assert [event.unit for event in told] == [0]
    performer.perform(Wait(1, 0.0))
    machine.stopped = runs.Stopped(1.0, Reason.CANCELLED, "")
    performer.look()
    assert len(told) == 1
    assert performer.due is None


def test_ending_a_job_whose_driver_died_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = players.dataset(tmp_path, players.numbered(3))
    trace = tmp_path / "trace"
    step = players.step(players.task(tmp_path / "p", "parallel"), trace=str(trace))
    job = start.create(players.request(data, [step]), tmp_path)

    def unreachable(self: LocalEngine, attempts: Any) -> None:
        raise DiedError

    monkeypatch.setattr("trivet.records.owner.Owner.alive", property(lambda self: False))
    with monkeypatch.context() as patch:
        patch.setattr(LocalEngine, "submit", unreachable)
        with pytest.raises(DiedError):
            start.drive(job)
    assert start.abandon(job, "nobody wants it").reason is Reason.LOST
    assert not trace.exists()
    assert {unit.state for unit in history.units(job, 0)} == {"failed"}


def test_a_job_that_can_not_claim_its_dataset_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = players.dataset(tmp_path, players.numbered(1))
    asked = players.request(data, [players.step(players.task(tmp_path / "p", "parallel"))])

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(claims, "claim", full)
    with pytest.raises(OSError, match="No space left"):
        start.create(asked, tmp_path)
    assert list((tmp_path / "jobs").iterdir()) == []


def reference(tmp_path: Path) -> tuple[list[str], int]:
    """What an undisturbed job leaves, and how many lines its journal has."""
    data, job = three_steps(tmp_path)
    assert start.drive(job).state is RunState.FINISHED
    return listed(data), len(list(journal.read(job.journal)))


def three_steps(tmp_path: Path) -> tuple[Any, JobDirectory]:
    tmp_path.mkdir(exist_ok=True)
    data = players.dataset(tmp_path, players.numbered(2))
    item = {"zarr_url": "/zd/made", "init_args": {"k": 1}}
    made = {"image_list_updates": [{"zarr_url": "/zd/made", "origin": "/zd/i000000", "attributes": {"n": 1}}]}
    trace = str(tmp_path / "trace")
    steps = [
        players.step(players.task(tmp_path / "a", "parallel", output_types={"one": True}), trace=trace),
        players.step(
            players.task(tmp_path / "b", "compound", output_types={"two": True}),
            reply={"parallelization_list": [item]},
            replies={"/zd/made#1": made},
            trace=trace,
        ),
        players.step(
            players.task(tmp_path / "c", "non_parallel"), reply={"image_list_removals": ["/zd/i000001"]}, trace=trace
        ),
    ]
    asked = players.request(data, steps, attribute_filters={STATUS: ["unset"]})
    return data, start.create(asked, tmp_path)


def listed(data: Any) -> list[str]:
    return [repr(image) for image in data.read().images.values()]


def test_killed_at_every_position_of_the_journal_it_comes_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, lines = reference(tmp_path / "whole")
    assert lines > 20
    take = JobDriver._take
    monkeypatch.setattr("trivet.records.owner.Owner.alive", property(lambda self: False))
    for position in range(0, lines, 1 if FULL else 4):
        data, job = three_steps(tmp_path / str(position))
        left = [position]

        def dying(self: JobDriver, event: Any, *more: Any, left: list[int] = left) -> None:
            if left[0] == 0:
                self._journal.write()
                raise DiedError
            left[0] -= 1
            take(self, event, *more)

        monkeypatch.setattr(driving.JobDriver, "_take", dying)
        with pytest.raises(DiedError):
            start.drive(job)
        monkeypatch.setattr(driving.JobDriver, "_take", take)
        assert start.drive(job).state is RunState.FINISHED
        assert listed(data) == expected
        starts = [line for line in (tmp_path / str(position) / "trace").read_text().splitlines() if line[:3] != "end"]
        assert len(starts) == 5, starts
        told = history.read(job)
        assert [(step.units, step.done) for step in told.steps] == [(2, 2), (2, 2), (1, 1)]
