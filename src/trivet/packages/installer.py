"""The installer of task packages, uv: where it is, how it is asked, what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trivet.tasks.problem import Problem, ProblemsError

OLDEST = (0, 5)
"""The first version that knows every option used here."""

Say = Callable[[str], None]

_QUIET = re.compile(r"\s*([+~-] |Using Python |Using CPython |Creating virtual environment |Activate with|Resolved |$)")
"""What uv says of its own working, and nobody wants to know."""


class InstallerError(ProblemsError):
    """uv refused or failed; ``output`` is all it said."""

    def __init__(self, what: str, output: str) -> None:
        self.output = output
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "no word why")
        hint = "what uv said is above" if len(lines) > 1 else ""
        super().__init__([Problem("P002", f"{what}: {reason.removeprefix('error: ')}", hint=hint)])


@dataclass(frozen=True, slots=True)
class Uv:
    """The program ``path``; it reads the settings of the user and the system, and their variables, not those of the
    project somebody happens to stand in. ``say`` is told its words as they come."""

    path: str
    say: Say

    @classmethod
    def find(cls, say: Say) -> Uv:
        """That of Trivet's own environment (the extra ``packages``), else the first on PATH. Raises ProblemsError."""
        path = located()
        hint = "install it: python -m pip install 'trivet[packages]', or uv itself so that it is on PATH"
        if path is None:
            raise ProblemsError([Problem("P001", "uv is needed for the environments of task packages", hint=hint)])
        version = version_of(path)
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            message = f"{path} has version {version or 'unknown'}; task packages need uv {oldest} or later"
            raise ProblemsError([Problem("P001", message, hint=hint)])
        return cls(path, say)

    def environment(self, prefix: Path, python: str) -> None:
        """Make a virtual environment that can be moved, without pip. Raises InstallerError.

        ``python`` is an interpreter or what uv knows as one, such as ``3.12``; it may be downloaded where uv's settings
        allow that.
        """
        words = ("venv", "--relocatable", "--no-project", "--python", self._interpreter(python), str(prefix))
        self.ask(words, f"there is no environment with Python {python}", prefix.parent)

    def resolve(self, requirements: Sequence[str], overrides: Sequence[str], prefix: Path, directory: Path) -> str:
        """All versions that fit together, one a line, for an environment. Raises InstallerError.

        ``overrides`` count whatever packages say of each other. Paths are relative to ``directory``, where files are
        written.
        """
        (directory / "requirements.in").write_text("\n".join(requirements) + "\n", encoding="utf-8")
        words = ["pip", "compile", "requirements.in", "--no-header", "--no-annotate", "--no-emit-index-url"]
        if overrides:
            (directory / "overrides.txt").write_text("\n".join(overrides) + "\n", encoding="utf-8")
            words += ["--override", "overrides.txt"]
        words += ["--python", str(prefix / "bin/python")]
        return self.ask(words, f"{requirements[0]} can't be resolved", directory)

    def install(self, lock: str, prefix: Path, directory: Path) -> None:
        """Install exactly those versions, and compile all modules. Raises InstallerError."""
        with (prefix / "lock.txt").open("w", encoding="utf-8") as file:
            file.write(lock)
        words = ("pip", "sync", file.name, "--compile-bytecode", "--python", str(prefix / "bin/python"))
        self.ask(words, "the package can't be installed", directory)
        Path(file.name).unlink()

    def build(self, project: Path, directory: Path, python: str) -> Path:
        """Build the wheel of a project's directory into another one. Raises InstallerError."""
        words = ("build", "--wheel", "--no-create-gitignore", "--out-dir", str(directory), str(project))
        self.ask((*words, "--python", self._interpreter(python)), f"{project} can't be built", directory)
        return next(directory.glob("*.whl"))

    def ask(self, words: Sequence[str], what: str, directory: Path) -> str:
        """What uv writes to stdout, asked in a directory. Raises InstallerError, which says ``what`` went wrong."""
        process = subprocess.Popen(
            [self.path, "--color", "never", "--no-progress", *words],
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 (asked for)
        answer: list[str] = []
        from threading import Thread

        reader = Thread(target=lambda out=process.stdout: answer.append(out.read()), daemon=True)
        reader.start()
        said = []
        try:
            for line in process.stderr:
                said.append(line)
                if not _QUIET.match(line):
                    self.say(f"  uv | {line.rstrip()}")
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        reader.join()
        if code != 0:
            raise InstallerError(what, "".join(said))
        return "".join(answer)

    def _interpreter(self, python: str) -> str:
        """The path of an interpreter that is on this machine, or the words as they are."""
        if os.sep in python:
            return python
        words = [self.path, "python", "find", "--no-python-downloads", "--no-project", python]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", env=_environment())
        if done.returncode == 0:
            return done.stdout.strip()
        return next(map(str, _of_pyenv(python)), python)


def located() -> str | None:
    """Where uv is, None when it is nowhere."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, OSError):
        return shutil.which("uv")


def version_of(path: str) -> str:
    """The version of a uv, ``0`` when it does not say."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return "0"
    match = re.search(r"\d+(\.\d+)+", done.stdout)
    return match[0] if match else "0"


def pythons(uv: str) -> dict[str, str]:
    """The paths of the interpreters of this machine by their versions, as uv and pyenv know them."""
    words = [uv, "python", "list", "--only-installed", "--offline", "--output-format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=_environment())
    found = {item["version"]: item["path"] for item in reversed(json.loads(done.stdout or "[]"))}
    found |= {path.parts[-3]: str(path) for path in _of_pyenv("3") if path.parts[-3] not in found}
    return dict(sorted(found.items(), key=lambda item: _numbers(item[0]), reverse=True))


def _of_pyenv(version: str) -> list[Path]:
    """Interpreters that pyenv keeps, the newest first: its shims only start those that were chosen."""
    if not re.fullmatch(r"\d+(\.\d+)*", version):
        return []
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [path for path in root.glob("versions/*/bin/python3") if f"{path.parts[-3]}.".startswith(f"{version}.")]
    return sorted(found, key=lambda path: _numbers(path.parts[-3]), reverse=True)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _environment() -> dict[str, str]:
    """Ours, without what would lead uv to another environment than the one it is told."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
