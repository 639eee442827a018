"""SLURM's own commands: the only place that calls them, and that knows what they print."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from trivet.engines.slurm.cluster import PARTITIONS, Cluster, read_cluster
from trivet.engines.slurm.queue import Queued
from trivet.engines.slurm.reasons import Final

PATIENCE = 90.0
"""Seconds a command may take; with a controller that is down, SLURM's own patience ends much earlier."""

_PASSING = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection (refused|timed out)|Resource temporarily"
    r"|temporarily unable|try again|Slurm backup controller|(AssocMax|QOSMax|MaxSubmit)\w*Submit|MaxJobCount"
    r"|Zero Bytes were transmitted|Transport endpoint|submission limit|job submit limit",
    re.IGNORECASE,
)
_LASTING = re.compile(r"\b(Assoc|QOS)(?!\w*Submit)\w+Limit")
"""A limit that no waiting helps against, in a message that names limits of submissions, too."""

ENVIRONMENT = {"LC_ALL": "C.UTF-8", "SLURM_BITSTR_LEN": "0"}
"""What every command gets: messages in English, and lists of elements whole."""

NO_ELEMENT = 2**31
"""From here on numbers are SLURM's way to say that an array has no elements left."""

_OWN = re.compile(r"(SLURM|SBATCH|SQUEUE|SACCT|SCANCEL|SALLOC|SINFO)_")

Runner = Callable[..., subprocess.CompletedProcess[str]]
"""Runs a command; a second argument is what it reads from its standard input."""


