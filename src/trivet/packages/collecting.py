"""Collecting task packages: one environment for each package and version, its manifest read and checked, registered."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trivet.contracts import examine
from trivet.contracts.fractal.environment import identity
from trivet.contracts.fractal.manifest import METADATA
from trivet.contracts.fractal.naming import parse_wheel_name
from trivet.contracts.source import Source
from trivet.packages import manifests
from trivet.packages.installer import InstallerError, Say, Uv
from trivet.packages.wanted import DIRECTORY, WHEEL, Wanted, exact_version, understood
from trivet.records.packages import FORMAT, PackageDirectory, find, normal, put, workshop
from trivet.tasks.problem import Problem, ProblemsError, has_errors


@dataclass(frozen=True, slots=True)
class Collected:
    """The package, whether it was not there before, and what its manifest was warned of."""

    package: PackageDirectory
    new: bool
    problems: tuple[Problem, ...] = ()


def collect(wanted: Wanted, home: Path, say: Say) -> Collected:
    """Collect a package. What is there already is left as it is.

    Raises ProblemsError (InstallerError when it was uv that refused); nothing is left behind then. ``say`` is told how
    it goes.
    """
    origin, requirement = understood(wanted)
    if requirement:
        wanted = replace(wanted, extras=tuple(requirement.extras))
    exact = exact_version(requirement) if requirement else None
    if requirement and exact and (there := _there(home, requirement.name, exact)):
        return _known(there, wanted)
    uv = Uv.find(say)
    python = wanted.python or sys.executable
    with workshop(home) as shop:
        made = shop / "package"
        made.mkdir()
        name, version, lines = requirement.name if requirement else "", exact or "", [str(requirement)]
        if origin == WHEEL or (origin == DIRECTORY and not wanted.editable):
            wheel = _wheel(uv, wanted, origin, made, python)
            name, version = parse_wheel_name(wheel.name)
            lines = [f"./{wheel.name}{_bracketed(wanted.extras)}"]
            if there := _there(home, name, version):
                _same_content(there, wheel)
                return _known(there, wanted)
        elif origin == DIRECTORY:
            lines = [f"-e {Path(wanted.package).absolute()}{_bracketed(wanted.extras)}"]
        uv.environment(made / "venv", python)
        lock = _lock(uv, wanted, lines, made)
        if requirement:
            version = _locked(lock, requirement.name)
            if there := _there(home, name, version):
                return _known(there, wanted)
        count = sum(1 for line in lock.splitlines() if line and not line.startswith("#"))
        say(f"installing {count} package{'s' * (count != 1)} with Python {python_of(made / 'venv')}")
        uv.install(lock, made / "venv", made)
        if not name:
            name, version = _developed(made / "venv", Path(wanted.package))
            if there := _there(home, name, version):
                return _known(there, wanted)
        documents, problems = _documents(name, made)
        base, metadata = documents[0].base, documents[0].attachments.get(METADATA, "")
        record = {
            "format": FORMAT,
            "name": normal(name),
            "version": version,
            "origin": origin,
            "requested": wanted.package,
            "editable": wanted.editable,
            "extras": sorted(wanted.extras),
            "python": python_of(made / "venv"),
            "interpreter": str((made / "venv/bin/python").resolve()),
            "pins": {"before": dict(wanted.before), "after": dict(wanted.after)},
            "freeze": lock,
            "prefix": "venv",
            "versions": identity(str(base), str(made / "venv"), metadata)[1],
            "documents": [{"path": _relative(one.name, made), "text": one.text} for one in documents],
        }
        package, new = registered(home, made, record)
        return Collected(package, new, problems)


def registered(home: Path, made: Path, record: dict[str, Any]) -> tuple[PackageDirectory, bool]:
    """Write the record of a package that was made, and put it in its place; False when somebody was faster."""
    from trivet.records.codec import iso

    PackageDirectory(made).write({**record, "active": True, "created": iso(time.time())})
    try:
        return put(home, made, record["name"], record["version"]), True
    except FileExistsError:
        return find(home, record["name"], record["version"]), False


def python_of(prefix: Path) -> str:
    """The version of the Python of a virtual environment; empty when it does not say."""
    match = re.search(r"(?m)^version(?:_info)? *= *(\S+)", (prefix / "pyvenv.cfg").read_text(encoding="utf-8"))
    return match[1] if match else ""


def _wheel(uv: Uv, wanted: Wanted, origin: str, made: Path, python: str) -> Path:
    """The wheel a package is installed from, kept with it so that its environment can be made again."""
    given = Path(wanted.package).absolute()
    if origin == WHEEL:
        return Path(shutil.copy(given, made))
    uv.say(f"building {given.name}")
    built = uv.build(given, made, python)
    manifests.in_wheel(built)
    return built


def _lock(uv: Uv, wanted: Wanted, lines: Sequence[str], made: Path) -> str:
    before, after = ([f"{name}=={version}" for name, version in pins.items()] for pins in (wanted.before, wanted.after))
    uv.say(f"resolving {wanted.package}")
    lock = uv.resolve([*lines, *before, *after], after, made / "venv", made)
    for name in ("requirements.in", "overrides.txt"):
        (made / name).unlink(missing_ok=True)
    return lock


def _documents(name: str, made: Path) -> tuple[list[Source], tuple[Problem, ...]]:
    """The manifests of what was installed, all executables there. Raises ProblemsError."""
    try:
        sources = manifests.installed(name, str(made / "venv"))
    except ProblemsError as error:
        raise ProblemsError(replace(problem, file="") for problem in error.problems) from None
    assert sources is not None  # noqa: S101 (uv has just installed it)
    problems: list[Problem] = []
    for source in sources:
        _, found = examine(source)
        for problem in found:
            missing = problem.code == "F020"  # a warning where a manifest may stand alone
            shown = problem.file.rpartition("site-packages/")[2]
            problems.append(replace(problem, file=shown, severity="error" if missing else problem.severity))
    if has_errors(problems):
        raise ProblemsError(problems)
    return sources, tuple(problems)


def _there(home: Path, name: str, version: str) -> PackageDirectory | None:
    try:
        return find(home, name, version)
    except LookupError:
        return None


def _known(package: PackageDirectory, wanted: Wanted) -> Collected:
    """A package that is there, unless it is another than what is wanted. Raises ProblemsError."""
    record = package.read()
    pins = {"before": dict(wanted.before), "after": dict(wanted.after)}
    other = []
    if not set(wanted.extras) <= set(record["extras"]):
        names = ", ".join(record["extras"])
        other.append(f"with no other extras than {names}" if names else "without extras")
    if (wanted.before or wanted.after) and pins != record["pins"]:
        other.append("with other pinned versions")
    if (
        wanted.python
        and re.fullmatch(r"[\d.]+", wanted.python)
        and not f"{record['python']}.".startswith(f"{wanted.python}.")
    ):
        other.append(f"with Python {record['python']}")
    if wanted.editable is not record["editable"]:
        other.append("editable" if record["editable"] else "not editable")
    if other:
        message = f"{package.name} {package.version} is there already, but {', '.join(other)}"
        raise ProblemsError([_taken(package, message)])
    return Collected(package, False)


def _same_content(there: PackageDirectory, wheel: Path) -> None:
    """Raises ProblemsError when a version was collected before with something else in it."""
    kept = next(there.path.glob("*.whl"), None)
    if there.read()["editable"]:
        return  # which is told in other words
    if kept is None or _contents(kept) != _contents(wheel):
        message = f"{there.name} {there.version} is there already, and is not the same as this one"
        raise ProblemsError([_taken(there, message)])


def _contents(wheel: Path) -> set[tuple[str, int]]:
    """Names and checksums of what a wheel has, but for what its builder says of itself."""
    from zipfile import ZipFile

    with ZipFile(wheel) as archive:
        own = (
            one for one in archive.infolist() if not one.filename.endswith((".dist-info/WHEEL", ".dist-info/RECORD"))
        )
        return {(one.filename, one.CRC) for one in own}


def _taken(package: PackageDirectory, message: str) -> Problem:
    again = f"trivet fractal remove {package.name}=={package.version}"
    return Problem("P004", message, hint=f"`{again}` makes room for it, or give it another version")


def _locked(lock: str, name: str) -> str:
    match = re.search(rf"(?m)^{re.escape(re.sub(r'[-_.]+', '-', name).lower())}==(\S+)", lock)
    if match is None:
        raise InstallerError(f"the version of {name} is not known", lock)
    return match[1]


def _developed(prefix: Path, project: Path) -> tuple[str, str]:
    """Name and version of the only package of an environment that is installed from that directory."""
    from importlib.metadata import distributions

    where = [str(path) for path in prefix.glob("lib*/python3*/site-packages")]
    for distribution in distributions(path=where):
        url = distribution.read_text("direct_url.json")
        if url is not None and project.absolute().as_uri() in (url_of(url), f"{url_of(url)}/"):
            return distribution.metadata["Name"], distribution.version
    raise ProblemsError([Problem("P003", "it is not known which package this is", file=str(project))])


def url_of(direct_url: str) -> str:
    """The address in a ``direct_url.json``."""
    import json

    return str(json.loads(direct_url).get("url", ""))


def _relative(name: str, made: Path) -> str:
    """The path of a document within its package; of one under development, where it is."""
    path = Path(name).absolute()
    return str(path.relative_to(made)) if path.is_relative_to(made) else str(path)


def _bracketed(extras: Sequence[str]) -> str:
    return f"[{','.join(extras)}]" if extras else ""
