"""What a cluster says of itself: its partitions and settings, read from what SLURM's commands print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby

PARTITIONS = "%P|%a|%l|%D|%c|%m|%G"
"""What `sinfo` is to print: name, availability, time limit, number of nodes, CPUs, megabytes, other resources."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: ``cpus`` and ``memory`` (megabytes) of its largest node, ``max_time`` in seconds (None: no limit).

    ``all_cpus`` are those of all its nodes; ``gpus`` those of the node with the most.
    """

    name: str
    default: bool
    up: bool
    max_time: float | None
    nodes: int
    cpus: int
    memory: int
    all_cpus: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster. ``largest_array``: how many elements an array may have; ``memory_per_cpu`` in megabytes, what a job
    gets that does not say; ``kill_wait``: seconds between TERM and KILL."""

    name: str
    version: str
    partitions: tuple[Partition, ...]
    accounting: bool
    largest_array: int
    memory_per_cpu: int | None
    kill_wait: float

    def partition(self, name: str) -> Partition | None:
        """The partition of that name; None when there is none."""
        return next((one for one in self.partitions if one.name == name), None)

    def longest(self, names: str) -> float | None:
        """The longest time (seconds) a job may take in one of some partitions, with commas between; None: any time."""
        times = [found.max_time for name in names.split(",") if (found := self.partition(name)) is not None]
        return None if None in times else max((time for time in times if time is not None), default=None)


USUAL = Cluster("", "", (), False, 1000, None, 30.0)
"""What is taken for granted of a cluster that does not answer."""


def to_json(cluster: Cluster) -> bytes:
    """A cluster as text that can be kept."""
    return json.dumps(asdict(cluster)).encode()


def from_json(data: bytes) -> Cluster:
    """A cluster that was kept. Raises ValueError, KeyError or TypeError for anything else."""
    found = json.loads(data)
    return Cluster(**{**found, "partitions": tuple(Partition(**one) for one in found["partitions"])})


def read_cluster(config: str, partitions: str) -> Cluster:
    """A cluster from what ``scontrol show config`` and ``sinfo -h -e -o PARTITIONS`` print."""
    values = dict(line.split("=", 1) for line in config.splitlines() if "=" in line)
    settings = {key.strip(): value.strip() for key, value in values.items()}
    return Cluster(
        name=settings.get("ClusterName", ""),
        version=settings.get("SLURM_VERSION", ""),
        partitions=read_partitions(partitions),
        accounting=settings.get("AccountingStorageType", "").endswith("slurmdbd"),
        largest_array=max(1, _number(settings, "MaxArraySize", 1001) - 1),
        memory_per_cpu=_number(settings, "DefMemPerCPU", 0) or None,
        kill_wait=float(_number(settings, "KillWait", 30)),
    )


def read_partitions(text: str) -> tuple[Partition, ...]:
    """Partitions in SLURM's order, the rows of one (nodes of several kinds) as one."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 6]
    found = []
    for name, group in groupby(rows, key=lambda row: row[0]):
        parts = list(group)
        nodes = [_digits(row[3]) for row in parts]
        cpus = [_digits(row[4]) for row in parts]
        found.append(
            Partition(
                name=name.rstrip("*"),
                default=name.endswith("*"),
                up=parts[0][1] == "up",
                max_time=seconds(parts[0][2]),
                nodes=sum(nodes),
                cpus=max(cpus),
                memory=max(_digits(row[5]) for row in parts),
                all_cpus=sum(one * count for one, count in zip(cpus, nodes, strict=True)),
                gpus=max(_gpus(row[6]) for row in parts),
            )
        )
    return tuple(found)


def seconds(text: str) -> float | None:
    """A length of time as SLURM writes it (``90``, ``30:00``, ``2-12:00:00``, ``infinite``); None for no limit,
    which 0 means, too.

    Raises ValueError for anything else.
    """
    if text.strip().lower() in ("infinite", "unlimited", "n/a", "-1"):
        return None
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time; write minutes, hours:minutes:seconds or days-hours")
    days, first, second, third = (int(part or 0) for part in match.groups())
    if match[1]:
        total = days * 86400 + first * 3600 + second * 60 + third
    elif match[4]:
        total = first * 3600 + second * 60 + third
    else:
        total = first * 60 + second
    return float(total) or None


def _digits(text: str) -> int:
    match = re.match(r"\d+", text)
    return int(match[0]) if match else 0


def _number(settings: Mapping[str, str], name: str, default: int) -> int:
    return _digits(settings[name]) if re.match(r"\d", settings.get(name, "")) else default


def _gpus(text: str) -> int:
    """GPUs of a node: ``gpu:2``, ``gpu:a100:4(S:0-1)``, with others by commas."""
    return sum(int(count) for count in re.findall(r"(?:^|,)gpu(?::[^:,(]+)??:(\d+)", text))
