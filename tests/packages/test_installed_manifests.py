"""Finding the manifest of a package of tasks: installed from files or as editable, and given by its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trivet.packages.manifests import installed
from trivet.runs.sources import find

MANIFEST = "__FRACTAL_MANIFEST__.json"
TEXT = '{"manifest_version": "2", "task_list": []}'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project" / "src" / "some_tasks"
    root.mkdir(parents=True)
    (root / MANIFEST).write_text(TEXT)
    return tmp_path / "project"


def environment(tmp_path: Path, project: Path, record: str) -> Path:
    """An environment in which the project is installed; ``record`` lists its files."""
    site = tmp_path / "env/lib/python3.11/site-packages"
    info = site / "some_tasks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-tasks\nVersion: 1.0\n")
    (info / "RECORD").write_text(record)
    (info / "direct_url.json").write_text(json.dumps({"url": project.as_uri(), "dir_info": {}}))
    if MANIFEST in record:
        (site / "some_tasks").mkdir()
        (site / "some_tasks" / MANIFEST).write_text(TEXT)
    return tmp_path / "env"


def test_a_package_installed_from_a_directory_has_its_own_manifest_only(tmp_path: Path, project: Path) -> None:
    prefix = environment(tmp_path, project, f"some_tasks/{MANIFEST},,\n")
    found = installed("some-tasks", str(prefix)) or []
    assert [source.base for source in found] == [prefix / "lib/python3.11/site-packages/some_tasks"]
    assert [source.prefix for source in found] == [prefix]


def test_an_editable_package_has_the_manifest_of_its_source(tmp_path: Path, project: Path) -> None:
    prefix = environment(tmp_path, project, "some_tasks-1.0.dist-info/METADATA,,\n")
    assert [source.base for source in installed("some-tasks", str(prefix)) or []] == [project / "src/some_tasks"]


def test_files_are_described_for_the_environment_that_is_named(tmp_path: Path, project: Path) -> None:
    prefix = environment(tmp_path, project, "")
    (by_directory,) = find(str(project), str(prefix))
    (by_file,) = find(str(project / "src/some_tasks" / MANIFEST), str(prefix))
    (by_default,) = find(str(project))
    assert (by_directory.prefix, by_file.prefix, by_default.prefix) == (prefix, prefix, None)
