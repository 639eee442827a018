"""Where a site's configuration comes from: a file in TOML or JSON, or else what the cluster says of itself."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from trivet.engines.slurm.cluster import Cluster, Partition
from trivet.engines.slurm.site import Site, read_site
from trivet.tasks.problem import Problem, ProblemsError

UNREADABLE = "S004"
"""Code of problems: a site's file can't be read."""

VARIABLE = "TRIVET_SITE"
NAME = "slurm.toml"


def site_file(given: str | None, home: Path) -> Path | None:
    """The file to use: the one given, that of ``TRIVET_SITE``, or the home's own where there is one."""
    named = given or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return home / NAME if (home / NAME).is_file() else None


def load_site(path: Path) -> Site:
    """A site's configuration from a file. Raises ProblemsError with all its faults, each placed in the file."""
    problems: list[Problem] = []
    site = None
    try:
        text = path.read_text(encoding="utf-8")
        data: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        site = read_site(data, problems)
    except OSError as error:
        message = f"the site's configuration can't be read: {error.strerror or error}"
        problems.append(Problem(UNREADABLE, message, hint="give another file with --site"))
    except ValueError as error:
        place = re.search(r"line (\d+) column (\d+)", str(error)) or re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (None, None)
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ProblemsError([Problem(UNREADABLE, f"not valid {kind}: {error}").at(str(path), line, column)]) from None
    if site is None:
        raise ProblemsError([problem.at(str(path)) for problem in problems])
    return site


def default_site(cluster: Cluster) -> Site:
    """What to do on a cluster that nobody has configured: jobs of one node's size at most, in its default partition.

    Raises ProblemsError when the cluster has no partition that could be used.
    """
    partition = usual(cluster)
    cpus, memory = max(1, partition.cpus), max(1, partition.memory)
    problems: list[Problem] = []
    site = read_site(
        {
            "default_slurm_config": {
                "partition": partition.name,
                "cpus_per_task": 1,
                "mem": max(1, min(memory // cpus, cluster.memory_per_cpu or memory)),
            },
            "gpu_slurm_config": gpu_set(cluster),
            "batching_config": {
                "target_cpus_per_job": cpus,
                "max_cpus_per_job": cpus,
                "target_mem_per_job": memory,
                "max_mem_per_job": memory,
                "target_num_jobs": max(1, 2 * partition.nodes),
                "max_num_jobs": max(1, min(4 * partition.nodes, cluster.largest_array)),
            },
        },
        problems,
    )
    if site is None:
        raise ProblemsError(problems)
    return site


def completed(site: Site, cluster: Cluster) -> Site:
    """The configuration with what the cluster says where it says nothing of jobs itself. Raises ProblemsError."""
    if site.default:
        return site
    own = default_site(cluster)
    return replace(site, default=own.default, gpu=own.gpu, limits=own.limits)


def usual(cluster: Cluster) -> Partition:
    """The default partition, else the first that is up. Raises ProblemsError."""
    usable = sorted((one for one in cluster.partitions if one.up), key=lambda one: not one.default)
    if not usable:
        hint = "`sinfo` shows the partitions; a site's configuration may name one (--site FILE)"
        raise ProblemsError([Problem(UNREADABLE, "this cluster has no partition that is up", hint=hint)])
    return usable[0]


def gpu_set(cluster: Cluster) -> dict[str, Any] | None:
    """The settings for units that need a GPU, where a partition has some."""
    own = usual(cluster)
    candidates = [own, *(one for one in cluster.partitions if one.up and one is not own)]
    found = next((one for one in candidates if one.gpus), None)
    return None if found is None else {"partition": found.name, "gres": "gpu:1"}
