"""Tasks registered as they are, without an environment made for them: scripts of an interpreter, or any command."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trivet.contracts import examine
from trivet.contracts.fractal.commands import faults, words
from trivet.contracts.fractal.manifest import FILE_NAME, IDENTITY, NON_PARALLEL, PARALLEL, PARTS
from trivet.contracts.source import Source, load
from trivet.packages.collecting import Collected, registered
from trivet.packages.manifests import environment_of
from trivet.packages.registered import identity_of
from trivet.records.packages import FORMAT, every, is_version, normal, workshop
from trivet.tasks.problem import Problem, ProblemsError, has_errors

CUSTOM, COMMAND = "custom", "command"

LONGEST = 200
"""Bytes that the name of a package, or its version, may have: they name directories."""

_WHERE = """\
import importlib.util, json, sys
spec = importlib.util.find_spec(sys.argv[1])
print(json.dumps(list(spec.submodule_search_locations or ()) if spec else []))
"""


@dataclass(frozen=True, slots=True)
class Single:
    """A task that is just a command with meta data (Fractal, single task).

    ``commands`` and ``facts`` have their keys as in a manifest, without and with the names of parts; with ``v1``,
    those of version 1 (legacy guide, full task example).
    """

    name: str
    commands: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    v1: bool = False


def collect_custom(
    manifest: Path, python: str, root: Path | None, package: str | None, label: str, version: str, home: Path
) -> Collected:
    """Register the tasks of a manifest whose scripts an interpreter of the user runs (Fractal, custom tasks).

    The scripts are below ``root``, or where that interpreter has the ``package``. Raises ProblemsError.
    """
    source = load(manifest)
    problems = [*_name_faults(label, version), *_interpreter_faults(python)]
    if problems:
        raise ProblemsError(problems)
    root = root.absolute() if root is not None else _installed_at(python, package or "")
    if not root.is_dir():
        raise ProblemsError([Problem("P007", "there is no such directory", file=str(root))])
    _, problems = examine(Source(str(manifest), source.text, root))
    data = source.data
    if "manifest_version" not in data:
        problems = [Problem("P003", "this is no manifest of a package of tasks", file=str(manifest))]
    if not has_errors(problems):
        problems += _missing(data, root)
    if has_errors(problems):
        raise ProblemsError(problems)
    for entry in data["task_list"]:
        for suffix in ("", *(f"_{part}" for part in (NON_PARALLEL, PARALLEL))):
            executable = entry.pop(f"executable{suffix}", None)
            if executable is not None:
                entry[f"command{suffix}"] = shlex.join([python, str(root / executable)])
    prefix = environment_of(python)
    facts = {"origin": CUSTOM, "requested": str(manifest), "prefix": None if prefix is None else str(prefix)}
    return _register(label, version, data, facts, home, [one for one in problems if one.code != "F020"])


def collect_command(single: Single, package: str | None, version: str, home: Path) -> Collected:
    """Register a single command as a task. Programs and files that are named relative to the working directory are
    registered by their absolute paths. Raises ProblemsError."""
    label = package or single.name
    problems = list(_name_faults(label, version))
    problems += [fault for command in single.commands.values() for fault in faults(command)]
    if problems:
        raise ProblemsError(problems)
    commands = {key: _absolute(command) for key, command in single.commands.items()}
    entry: dict[str, Any] = {"name": single.name, **commands, **single.facts}
    has_schema = any(key.startswith("args_schema") for key in entry)
    data = {"manifest_version": "1" if single.v1 else "2", "has_args_schemas": has_schema, "task_list": [entry]}
    facts = {"origin": COMMAND, "requested": "; ".join(single.commands.values()), "prefix": None}
    return _register(label, version, data, facts, home, [])


def commands_for(kind: str | None, command: str, init: str | None) -> dict[str, str]:
    """The commands of a task by the keys of a manifest; ``kind`` None means by what is there. Raises ProblemsError."""
    parts = PARTS[kind] if kind else (NON_PARALLEL, PARALLEL) if init else (PARALLEL,)
    if (init is None) is (len(parts) == 2):
        message = f"a task of type {kind} has {'two commands' if len(parts) == 2 else 'one command'}"
        hint = "--command-non-parallel is the first of a compound task, --command the second"
        raise ProblemsError([Problem("P007", message, hint=hint)])
    return dict(zip((f"command_{part}" for part in parts), (init, command) if init else (command,), strict=True))


def _register(
    label: str, version: str, data: Any, facts: Mapping[str, Any], home: Path, problems: list[Problem]
) -> Collected:
    name = normal(label)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    record = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "editable": False,
        "extras": [],
        "python": "",
        "interpreter": "",
        "pins": {"before": {}, "after": {}},
        "freeze": "",
        "versions": {name: version},
        "documents": [{"path": FILE_NAME, "text": text}],
        **facts,
    }
    _, found = examine(Source(FILE_NAME, text, Path("/"), {IDENTITY: identity_of(record)}))
    if has_errors(found):
        raise ProblemsError(replace(problem, file="", line=None, column=None) for problem in found)
    for known in every(home):
        if (known.name, known.version) == (name, version):
            if known.read()["documents"] == record["documents"]:
                return Collected(known, False)
            hint = f"`trivet fractal remove {name}=={version}` makes room for it, or give it another --version"
            raise ProblemsError([Problem("P004", f"{name} {version} is there already, with other tasks", hint=hint)])
    with workshop(home) as shop:
        made = shop / "package"
        made.mkdir()
        package, new = registered(home, made, record)
    return Collected(package, new, tuple(dict.fromkeys([*problems, *found])))


def _name_faults(label: str, version: str) -> list[Problem]:
    problems = []
    if not normal(label):
        problems.append(Problem("P003", f"{label!r} can't be the name of a package: it has neither letters nor digits"))
    if not is_version(version):
        hint = "letters, digits and . _ + - ! are known, a letter or a digit first"
        problems.append(Problem("P003", f"{version!r} can't be a version", hint=hint))
    longest = max(label, version, key=lambda text: len(os.fsencode(text)))
    if len(os.fsencode(longest)) > LONGEST:
        message = f"{longest[:20]}… is too long to name a directory: {LONGEST} bytes are the most"
        problems.append(Problem("P003", message, hint="give a shorter --label or --version"))
    return problems


def _interpreter_faults(python: str) -> list[Problem]:
    path = Path(python)
    if not path.is_absolute():
        return [Problem("P007", f"the interpreter {python!r} must be given by its absolute path")]
    if not path.is_file() or not os.access(path, os.X_OK):
        return [Problem("P007", "there is no interpreter that could be executed", file=python)]
    return []


def _installed_at(python: str, package: str) -> Path:
    """Where an interpreter has a package, which is not imported for that. Raises ProblemsError."""
    command = [python, "-c", _WHERE, package.replace("-", "_")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
        places = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        places = []
    if not places:
        hint = "give the directory of the scripts with --package-root"
        raise ProblemsError([Problem("P007", f"{python} has no package `{package}`", hint=hint)])
    return Path(places[0])


def _missing(data: Any, root: Path) -> list[Problem]:
    keys = [f"executable{suffix}" for suffix in ("", f"_{NON_PARALLEL}", f"_{PARALLEL}")]
    named = (entry[key] for entry in data["task_list"] for key in keys if entry.get(key) is not None)
    missing = (name for name in dict.fromkeys(named) if not (root / name).is_file())
    return [Problem("F020", f"`{name}` does not exist in {root}") for name in missing]


def _absolute(command: str) -> str:
    """The command with the paths of its program and of files it names, as they are found from here."""
    program, *more = words(command)
    program = os.path.abspath(shutil.which(program) or program)  # noqa: PTH100 (links stay links)
    return shlex.join([program, *(str(Path(word).absolute()) if Path(word).is_file() else word for word in more)])