class SlurmError(RuntimeError):
    """A command failed; the message is SLURM's. ``passing``: it may work later (a controller that is down, a limit of
    jobs)."""

    def __init__(self, message: str, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Row(NamedTuple):
    """One line of SLURM's list: elements of an array in the same state. ``rest``: also those that no line names."""

    array: str
    elements: tuple[int, ...]
    rest: bool
    state: str
    nodes: str
    reason: str


def here(arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on this machine, without what a surrounding job says about itself."""
    environment = {key: value for key, value in os.environ.items() if not _OWN.match(key) or key == "SLURM_CONF"}
    return subprocess.run(
        arguments,
        env=environment | ENVIRONMENT,
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )


class Commands:
    """SLURM's commands, by ``run`` (which may well run them elsewhere, where ``user`` is the user's name for SLURM).
    Every method raises SlurmError."""

    def __init__(self, run: Runner = here, user: Callable[[], str] = lambda: str(os.getuid())) -> None:
        self._run, self._user = run, user

    def cluster(self) -> Cluster:
        """What the cluster says of itself."""
        return read_cluster(self._call("scontrol", "show", "config"), self._call("sinfo", "-h", "-e", "-o", PARTITIONS))

    def submit(self, place: str, script: str) -> str:
        """Submit the script in directory ``place``; the number of the job."""
        output = f"{place.replace('%', '%%')}/%a.out"  # a relative one would have replaced what it finds in the place
        said = self._call("sbatch", "--parsable", f"--chdir={place}", f"--output={output}", script)
        return said.strip().splitlines()[-1].partition(";")[0]

    def test(self, script: str) -> None:
        """Ask whether SLURM would take a script, given as its text; SlurmError says why not."""
        self._call("sbatch", "--test-only", "--chdir=/", given=script)

    def jobs(self, arrays: Iterable[str]) -> list[Row]:
        """All that SLURM knows of the elements of some arrays."""
        arguments = ("squeue", "-h", "--states=all", f"--jobs={','.join(arrays)}", "-o", "%F|%K|%T|%N|%r")
        try:
            return list(read_rows(self._call(*arguments)))
        except SlurmError as error:
            if "Invalid job id" in str(error):  # said when a single one was asked for, and is forgotten
                return []
            raise

    def queue(self) -> list[Queued]:
        """All jobs that wait, of everybody, as far as SLURM shows them."""
        form = ("env", "SLURM_TIME_FORMAT=%s")  # for this command only: jobs inherit the variables of `sbatch`
        return list(read_queue(self._call(*form, "squeue", "-h", "--states=PENDING", "-o", "%F|%K|%P|%Q|%S")))

    def by_comment(self) -> dict[str, str]:
        """The user's jobs that have a comment of Trivet's: its token and the number of the array."""
        said = self._call("squeue", "-h", "--states=all", f"--user={self._user()}", "-o", "%F|%k")
        pairs = (line.split("|", 1) for line in said.splitlines() if "|trivet:" in line)
        return {comment.removeprefix("trivet:"): array for array, comment in pairs}

    def finals(self, jobs: Sequence[str], accounting: bool) -> dict[str, Final]:
        """How jobs ended that the list does not have any more, or that failed; those nobody knows are absent."""
        found: dict[str, Final] = {}
        if accounting:
            said = self._call("sacct", "-X", "-n", "-P", "-o", "JobID,State,ExitCode", f"--jobs={','.join(jobs)}")
            found.update(read_accounts(said))
        else:
            for array in dict.fromkeys(job.partition("_")[0] for job in jobs):
                try:
                    found.update(read_jobs(self._call("scontrol", "-o", "show", "job", array)))
                except SlurmError as error:
                    if error.passing:
                        raise
        rest = {job: found.get(job) or found.get(job.partition("_")[0]) for job in jobs}
        return {job: final for job, final in rest.items() if final is not None}

    def cancel(self, jobs: Sequence[str], pending: bool) -> None:
        """Cancel jobs; only those that wait, if ``pending``. Unknown ones are passed over."""
        for begin in range(0, len(jobs), 500):
            try:
                self._call("scancel", *(["--state=PENDING"] if pending else []), *jobs[begin : begin + 500])
            except SlurmError as error:
                if error.passing:
                    raise

    def _call(self, *arguments: str, given: str = "") -> str:
        try:
            done = self._run(arguments, given) if given else self._run(arguments)
        except FileNotFoundError:
            message = f"`{arguments[0]}` is not here: SLURM's commands are found on a login node of the cluster"
            raise SlurmError(message, False) from None
        except subprocess.TimeoutExpired:
            raise SlurmError(f"`{arguments[0]}` did not answer within {PATIENCE:g} s", True) from None
        except OSError as error:
            raise SlurmError(f"`{arguments[0]}` can't be started: {error.strerror or error}", True) from None
        if done.returncode != 0:
            message = " / ".join(dict.fromkeys(line.strip() for line in done.stderr.splitlines() if line.strip()))
            message = message or f"`{arguments[0]}` ended with {done.returncode}"
            raise SlurmError(message, bool(_PASSING.search(message)) and not _LASTING.search(message))
        return done.stdout


def read_rows(text: str) -> Iterator[Row]:
    """Lines of ``squeue -o '%F|%K|%T|%N|%r'``; %K is a number, the elements that wait, or ``N/A``."""
    for line in text.splitlines():
        parts = line.split("|", 4)
        if len(parts) == 5:
            named = tuple(elements(parts[1]))
            yield Row(parts[0], named, not named or "..." in parts[1], *parts[2:])


def read_queue(text: str) -> Iterator[Queued]:
    """Lines of ``squeue --states=PENDING -o '%F|%K|%P|%Q|%S'``, with times in seconds since the epoch, or ``N/A``."""
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) == 5 and parts[3].isdigit():
            jobs = sum(1 for _ in elements(parts[1])) or 1
            start = float(parts[4]) if parts[4].isdigit() else None
            yield Queued(parts[0], jobs, frozenset(parts[2].split(",")), int(parts[3]), start)


def elements(text: str) -> Iterator[int]:
    """The elements of an array that ``0-9%2``, ``1,3,5-7`` or ``0-20:4`` names; none for anything else."""
    for part in text.partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part, re.ASCII)
        if match:
            first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
            yield from range(first, last + 1, step)


def spans(numbers: Sequence[int]) -> str:
    """Elements as SLURM takes them, in as few words as can be: ``0-9,12``."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def read_accounts(text: str) -> dict[str, Final]:
    """Jobs of ``sacct -P -o JobID,State,ExitCode``: ``12_3|CANCELLED by 1000|0:0``."""
    found = {}
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) == 3:
            state, _, by = parts[1].partition(" by ")
            code = int(parts[2].partition(":")[0]) if parts[2][:1].isdigit() else None
            for job in _each(parts[0]):
                found[job] = Final(state.rstrip("+"), code, _user(by))
    return found


def read_jobs(text: str) -> dict[str, Final]:
    """Jobs of ``scontrol -o show job``."""
    found = {}
    for line in text.splitlines():
        values: dict[str, str] = dict(re.findall(r"(?:^| )(\w+)=(\S*)", line))
        array: str = values.get("ArrayJobId", values.get("JobId", ""))
        code = values.get("ExitCode", "").partition(":")[0]
        final = Final(values.get("JobState", ""), int(code) if code.isdigit() else None)
        named = [element for element in elements(values.get("ArrayTaskId", "")) if element < NO_ELEMENT]
        found.update({f"{array}_{element}": final for element in named} or {array: final})
    return found


def _each(job: str) -> list[str]:
    array, _, rest = job.partition("_")
    return [f"{array}_{element}" for element in elements(rest.strip("[]"))] or [job]


def _user(text: str) -> str:
    if not text.isdigit():
        return text
    import pwd

    try:
        return pwd.getpwuid(int(text)).pw_name
    except KeyError:
        return f"user {text}"
