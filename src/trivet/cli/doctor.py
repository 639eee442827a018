"""`trivet doctor`: what this machine can do, and what to install."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from trivet.cli.machine import examination
from trivet.cli.tables import table
from trivet.tasks.quantities import format_memory


@click.command()
@click.option("--engine", type=click.Choice(["slurm"]), help="Tell of a cluster: what it has, and what would be done.")
@click.option("--site", type=click.Path(), help="SLURM: the cluster's configuration, as for `trivet run`.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object; sizes in bytes.")
def command(engine: str | None, site: str | None, as_json: bool) -> int:
    """Tell what this machine can do, and what to install for what it can't.

    Looks only, and never fails: the exit code is 0; of a cluster it is 1 when nothing could be run there.

    \b
    Examples:
      trivet doctor
      trivet doctor --engine slurm --site site.toml
    """
    if engine is not None:
        from trivet.cli.cluster_view import cluster_data, cluster_lines

        data = cluster_data(site)
        print(json.dumps(data, indent=2) if as_json else "\n".join(cluster_lines(data)))
        return 1 if any(problem["severity"] == "error" for problem in data["problems"]) else 0
    found = examination()
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield from table(None, list(_machine(found)))
    yield ""
    yield "Where tasks can run"
    yield from table(None, [_row(engine, engine["message"]) for engine in found["engines"]])
    yield ""
    yield "Task packages"
    yield from table(None, list(_collecting(found["packages"] or {"uv": None, "pythons": []})))
    yield ""
    yield "Optional parts"
    yield from table(None, [_row(extra, _packages(extra["packages"])) for extra in found["extras"]])


def _machine(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    python, memory, home = found["python"], found["memory"] or {}, found["home"]
    yield "trivet", found["trivet"]
    yield "python", f"{python['version']}  {python['executable']}"
    yield "system", found["system"]
    yield "cpus", str(found["cpus"] or "unknown")
    available = f", {format_memory(memory['available'])} free" if "available" in memory else ""
    yield "memory", format_memory(memory["total"]) + available if memory else "unknown"
    yield "gpus", "; ".join(found["gpus"]) or "none seen (nvidia-smi tells of none)"
    yield "cgroup", f"version {found['cgroup']}" if found["cgroup"] else "none: memory of processes is sampled"
    if home is None:
        yield "runs", "unknown"
    else:
        state = "" if home["writable"] else ", NOT WRITABLE: set TRIVET_HOME to a directory that is"
        yield "runs", f"{home['path']} ({format_memory(home['free'])} free{state})"


def _collecting(packages: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    uv = packages["uv"]
    if uv is None:
        yield "missing", "uv", f"not installed; {sys.executable} -m pip install 'trivet[packages]'"
        return
    yield "ok", "uv", f"{uv['version']}  {uv['path']}"
    yield "ok", "pythons", ", ".join(python["version"] for python in packages["pythons"]) or "none found"


def _row(part: dict[str, Any], message: str) -> tuple[str, str, str]:
    what = " ".join(filter(None, [part.get("version", ""), message]))
    return "ok" if part["ready"] else "missing", part["name"], f"{what}; {part['install']}" if part["install"] else what


def _packages(packages: dict[str, str | None]) -> str:
    return ", ".join(
        f"{name} {version}" if version else f"{name} is not installed" for name, version in packages.items()
    )
