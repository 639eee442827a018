"""`fractal-manifest` against what the public command does: exit codes, streams, manifests, byte for byte."""

from __future__ import annotations

import atexit
import gc
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pydantic
import pytest

FILE = Path(__file__).resolve().parents[3] / "../shared/corpus/fractal_manifest/manifest_vectors.json"
VECTORS = json.loads(FILE.read_text())["vectors"] if FILE.is_file() else []
SPEC = find_spec("fractal_task_tools")
OURS = SPEC is not None and "compat" in str(SPEC.origin)

pytestmark = [
    pytest.mark.skipif(not VECTORS, reason="the vectors are not here"),
    pytest.mark.skipif(not OURS, reason="trivet-fractal-task-tools is not installed: scripts/prepare.sh test"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two directories: ``src`` for packages, which can be imported, and ``cwd`` to work in."""
    before = set(sys.modules)
    for name in ("src", "cwd"):
        (tmp_path / name).mkdir()
    monkeypatch.syspath_prepend(tmp_path / "src")
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    gc.enable()  # which the command has switched off, for a short process
    atexit.unregister(gc.freeze)
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def command(arguments: list[str]) -> int:
    from fractal_task_tools._cli import main

    for name in [name for name in sys.modules if name.partition(".")[0] in ("pkgx", "my_pkg_x")]:
        del sys.modules[name]
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_command_does_what_the_public_one_does(
    vector: dict[str, Any], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, files in (("src", vector["files"]), ("cwd", vector["cwd_files"])):
        for path, text in files.items():
            (place / folder / path).parent.mkdir(parents=True, exist_ok=True)
            (place / folder / path).write_bytes(text.encode())
    package = next(path.parent.parent for path in (place / "src").glob("*/dev/task_list.py"))
    manifest = package / "__FRACTAL_MANIFEST__.json"
    for step in vector["steps"]:
        match step.get("step"):
            case ["write", path, text]:
                (place / "src" / path).write_text(text)
                continue
            case ["edit", old, new]:
                assert old in manifest.read_text()
                manifest.write_text(manifest.read_text().replace(old, new, 1))
                continue
        code = command(step["args"])
        out, err = capsys.readouterr()
        err = err.replace(str(place / "cwd"), "<cwd>").replace(str(place / "src"), "<src>")
        assert code == step["exit_code"], err
        assert out == step["stdout"]
        assert "Traceback" not in err
        for line in step.get("warning_and_error_logs", []):
            if "[validate_arguments]" in line:  # it is said once, with the exception
                line = line.removeprefix("ERROR:root:")
            assert line in err
        if "exception" in step:
            assert err.rstrip().endswith(known(step["exception"])), err
        if "stderr_last_line" in step:
            assert err.splitlines()[-1] == step["stderr_last_line"]
    if vector.get("manifest") is not None:
        text = manifest.read_text()
        assert json.dumps(json.loads(text)) == json.dumps(vector["manifest"])
        if all("args" in step for step in vector["steps"]):  # nobody has edited it
            assert text == json.dumps(vector["manifest"], indent=2) + "\n"
    elif all(step.get("exit_code", 0) for step in vector["steps"] if "args" in step):
        left = manifest.read_text() if manifest.exists() else None
        assert left == vector.get("manifest_raw_text", left if "step" in vector["steps"][0] else None)


def known(exception: str) -> str:
    """What pydantic adds to its messages is not in the vectors."""
    if "pydantic_core" not in exception:
        return exception
    version = ".".join(pydantic.VERSION.split(".")[:2])
    kind = exception.rpartition("[type=")[2].partition(",")[0]
    return f"{exception}\n    For further information visit https://errors.pydantic.dev/{version}/v/{kind}"


def test_the_modules_are_those_of_the_public_package_and_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    handlers = list(logging.root.handlers)
    from fractal_task_tools import logging_config, task_models, task_wrapper
    from trivet.fractal.task_wrapper import run_fractal_task

    assert task_wrapper.run_fractal_task is run_fractal_task
    assert logging_config.WRAPPER_LOGGER_NAME == "run_fractal_task"
    assert task_models.ParallelTask(name="P", executable="p.py").type == "parallel"
    assert logging.root.handlers == handlers
    assert capsys.readouterr() == ("", "")


def test_a_manifest_is_never_left_half_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = place / "src/pkgx"
    (root / "dev").mkdir(parents=True)
    (root / "__init__.py").touch()
    (root / "par.py").write_text("def par(zarr_url: str): pass\n")
    lines = "from fractal_task_tools.task_models import ParallelTask\nTASK_LIST = [{}]\n"
    listed = root / "dev/task_list.py"
    listed.write_text(lines.format('ParallelTask(name="P", executable="par.py")'))
    assert command(["create", "--package", "pkgx"]) == 0
    before = (root / "__FRACTAL_MANIFEST__.json").read_text()
    listed.write_text(lines.format('ParallelTask(name="P", executable="par.py", meta={"a": object()})'))
    assert command(["create", "--package", "pkgx"]) == 1
    assert (root / "__FRACTAL_MANIFEST__.json").read_text() == before
    listed.write_text(lines.format('ParallelTask(name="Q", executable="par.py")'))
    monkeypatch.setattr("os.fsync", _full)
    assert command(["create", "--package", "pkgx"]) == 1
    assert (root / "__FRACTAL_MANIFEST__.json").read_text() == before
    assert sorted(path.name for path in root.iterdir() if path.name.startswith(".")) == []


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")
