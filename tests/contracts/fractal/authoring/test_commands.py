"""`trivet fractal manifest` as a user types it: streams, exit codes, one line for each problem."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Make

PAR = 'def par(zarr_url: str, size: int = 3):\n    """Blur."""\n'
LISTED = 'ParallelTask(name="P", executable="par.py")'


def trivet(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONDONTWRITEBYTECODE": "1", **more}
    command = [sys.executable, "-m", "trivet", "fractal", "manifest", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_create_check_and_diff(make: Make) -> None:
    root = make({"par.py": PAR}, LISTED)
    path = root / "__FRACTAL_MANIFEST__.json"
    missing = trivet("check", "--package", "made_tasks")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "F080" in missing.stderr
    created = trivet("create", "--package", "made_tasks")
    assert (created.returncode, created.stdout, created.stderr) == (0, f"{path}\n", "")
    checked = trivet("check", "--package", "made_tasks")
    assert (checked.returncode, checked.stdout) == (0, "")
    assert "is up to date" in checked.stderr
    path.write_text(path.read_text().replace('"default": 3', '"default": 4'))
    for words in (("check",), ("diff",), ("diff", str(path))):
        changed = trivet(*words, "--package", "made_tasks")
        assert changed.returncode == 1
        assert changed.stdout == "~ task `P`.args_schema_parallel.properties.size.default: 4 -> 3\n"
    theirs = trivet("check", "--package", "made_tasks", "--compat")
    assert theirs.returncode == 1
    assert theirs.stdout.endswith("Values are different:\n\tOld: '4'\n\tNew: '3'\n")
    path.write_text("{")
    broken = trivet("check", "--package", "made_tasks")
    assert broken.returncode == 1
    assert "F081" in broken.stderr


def test_only_the_order_of_keys_is_no_difference(make: Make) -> None:
    root = make({"par.py": PAR}, LISTED)
    path = root / "__FRACTAL_MANIFEST__.json"
    assert trivet("create", "--package", "made_tasks").returncode == 0
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    told = trivet("check", "--package", "made_tasks")
    assert (told.returncode, told.stdout) == (0, "  manifest: only the order differs\n")
    for words in (["--ignore-keys-order"], ["--ignore-keys-order", "True"]):
        assert trivet("check", "--package", "made_tasks", *words).stdout == ""


def test_two_files_are_compared_without_any_package(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"authors": "A"}')
    (tmp_path / "b.json").write_text('{"authors": "B"}')
    done = trivet("diff", "a.json", "b.json")
    assert (done.returncode, done.stdout) == (1, '~ authors: "A" -> "B"\n')
    assert trivet("diff", "a.json", "a.json").returncode == 0
    assert trivet("diff", "a.json", "a.json", "b.json").returncode == 2


def test_the_package_of_the_project_is_taken_where_none_is_named(make: Make, tmp_path: Path) -> None:
    make({"par.py": PAR}, LISTED)
    nobody = trivet("create")
    assert nobody.returncode == 1
    assert "F085" in nobody.stderr
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "made-tasks"\n')
    assert trivet("create").returncode == 0


def test_errors_are_one_line_each_and_nothing_is_written(make: Make) -> None:
    root = make(
        {
            "par.py": "def par(\n    zarr_url: str,\n    zarr_dir: str,\n    flag: bool,\n): pass\n",
            "bad.py": "def bad(:\n",
        },
        f'{LISTED}, ParallelTask(name="B", executable="bad.py")',
    )
    done = trivet("create", "--package", "made_tasks")
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if " error " in line]
    assert lines[0].startswith(f"{root / 'par.py'}:3: error F071 task `P`, par.py, argument `zarr_dir`: ")
    assert lines[1].startswith(f"{root / 'par.py'}:4:")
    assert " error E05 task `P`, par.py: argument `flag` " in lines[1]
    assert "F063 task `B`, bad.py: " in lines[2]
    assert "3 errors; nothing was written" in done.stderr
    assert not (root / "__FRACTAL_MANIFEST__.json").exists()


def test_a_manifest_of_the_public_tool_is_told_from_an_old_one(make: Make) -> None:
    text = 'def par(zarr_url: str, size: int = 3):\n    """Blur.\n\n    Args:\n        size - How much.\n    """\n'
    make({"par.py": text}, LISTED)
    assert trivet("create", "--package", "made_tasks", "--compat").returncode == 0
    assert trivet("check", "--package", "made_tasks", "--compat").returncode == 0
    ours = trivet("check", "--package", "made_tasks")
    assert ours.returncode == 1
    assert "--compat" in ours.stderr


def test_without_the_extra_it_says_what_to_install(make: Make, tmp_path: Path) -> None:
    make({"par.py": PAR}, LISTED)
    (tmp_path / "pydantic.py").write_text("raise ModuleNotFoundError('No module named pydantic', name='pydantic')\n")
    done = trivet("create", "--package", "made_tasks")
    assert done.returncode == 1
    assert "pip install 'trivet[fractal]'" in done.stderr


@pytest.mark.parametrize("words", [("lint",), ("create", "--no-such"), ("create", "--schema-version", "pydantic_v1")])
def test_wrong_usage(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert trivet(*words).returncode == 2
