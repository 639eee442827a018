"""Packages of tasks made on the spot, a uv that finds them and nothing else, and a home of their own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from trivet.packages.collecting import Collected, collect
from trivet.packages.installer import located
from trivet.packages.wanted import Wanted

SCRIPT = """\
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--args-json", "-j")
parser.add_argument("--out-json", "--metadata-out")
given = parser.parse_args()
arguments = json.load(open(given.args_json))
print("python", sys.version_info[:2], "threads", os.environ.get("OMP_NUM_THREADS"))
update = {"zarr_url": arguments["zarr_url"], "attributes": {"seen": "yes"}}
json.dump({"image_list_updates": [update]}, open(given.out_json, "w"))
"""
ECHO = {
    "name": "Echo",
    "executable_parallel": "echo.py",
    "meta_parallel": {"cpus_per_task": 3},
    "category": "Measurement",
    "modality": "HCS",
    "tags": ["tiny"],
}
MANIFEST = {"manifest_version": "2", "has_args_schemas": False, "task_list": [ECHO]}

BACKEND = '''\
"""A build backend without requirements: it packs the only package of the project, with a manifest or without."""
import os, pathlib, time, zipfile

NAME, VERSION = {name!r}, {version!r}

def get_requires_for_build_wheel(settings=None):
    return []

get_requires_for_build_editable = get_requires_for_build_wheel

def build_wheel(folder, settings=None, metadata=None):
    barrier = os.environ.get("TINY_BARRIER")
    if barrier:  # wait until so many builds go on at once, or for ever
        wanted, place = int(barrier.partition(":")[0]), pathlib.Path(barrier.partition(":")[2])
        (place / str(os.getpid())).touch()
        while len(list(place.iterdir())) < wanted:
            time.sleep(0.01)
    return pack(folder, [(path, path.as_posix()) for path in pathlib.Path(NAME).rglob("*.*") if path.is_file()])

def build_editable(folder, settings=None, metadata=None):
    pathlib.Path("tiny.pth").write_text(str(pathlib.Path().absolute()))
    return pack(folder, [(pathlib.Path("tiny.pth"), "tiny.pth")])

def pack(folder, members):
    file = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    texts = {{
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n",
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    with zipfile.ZipFile(pathlib.Path(folder) / file, "w") as archive:
        for path, name in members:
            archive.write(path, name)
        for name, text in texts.items():
            archive.writestr(name, text)
        names = [*(name for _, name in members), *texts, f"{{info}}/RECORD"]
        archive.writestr(f"{{info}}/RECORD", "".join(f"{{name}},,\\n" for name in names))
    return file
'''


def make_wheel(
    folder: Path,
    name: str = "tiny_tasks",
    version: str = "1.0",
    manifest: Any = MANIFEST,
    requires: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> Path:
    """A wheel with a package of tasks; ``manifest`` None leaves it out."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    texts = {f"{name}/__init__.py": "", **(files or {f"{name}/echo.py": SCRIPT})}
    if manifest is not None:
        texts[f"{name}/__FRACTAL_MANIFEST__.json"] = manifest if isinstance(manifest, str) else json.dumps(manifest)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n{needs}"
    texts[f"{info}/METADATA"] = metadata
    texts[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},sha256={digest(text)},{len(text.encode())}\n" for path, text in texts.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for member, text in texts.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_project(root: Path, name: str = "tiny_tasks", version: str = "1.0") -> Path:
    """The directory of a project that builds without anything else."""
    package = root / name
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "echo.py").write_text(SCRIPT)
    (package / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    (root / "backend.py").write_text(BACKEND.format(name=name, version=version))
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
    )
    return root


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of wheels that is the only index uv knows, by its own configuration."""
    if located() is None:
        pytest.skip("uv is not installed: pip install 'trivet[packages]'")
    folder = tmp_path / "index"
    folder.mkdir()
    (tmp_path / "uv.toml").write_text(f'no-index = true\nfind-links = ["{folder}"]\n')
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIVET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def said() -> list[str]:
    """What was told while something was collected."""
    return []


@pytest.fixture
def get(index: Path, home: Path, said: list[str]) -> Callable[..., Collected]:
    """Collect a package."""

    def get(package: str | Path, **more: Any) -> Collected:
        return collect(Wanted(str(package), **more), home, said.append)

    return get


@pytest.fixture
def run_trivet(home: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line, in an empty directory unless told otherwise."""
    (tmp_path / "here").mkdir()

    def run(*words: str | Path, code: int = 0, cwd: Path = tmp_path / "here") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trivet", *map(str, words)]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
        assert "internal error" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run
