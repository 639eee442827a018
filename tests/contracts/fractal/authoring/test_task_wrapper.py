"""Scripts of tasks, each in a process of its own, against what the public wrapper does; and those of version 1."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import vectors

VECTORS = vectors("misc").get("run_fractal_task", [])
ROOT = Path(__file__).resolve().parents[4]

SCRIPT = """\
import logging
from pathlib import Path
from typing import Any
from pydantic import validate_call
from trivet.fractal.task_wrapper import run_fractal_task

logger = logging.getLogger("mytask")

{decorator}
def mytask(zarr_url: str, n: int = 1) -> Any:
    logger.debug("dbg")
    logger.info("inf")
    logger.warning("wrn")
    {body}

if __name__ == "__main__":
    run_fractal_task(task_function=mytask{call_extra})
"""

NOT_STARTED = {"out_dir_missing"}
"""Where the public wrapper finds out after the work what ours says before it."""


def run(directory: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FRACTAL_")}
    return subprocess.run(
        [sys.executable, *words], cwd=directory, env={**kept, **more}, capture_output=True, text=True, check=False
    )


def shown(stderr: str, directory: Path) -> list[str]:
    """The lines on stderr as the vectors have them: times and tracebacks are not compared."""
    text = re.sub(r"Traceback \(most recent call last\):\n(?:  .*\n|\n)*", "<traceback>\n", stderr)
    text = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "<time>", text, flags=re.MULTILINE)
    return [re.sub(r"dev/2\.\d+/", "dev/2/", line) for line in text.replace(str(directory), "<tmp>").splitlines()]


@pytest.mark.skipif(not VECTORS, reason="the vectors are not here")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_script_does_what_the_public_wrapper_does(vector: dict[str, Any], tmp_path: Path) -> None:
    names = ("decorator", "body", "call_extra")
    (tmp_path / "mytask.py").write_text(SCRIPT.format(**{name: vector[name] for name in names}))
    given = vector["args_json"]
    (tmp_path / "args.json").write_text(given if isinstance(given, str) else json.dumps(given))
    out = tmp_path / ("nodir/out.json" if vector["id"] == "out_dir_missing" else "out.json")
    if vector["id"] == "out_exists":
        out.write_text("old")
    words = vector["argv_shape"]
    if words is None:
        words = ["--args-json", str(tmp_path / "args.json"), "--out-json", str(out)]
    done = run(tmp_path, "mytask.py", *words, **vector["env"])
    assert done.returncode == vector["exit_code"], done.stderr
    assert done.stdout == vector["stdout"]
    wanted = [re.sub(r"dev/2\.\d+/", "dev/2/", line) for line in vector["stderr_lines"]]
    lines = shown(done.stderr, tmp_path)
    if vector["id"] in NOT_STARTED:
        assert lines == wanted[-2:]
    else:
        assert lines == wanted
    text = out.read_text() if out.exists() else None
    if vector["exit_code"] == 0 or vector["id"] == "out_exists":
        assert text == vector["out_json_text"]
    else:
        assert text is None, "nothing half-written stays"
    assert {path.name for path in tmp_path.iterdir()} <= {"mytask.py", "args.json", "out.json", "__pycache__"}


def test_a_link_that_leads_nowhere_is_a_file_that_exists(tmp_path: Path) -> None:
    (tmp_path / "mytask.py").write_text(SCRIPT.format(decorator="", body="return None", call_extra=""))
    (tmp_path / "args.json").write_text('{"zarr_url": "/a"}')
    (tmp_path / "out.json").symlink_to("nowhere")
    done = run(tmp_path, "mytask.py", "--args-json", "args.json", "--out-json", "out.json")
    assert done.returncode == 1
    assert "already exists" in done.stderr


GUIDE = """\
from fractal_tasks_core.tasks._utils import run_fractal_task

def measure(
    # What every task of version 1 is given
    input_paths,
    output_path,
    metadata,
    # Its own
    argument_A,
    argument_B = "default_B_value",
):
    print("measuring")
    with open(f"{output_path}/output.txt", "w") as file:
        file.write(f"{argument_A} {argument_B} {input_paths} {metadata}")
    return {"nothing": "to add"}

if __name__ == "__main__":
    run_fractal_task(task_function=measure)
"""


@pytest.mark.parametrize("option", ["-j", "--json"])
def test_a_script_of_version_1_runs_unchanged(tmp_path: Path, option: str) -> None:
    (tmp_path / "my_task.py").write_text(GUIDE)
    given = {"input_paths": ["/in"], "output_path": str(tmp_path), "metadata": {"plate": ["p.zarr"]}, "argument_A": 1}
    (tmp_path / "arguments.json").write_text(json.dumps(given))
    words = ("my_task.py", option, "arguments.json", "--metadata-out", "update.json")
    helper = str(ROOT / "compat/fractal-tasks-core-v1/src")
    done = run(tmp_path, *words, PYTHONPATH=helper)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "measuring\n"
    assert (tmp_path / "output.txt").read_text() == "1 default_B_value ['/in'] {'plate': ['p.zarr']}"
    assert json.loads((tmp_path / "update.json").read_text()) == {"nothing": "to add"}
    assert run(tmp_path, *words, PYTHONPATH=helper).returncode == 1, "a file that is there is never replaced"
    refused = run(tmp_path, "my_task.py", "-j", "arguments.json", PYTHONPATH=helper)
    assert refused.returncode == 2
    assert "--metadata-out" in refused.stderr


def test_a_parallel_task_of_version_1_is_given_its_component(tmp_path: Path) -> None:
    script = GUIDE.replace("    metadata,\n", "    metadata,\n    component,\n").replace("{metadata}", "{component}")
    (tmp_path / "my_task.py").write_text(script)
    given = {
        "input_paths": [],
        "output_path": str(tmp_path),
        "metadata": {},
        "component": "p.zarr/B/03/0",
        "argument_A": 1,
    }
    (tmp_path / "arguments.json").write_text(json.dumps(given))
    words = ("my_task.py", "-j", "arguments.json", "--metadata-out", "update.json")
    done = run(tmp_path, *words, PYTHONPATH=str(ROOT / "compat/fractal-tasks-core-v1/src"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output.txt").read_text().endswith("p.zarr/B/03/0")
