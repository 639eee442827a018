"""What is told before a job starts: arguments, programs, types, images, places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.datasets.exchange import Content
from trivet.datasets.images import Image
from trivet.datasets.statuses import STATUS
from trivet.engines import hardware
from trivet.records.datasets import DatasetDirectory
from trivet.runs.options import Options
from trivet.tasks.problem import Problem
from trivet.workflows import preflight
from trivet.workflows.resolving import Found, resolve
from trivet.workflows.selection import Asked, filters_before

from .registered import BLUR, PROJECT, register, schema, task, workflow

GOOD = {"args_parallel": {"size": 1}}
SITE = json.dumps(
    {
        "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": 100},
        "batching_config": {
            f"{which}_{what}": 4 for which in ("target", "max") for what in ("cpus_per_job", "mem_per_job", "num_jobs")
        },
    }
)


class Bench:
    """Looks at workflows of the small package on images of a directory that is there."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.home = tmp_path / "home"
        self.zarr_dir = tmp_path / "z"
        self.zarr_dir.mkdir()
        self.package = register(self.home, tmp_path)

    def images(self, *types: dict[str, bool]) -> dict[str, Image]:
        found = [
            Image(f"{self.zarr_dir}/{index}", attributes={"well": f"B{index}"}, types=each)
            for index, each in enumerate(types)
        ]
        for image in found:
            Path(image.zarr_url).mkdir(exist_ok=True)
        return {image.zarr_url: image for image in found}

    def found(self, *entries: dict[str, Any]) -> list[Found]:
        found, problems = resolve(workflow(*entries), self.home)
        assert problems == []
        return found

    def look(self, *entries: dict[str, Any], images: Any = None, **more: Any) -> preflight.Preflight:
        found = self.found(*entries)
        images = self.images({}) if images is None else images
        asked = Asked(
            found,
            more.pop("first", 0),
            more.pop("last", len(found) - 1),
            images,
            more.pop("zarr_dir", str(self.zarr_dir)),
            **more,
        )
        return preflight.look(asked, self.home, "mine")

    def told(self, *entries: dict[str, Any], **more: Any) -> list[tuple[str, str, tuple[str | int, ...]]]:
        found = self.look(*entries, **more).problems
        return [(problem.code, problem.severity, problem.path[2:]) for problem in found if problem.severity != "info"]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(preflight, "LITTLE", 0)
    return Bench(tmp_path)


def only(problems: tuple[Problem, ...]) -> Problem:
    problems = tuple(problem for problem in problems if problem.severity != "info")
    assert len(problems) == 1, problems
    return problems[0]


# Arguments


def test_a_job_without_a_fault_has_nothing_to_be_told(bench: Bench) -> None:
    found = bench.look(task("Blur", **GOOD))
    assert found.problems == ()
    assert [(row.name, row.images, row.exact) for row in found.rows] == [("Blur", 1, True)]


def test_every_argument_that_its_schema_refuses_is_told_at_its_place(bench: Bench) -> None:
    given = {"size": "x", "mode": "slow", "sise": 1}
    assert bench.told(task("Blur", args_parallel=given)) == [
        ("W032", "error", ("args_parallel", "size")),
        ("W032", "error", ("args_parallel", "mode")),
        ("W031", "error", ("args_parallel", "sise")),
    ]


def test_what_the_runner_supplies_is_not_missed_but_what_it_does_not(bench: Bench) -> None:
    problem = only(bench.look(task("Blur")).problems)
    assert (problem.code, problem.path) == ("W030", ("task_list", 0, "args_parallel"))
    assert "lacks `size`" in problem.message


def test_arguments_are_let_be_where_that_is_wanted(bench: Bench) -> None:
    entry = task("Blur", args_parallel={"size": "x", "other": 1})
    assert bench.look(entry, validate=False).problems == ()
    assert "--no-validate-args" in bench.look(entry).problems[-1].hint


def test_only_the_steps_of_the_job_are_looked_at(bench: Bench) -> None:
    assert bench.told(task("Blur"), task("Blur", **GOOD), first=1) == []


def test_arguments_of_a_part_that_the_task_does_not_have_are_told(bench: Bench) -> None:
    entry = task("Blur", **GOOD, args_non_parallel={"size": 1})
    assert bench.told(entry) == [("W043", "warning", ("args_non_parallel",))]


