"""Submissions: what one `sbatch` starts, written down on the shared file system before it is called.

<directory>/slurm/0001/submission.json   format, token, slices of units.jsonl, what the runner must know
                       units.jsonl       every unit, element by element
                       script.sh         the script of the jobs
                       job.json          the number of the job, once SLURM has said it, or why there is none
                       record-3.jsonl    what the runner of element 3 says (`trivet.engines.worker_batch`)
                       cancel-3.jsonl    what it is asked to end
                       3.out             what its script printed; slots-3/ holds logs of units without an own
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trivet.engines import Attempt
from trivet.engines.messages import batches
from trivet.tasks.work import AttemptId, Demand

FORMAT = 1


@dataclass(slots=True)
class Submission:
    """One array of jobs: ``elements`` holds the attempts of each. ``job`` is its number, None while unknown.

    ``over``: why there will never be a job, if so. ``demand`` is what SLURM is asked for by each attempt.
    """

    place: Path
    token: str
    elements: list[list[AttemptId]]
    job: str | None = None
    over: str | None = None
    records: set[int] = field(default_factory=set)
    demand: Demand = field(default_factory=Demand)

    def name(self, element: int) -> str:
        """What SLURM calls the job of an element."""
        return f"{self.job}_{element}"

    def note(self, job: str | None, over: str | None = None) -> None:
        """Write down the number SLURM gave, or why there is none. Raises OSError."""
        self.job, self.over = job, over
        save(self.place / "job.json", json.dumps({"job": job, "over": over}).encode() + b"\n")

    def look(self) -> None:
        """Find out which elements have a record."""
        names = os.listdir(self.place)  # noqa: PTH208 (names are enough)
        self.records.update(int(name[7:-6]) for name in names if name.startswith("record-") and name.endswith(".jsonl"))

    def refresh(self) -> None:
        """Make a network file system look again: a directory one has changed oneself is not answered from memory."""
        path = self.place / f"look-{os.getpid()}"
        try:
            path.touch()
            path.unlink()
        except OSError:
            pass

    def record(self, element: int) -> Path:
        """The record of an element."""
        return self.place / f"record-{element}.jsonl"

    def printed(self, element: int) -> str:
        """The end of what the script of an element printed."""
        try:
            with (self.place / f"{element}.out").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def cancel(self, element: int, ids: Sequence[AttemptId], grace: float) -> None:
        """Ask the runner of an element to end units. Raises OSError."""
        with (self.place / f"cancel-{element}.jsonl").open("ab") as file:
            file.write(json.dumps([list(ids), grace]).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def logs(self, element: int) -> dict[AttemptId, str]:
        """The logs of units that have one of their own. Raises OSError."""
        begin, length = json.loads((self.place / "submission.json").read_bytes())["elements"][element]
        with (self.place / "units.jsonl").open("rb") as file:
            file.seek(begin)
            rows = [json.loads(line) for line in file.read(length).splitlines()]
        return {value[0]: value[3] for kind, value in rows if kind == "unit" and value[3]}


def write(
    home: Path, directory: Path, elements: Sequence[Sequence[Attempt]], parallel: int, demand: Demand, log_cap: int
) -> Submission:
    """A new submission in ``home``; its script is still to be written, with ``finish``. Raises OSError."""
    place = _fresh(home)
    slices = []
    with (place / "units.jsonl").open("wb") as file:
        for attempts in elements:
            begin = file.tell()
            for common, units in batches(attempts, str(directory)):
                file.write(_line("common", common))
                file.writelines(_line("unit", unit) for unit in units)
            slices.append([begin, file.tell() - begin])
        file.flush()
        os.fsync(file.fileno())
    token = secrets.token_hex(8)
    head = {
        "format": FORMAT, "token": token, "parallel": parallel, "cpus": demand.cpus, "log_cap": log_cap,
        "demand": asdict(demand), "elements": slices,
    }  # fmt: skip
    save(place / "submission.json", json.dumps(head).encode() + b"\n")
    return Submission(place, token, [[attempt.id for attempt in attempts] for attempts in elements], demand=demand)


def read(home: Path) -> Iterator[Submission]:
    """The submissions that were completely written, oldest first. Raises OSError; damaged ones are passed over."""
    for place in sorted(home.glob("[0-9]*"), key=lambda path: (len(path.name), path.name)):
        try:
            head = json.loads((place / "submission.json").read_bytes())
            if not (place / "script.sh").exists():
                continue
            units = (place / "units.jsonl").read_bytes()
            elements = [
                [row[1][0] for row in map(json.loads, units[begin : begin + length].splitlines()) if row[0] == "unit"]
                for begin, length in head["elements"]
            ]
            found = Submission(place, head["token"], elements, demand=Demand(**head["demand"]))
            note = _note(place)
        except (FileNotFoundError, ValueError, KeyError):
            continue
        found.job, found.over = note.get("job"), note.get("over")
        found.look()
        if found.job is None:
            found.job = next(filter(None, map(_job_of, map(found.record, sorted(found.records)))), None)
        yield found


def save(path: Path, data: bytes) -> None:
    """Write a file as a whole, or not at all. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _fresh(home: Path) -> Path:
    """A directory that is nobody else's."""
    home.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(path.name) for path in home.iterdir() if path.name.isdigit()), default=0)
    while True:
        place = home / f"{number:04d}"
        try:
            place.mkdir()
        except FileExistsError:
            number += 1
        else:
            return place


def _note(place: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads((place / "job.json").read_bytes())
    except FileNotFoundError:
        return {}
    return note


def _job_of(record: Path) -> str | None:
    """The number of the array that the runner of an element says it belongs to."""
    try:
        with record.open("rb") as file:
            kind, facts = json.loads(file.readline())
        return str(facts["job"]).partition("_")[0] if kind == "job" else None
    except (OSError, ValueError, KeyError):
        return None


def _line(kind: str, value: Any) -> bytes:
    return json.dumps([kind, value], separators=(",", ":")).encode() + b"\n"
