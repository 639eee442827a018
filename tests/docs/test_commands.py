"""Every command that README, documentation and examples show does what the page says.

A page is a story: its blocks are run in order, in one scratch directory with a copy of the examples and a home of its
own. ```` ```console ```` blocks are run; what they show below a command must be in its output, in that order (``…``
stands for anything; identifiers of runs and times may differ). An HTML comment right before a block says more:
``<!-- not run: reason -->``, ``<!-- needs: docker -->``, ``<!-- needs: apptainer -->``, ``<!-- needs: image NAME -->``,
``<!-- needs: slurm -->``, ``<!-- needs: slurm by ssh -->``, ``<!-- needs: public tasks -->`` which are downloaded
(several by commas), ``<!-- exit: 1 -->``, and ``<!-- file: NAME -->`` for a block that is the content of a file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*/*/README.md"))]
ENVIRONMENTS = (".venv-tiny-tasks", ".venv-fractal-core")
MARK = re.compile(r"<!-- (not run|needs|exit|file): (.+?) -->")
COMMAND = re.compile(r"(\$ |(trivet|make|docker|podman|python3?|pip) )")
RUN = r"\d{8}-\d{6}-[0-9a-f]{4}"
CHANGING = re.compile(rf"({RUN}|\d{{4}}-\d\d-\d\dT[\d:.]+Z|…| {{2,}})")


@dataclass
class Block:
    page: Path
    line: int
    language: str
    lines: list[str]
    marks: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Each command with the lines shown below it."""
        command, shown = "", []
        lines = iter(self.lines)
        for line in lines:
            if not line.startswith("$ "):
                shown.append(line)
                continue
            if command:
                yield command, shown
            command, shown = line[2:], []
            while command.endswith("\\"):
                command = command[:-1] + next(lines)
        if command:
            yield command, shown


def blocks(page: Path) -> Iterator[Block]:
    block: Block | None = None
    marks: dict[str, str] = {}
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```\s*(\w*)", line)
        if block is not None and fence:
            yield block
            block, marks = None, {}
        elif block is not None:
            block.lines.append(line)
        elif fence:
            block = Block(page, number, fence[1], [], marks)
        elif line.strip():
            found = MARK.fullmatch(line.strip())
            marks = {**marks, found[1]: found[2]} if found else {}
    assert block is None, f"{page}: a block is not closed"


ALL = [block for page in PAGES for block in blocks(page)]


def test_every_block_that_looks_like_commands_is_run_or_says_why_not() -> None:
    forgotten = [
        str(block)
        for block in ALL
        if block.language != "console"
        and "not run" not in block.marks
        and "file" not in block.marks
        and block.language in ("", "bash", "sh", "shell", "text")
        and any(COMMAND.match(line) for line in block.lines)
    ]
    assert forgotten == [], "make them ```console blocks, or say <!-- not run: reason -->"


def test_every_file_that_a_page_links_to_is_there() -> None:
    broken = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, sifs: Path) -> Callable[[Path], Path]:
    """The scratch directory of a page."""

    @cache
    def make(page: Path) -> Path:
        directory = tmp_path_factory.mktemp(page.stem)
        left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "data", "*.tar", "*.zip")
        shutil.copytree(ROOT / "examples", directory / "examples", ignore=left_out)
        for name in (*ENVIRONMENTS, "docs"):
            (directory / name).symlink_to(ROOT / name)
        (directory / "home").mkdir()
        (directory / "home/sif").symlink_to(sifs)  # files that take half a minute each
        return directory

    return make


@pytest.mark.parametrize(
    "block", [block for block in ALL if block.language == "console" or "file" in block.marks], ids=str
)
def test_block(block: Block, scratch: Callable[[Path], Path], request: pytest.FixtureRequest) -> None:
    if "not run" in block.marks:
        pytest.skip(f"not run: {block.marks['not run']}")
    directory = scratch(block.page)
    if "file" in block.marks:
        (directory / block.marks["file"]).write_text("\n".join(block.lines) + "\n", encoding="utf-8")
        return
    for need in filter(None, block.marks.get("needs", "").split(", ")):
        if need == "slurm":
            request.getfixturevalue("slurm")
        elif need == "slurm by ssh":
            request.getfixturevalue("far")
        else:
            demand(need)
    for name in ENVIRONMENTS:
        if any(name in line for line in block.lines) and not (ROOT / name).is_dir():
            pytest.skip(f"needs {name}: scripts/prepare.sh test")
    for command, shown in block.commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env=environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=280,
            check=False,
        )
        output = done.stdout.decode("utf-8", "replace")
        assert done.returncode == int(block.marks.get("exit", "0")), f"$ {command}\n{output}"
        missing = not_shown(shown, output.splitlines())
        assert missing is None, f"$ {command}\nthe page shows a line that did not come: {missing}\n{output}"


def demand(needs: str) -> None:
    """Skip a block one of whose needs can't be met."""
    if needs == "docker" or needs.startswith("image "):
        look = ["docker", "image", "inspect", needs.removeprefix("image ")] if needs != "docker" else ["docker", "info"]
        if not shutil.which("docker") or subprocess.run(look, capture_output=True, check=False).returncode != 0:
            pytest.skip(f"needs Docker{needs.removeprefix('image').removeprefix('docker')}; try make images")
    elif needs == "apptainer":
        found = subprocess.run(["docker", "image", "inspect", "dicom-tools:latest"], capture_output=True, check=False)
        if not shutil.which("apptainer") or found.returncode != 0:
            pytest.skip("needs Apptainer (scripts/install-apptainer.sh) and the examples' images (make images)")
    elif needs == "public tasks":
        if not (ROOT / ".venv-fractal-core/.has-tasks").exists():
            pytest.skip("needs packages from an index, which could be had before: scripts/prepare.sh test")
    else:
        pytest.fail(f"unknown need: {needs}")


def environment(directory: Path) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "TRIVET_HOME": str(directory / "home"),
        "COLUMNS": "100",
    }


def not_shown(shown: list[str], output: list[str]) -> str | None:
    """The first line of the page that is not in the output at or after where the line before it was."""
    position = 0
    for line in shown:
        if line.strip() in ("", "…"):
            continue
        expected = re.compile("".join(map(pattern, CHANGING.split(line.strip()))))
        found = next((at for at in range(position, len(output)) if expected.fullmatch(output[at].strip())), None)
        if found is None:
            return line
        position = found + 1
    return None


def pattern(piece: str) -> str:
    """What may stand in the output for a piece of a line."""
    if piece == "…":
        return ".*"
    if re.fullmatch(RUN, piece):
        return RUN
    if piece.startswith("  "):
        return " +"
    return r"\S+" if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", piece) else re.escape(piece)