def test_a_tagged_union_is_told_by_its_member(tmp_path: Path, bench: Bench) -> None:
    method = {
        "oneOf": [
            {"properties": {"kind": {"const": "a"}, "level": {"type": "integer"}}, "required": ["kind", "level"]},
            {"properties": {"kind": {"const": "b"}}, "required": ["kind"]},
        ]
    }
    entry = {**BLUR, "args_schema_parallel": schema(method=method)}
    register(bench.home, tmp_path, "2.0", entries=[entry])
    given = {"method": {"kind": "a", "level": "high"}}
    assert bench.told(task("Blur", "2.0", args_parallel=given)) == [
        ("W032", "error", ("args_parallel", "method", "level"))
    ]
    problem = only(bench.look(task("Blur", "2.0", args_parallel={"method": {"kind": "c"}})).problems)
    assert '"a" was expected; or "b" was expected' in problem.message


def test_a_schema_that_leads_outside_is_never_followed(tmp_path: Path, bench: Bench) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"type": "integer"}')
    found = bench.found(task("Blur", args_parallel={"size": "x"}))[0]
    from dataclasses import replace

    from trivet.workflows.arguments import faults

    part = replace(found.parts[0], schema={"properties": {"size": {"$ref": f"file://{secret}"}}})
    [problem] = faults(replace(found, parts=(part,)))
    assert (problem.code, problem.severity) == ("W033", "warning")


def test_paths_that_must_exist_are_looked_for(tmp_path: Path, bench: Bench) -> None:
    properties = {
        "folder": {"type": "string", "format": "directory-path"},
        "table": {"anyOf": [{"type": "string", "format": "file-path"}, {"type": "null"}]},
        "new": {"type": "string", "format": "path"},
    }
    register(bench.home, tmp_path, "2.0", entries=[{**BLUR, "args_schema_parallel": schema(**properties)}])
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    good = {"folder": f"{tmp_path}/there", "table": f"{tmp_path}/file", "new": "not-yet"}
    assert bench.told(task("Blur", "2.0", args_parallel=good)) == []
    assert bench.told(task("Blur", "2.0", args_parallel={"table": None})) == []
    bad = {"folder": f"{tmp_path}/file", "table": "there"}
    assert bench.told(task("Blur", "2.0", args_parallel=bad)) == [
        ("W035", "error", ("args_parallel", "folder")),
        ("W035", "error", ("args_parallel", "table")),
    ]
    assert bench.told(task("Blur", "2.0", args_parallel=bad), validate=False) == []


# Programs and machines


def test_an_inactive_package_is_refused(bench: Bench) -> None:
    bench.package.write({**bench.package.read(), "active": False})
    assert bench.told(task("Blur", **GOOD)) == [("W024", "error", ("task",))]


def test_a_program_that_is_gone_is_refused_with_all_the_rest(bench: Bench) -> None:
    record = bench.package.read()
    [document] = record["documents"]
    text = document["text"].replace('"command_parallel": "', '"command_parallel": "/no/such')
    bench.package.write({**record, "documents": [{**document, "text": text}]})
    told = bench.told(task("Blur", args_parallel={"size": "x"}))
    assert told == [("F020", "error", ("task",)), ("W032", "error", ("args_parallel", "size"))]
    assert bench.told(task("Convert"), images={}) == []


def test_more_than_the_machine_has_is_told_unless_options_say_less(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: {"total": 8 * 2**30})
    entry = task("Blur", **GOOD, meta_parallel={"mem": 16_000})
    assert bench.told(entry) == [("B016", "warning", ("meta_parallel",))]
    assert bench.told(entry, options=Options(memory=2**30)) == []


PARTITION = "main*|up|1:00:00|3|2|4000|gpu:1"


