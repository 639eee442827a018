"""What `trivet doctor --engine slurm` tells: what the cluster has, and what Trivet would do there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from trivet.cli.reporting import problem_lines
from trivet.cli.tables import table
from trivet.engines.slurm.check import check
from trivet.engines.slurm.cluster import Cluster, Partition
from trivet.engines.slurm.commands import SlurmError
from trivet.engines.slurm.remote.facts import facts
from trivet.engines.slurm.remote.transfer import has_rsync
from trivet.engines.slurm.site import Site
from trivet.engines.slurm.site_file import site_file
from trivet.records import home
from trivet.records.codec import problem_to_json
from trivet.runs.options import Options
from trivet.runs.reaching import connected, unusable
from trivet.tasks.problem import Problem, ProblemsError
from trivet.tasks.quantities import format_duration, format_memory
from trivet.tasks.task import Environment
from trivet.tasks.work import Invocation


def cluster_data(given: str | None) -> dict[str, Any]:
    """Everything as plain data: ``cluster`` and ``site`` are null where they can't be had; ``problems`` says why."""
    from trivet.engines import Attempt

    path = site_file(given, home())
    found: dict[str, Any] = {"file": None if path is None else str(path)}
    found |= {"login": None, "cluster": None, "site": None}
    problems: list[Problem] = []
    try:
        reached = connected(Options(site=given))
        found["site"] = asdict(reached.site)
        if reached.runner is not None:
            found["login"] = facts(reached.runner, reached.site.python)
        found["cluster"] = asdict(reached.commands.cluster())
        trial = Attempt("doctor/unit/1", Invocation(Environment(), ("true",), title="doctor"))
        problems += check(reached.site, [trial], reached.commands)
    except SlurmError as error:
        problems.append(unusable(error))
    except ProblemsError as error:
        problems += error.problems
    found["problems"] = [problem_to_json(problem) for problem in dict.fromkeys(problems)]
    return found


def cluster_lines(found: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    from trivet.records.codec import problem_from_json

    if found["login"] is not None:
        yield from _login(found["login"])
        yield ""
    if found["cluster"] is not None:
        partitions = tuple(Partition(**one) for one in found["cluster"]["partitions"])
        yield from _cluster(Cluster(**{**found["cluster"], "partitions": partitions}))
        yield ""
    if found["site"] is not None:
        from trivet.engines.slurm.batching import Limits

        yield from _site(Site(**{**found["site"], "limits": Limits(**found["site"]["limits"])}), found["file"])
        yield ""
    for data in found["problems"]:
        yield from problem_lines(problem_from_json(data))
    if not found["problems"]:
        yield "SLURM would take a job of one unit."


def _login(login: dict[str, Any]) -> Iterator[str]:
    python, size = login["python"], login["size"]
    missing = "NOT FOUND on the login node: name another with `python`, or load it by `modules`"
    said = f" ({login['said'][0]})" if login["said"] else ""
    rows = [
        ("host", login["host"]),
        ("folder", login["folder"]),
        ("free", "unknown" if size is None else f"{format_memory(login['free'])} of {format_memory(size)}"),
        *(("quota", line.strip()) for line in (login["quota"] or "").splitlines()),
        ("python", f"{python['version']}  {python['executable']}" if python else missing + said),
        ("files", "by rsync" if login["rsync"] and has_rsync() else "by tar: rsync 3.1 or later is not on both sides"),
        ("apptainer", login["apptainer"] or "none on the login node: no container images"),
    ]
    yield from table(None, rows)


def _cluster(cluster: Cluster) -> Iterator[str]:
    accounting = "sacct" if cluster.accounting else "none: how old jobs ended is known for a while only"
    facts = [
        ("cluster", f"{cluster.name}, SLURM {cluster.version}"),
        ("accounting", accounting),
        ("arrays", f"at most {cluster.largest_array} jobs"),
    ]
    yield from table(None, facts)
    yield ""
    header = ("PARTITION", "NODES", "CPUS", "MEMORY", "GPUS", "LONGEST JOB")
    rows = [
        (
            one.name + (" (default)" if one.default else "") + ("" if one.up else " (down)"),
            str(one.nodes),
            str(one.cpus),
            f"{one.memory} MB",
            str(one.gpus or ""),
            "any" if one.max_time is None else format_duration(one.max_time),
        )
        for one in cluster.partitions
    ]
    yield from table(header, rows)


def _site(site: Site, file: str | None) -> Iterator[str]:
    yield "What Trivet asks for" + (
        f" ({file})" if file else " (made of the cluster's own word; --site FILE says more)"
    )
    yield from table(None, [(name, _shown(value)) for name, value in site.default.items()])
    if site.gpu:
        yield "for units that need a GPU"
        yield from table(None, [(name, _shown(value)) for name, value in site.gpu.items()])
    limits = site.limits
    facts = [
        ("a job", f"{limits.target_cpus} CPUs and {limits.target_mem} MB are wanted, {limits.max_cpus} CPUs and "
         f"{limits.max_mem} MB at most"),
        ("jobs of a task", f"{limits.target_jobs} are wanted, {limits.max_jobs} at most"),
        ("python", site.python),
        ("modules", ", ".join(site.modules)),
        ("setup", " ; ".join(site.setup)),
    ]  # fmt: skip
    yield from table(None, [fact for fact in facts if fact[1]])


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