@pytest.fixture
def cluster(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Options for a cluster with a partition of small nodes, whose commands are on PATH."""
    commands = bench.tmp_path / "bin"
    commands.mkdir()
    for name, said in (("scontrol", "MaxArraySize = 1001"), ("sinfo", PARTITION), ("sbatch", "")):
        (commands / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    site = bench.tmp_path / "site.json"
    site.write_text(SITE)
    return Options(engine="slurm", site=str(site))


def test_what_a_cluster_can_not_give_is_told_for_each_part_of_each_step(bench: Bench, cluster: Options) -> None:
    fine = {"mem": 4, "cpus_per_task": 1}
    assert bench.told(task("Blur", **GOOD, meta_parallel=fine), options=cluster) == []
    half = task("Blur", **GOOD, meta_parallel={**fine, "tasks_per_job": 2})
    wrong = task("Blur", **GOOD, meta_parallel={"account": "a", "time": "soon", "mem": 4})
    project = task("Project", meta_non_parallel={"mem": 8}, meta_parallel={"mem": 4, "time": "2-0"})
    found = bench.look(project, half, wrong, images=bench.images({"is_3D": True}), options=cluster)
    assert [(problem.code, problem.path[1:]) for problem in found.problems if problem.severity == "error"] == [
        ("S005", (0, "meta_non_parallel")),
        ("S007", (0, "meta_parallel")),
        ("S005", (1, "meta_parallel")),
        ("S003", (2, "meta_parallel", "account")),
    ]


def test_the_batch_scripts_of_every_part_can_be_seen(bench: Bench, cluster: Options) -> None:
    project = task("Project", meta_non_parallel={"mem": 4}, meta_parallel={"mem": 4, "time": "0:10:00"})
    blur = task("Blur", **GOOD, meta_parallel={"mem": 2})
    asked = Asked(bench.found(blur, project), 0, 1, bench.images({}, {}), str(bench.zarr_dir), options=cluster)
    rows = preflight.look(asked, bench.home, "mine").rows
    arrays = list(preflight.arrays(asked, rows, "/jobs/j"))
    assert [(one["step"], one["name"], one["part"], one["units"]) for one in arrays] == [
        (0, "Blur", "parallel", 2),
        (1, "Project", "non_parallel", 1),
        (1, "Project", "parallel", 1),
    ]
    assert "#SBATCH --mem=4M\n" in arrays[0]["script"]  # two units at once
    assert "#SBATCH --time=0:10:00\n" in arrays[2]["script"]


def test_more_jobs_than_a_site_allows_are_told(bench: Bench, cluster: Options) -> None:
    entry = task("Blur", **GOOD, meta_parallel={"mem": 4, "tasks_per_job": 1, "parallel_tasks_per_job": 1})
    assert bench.told(entry, images=bench.images(*[{}] * 4), options=cluster) == []
    told = bench.told(entry, images=bench.images(*[{}] * 5), options=cluster)
    assert told == [("S005", "error", ("meta_parallel",))]


def test_meta_data_that_mean_nothing_are_told(bench: Bench) -> None:
    meta = {"cpus_per_task": "many", "mem": "lots", "needs_gpu": 1, "parallel_tasks_per_job": 2}
    keys = [("meta_parallel", key) for key in ("cpus_per_task", "mem", "needs_gpu")]
    assert bench.told(task("Blur", **GOOD, meta_parallel=meta)) == [("W036", "warning", key) for key in keys]
    fine = {"cpus_per_task": 1, "mem": "1M", "needs_gpu": False}
    assert bench.told(task("Blur", **GOOD, meta_parallel=fine)) == []


def test_a_cluster_that_can_not_be_used_is_told_before(bench: Bench) -> None:
    site = str(bench.tmp_path / "nowhere.toml")
    problem = only(bench.look(task("Blur", **GOOD), options=Options(engine="slurm", site=site)).problems)
    assert (problem.code, problem.severity, problem.file) == ("S004", "error", site)


# Types and images


def test_images_of_the_first_step_are_counted_and_those_of_later_ones_played(bench: Bench) -> None:
    images = bench.images({"is_3D": True}, {"is_3D": True}, {"is_3D": False})
    entries = task("Project"), task("Blur", **GOOD)
    found = bench.look(*entries, images=images)
    assert [(row.images, row.exact, dict(row.type_filters)) for row in found.rows] == [
        (2, True, {"is_3D": True}),
        (3, False, {"is_3D": False}),
    ]


def test_after_a_converter_nobody_knows_the_images(bench: Bench) -> None:
    found = bench.look(task("Convert"), task("Blur", **GOOD), images={})
    assert found.problems == ()
    assert [(row.images, row.exact) for row in found.rows] == [(0, True), (None, False)]


def test_an_empty_first_selection_is_refused_with_the_filter_that_empties_it(bench: Bench) -> None:
    problem = only(bench.look(task("Project"), images=bench.images({}, {"is_3D": False})).problems)
    assert (problem.code, problem.severity) == ("W042", "error")
    assert problem.message == "Project: none of the 2 images has is_3D=true"
    problem = only(bench.look(task("Blur", **GOOD), attribute_filters={"well": ["C1", "C2"]}).problems)
    assert problem.message == "Blur: none of the 1 images has well=C1|C2"
    problem = only(bench.look(task("Blur", **GOOD), images={}).problems)
    assert problem.message == "Blur needs images, and the dataset has none"


def test_images_are_chosen_by_their_status_at_the_first_step(bench: Bench) -> None:
    images = bench.images({}, {}, {})
    statuses = dict(zip(images, ("done", "failed"), strict=False))
    chosen = {"attribute_filters": {STATUS: ("failed", "unset")}, "statuses": statuses}
    assert bench.look(task("Blur", **GOOD), images=images, **chosen).rows[0].images == 2


def test_statuses_after_a_leading_converter_find_nothing(bench: Bench) -> None:
    filters = {STATUS: ("failed",)}
    assert [
        told[:2] for told in bench.told(task("Convert"), task("Blur", **GOOD), attribute_filters=filters, images={})
    ] == [("W042", "error")]


def test_filters_that_contradict_the_task_are_refused(bench: Bench) -> None:
    entry = task("Project", type_filters={"is_3D": False})
    assert bench.told(entry) == [("W040", "error", ("type_filters",))]


def test_a_step_that_wants_the_opposite_of_what_was_made_is_told(bench: Bench) -> None:
    images = bench.images({"is_3D": True})
    problem = only(bench.look(task("Project"), task("Project"), images=images).problems)
    assert (problem.code, problem.severity, problem.path) == ("W041", "warning", ("task_list", 1))
    assert "is_3D=true" in problem.message


def test_a_mixture_of_types_and_images_that_are_gone_are_told(bench: Bench) -> None:
    images = bench.images({"is_3D": True}, {})
    Path(list(images)[1]).rmdir()
    assert bench.told(task("Blur", **GOOD), images=images) == [("W044", "warning", ()), ("W046", "warning", ())]


def test_of_many_images_a_part_is_looked_for(bench: Bench) -> None:
    images = {f"{bench.zarr_dir}/{n}": Image(f"{bench.zarr_dir}/{n}") for n in range(100_000)}
    problem = only(bench.look(task("Blur", **GOOD), images=images).problems)
    assert problem.message.startswith("Blur: 1000 of 1000 looked-at images are not there")


def test_images_that_the_step_before_has_not_processed_are_told(bench: Bench) -> None:
    images = bench.images({}, {})
    entries = task("Blur", **GOOD), task("Blur", **GOOD, alias="Again")
    processed = {next(iter(images)): "done"}
    problem = only(bench.look(*entries, images=images, first=1, processed=processed).problems)
    assert (problem.code, problem.severity) == ("W045", "warning")
    assert problem.message.startswith("1 of 2 images were not processed by the step before, Blur")
    everything = dict.fromkeys(images, "done")
    assert bench.told(*entries, images=images, first=1, processed=everything) == []


def test_a_later_beginning_is_given_what_the_steps_before_leave(bench: Bench) -> None:
    found = bench.found(task("Project"), task("Blur", **GOOD), task("Blur", **GOOD))
    assert filters_before(found, 0) == {}
    assert filters_before(found, 1) == PROJECT["output_types"]
    assert filters_before(found, 2) == {"is_3D": False, "blurred": True}


# Places


def test_a_full_disk_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LITTLE", 10**18)
    assert [told[:2] for told in bench.told(task("Blur", **GOOD))] == [("W047", "error")]


def test_a_directory_that_can_not_be_made_is_refused(bench: Bench) -> None:
    (bench.tmp_path / "file").touch()
    told = bench.told(task("Convert"), images={}, zarr_dir=f"{bench.tmp_path}/file/z")
    assert told == [("W049", "error", ())]


def test_another_dataset_on_the_directory_is_told_but_not_the_job_s_own(bench: Bench) -> None:
    for name in ("mine", "other"):
        DatasetDirectory.create(bench.home, Content(name, str(bench.zarr_dir), {}), 0.0, {})
    problem = only(bench.look(task("Blur", **GOOD)).problems)
    assert (problem.code, problem.severity) == ("D004", "warning")
    assert "dataset other" in problem.message


def test_everything_is_told_at_once(bench: Bench) -> None:
    images = bench.images({})
    entries = task("Project", args_parallel={"q": 1}), task("Blur", args_parallel={"size": []})
    assert [code for code, _, _ in bench.told(*entries, images=images)] == ["W031", "W032", "W042"]
