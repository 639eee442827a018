"""Finding the manifest of a package of tasks: installed, editable, in a wheel; never imported."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from trivet.packages.manifests import in_wheel, installed, is_name, prefix_of
from trivet.runs.sources import find
from trivet.tasks.problem import ProblemsError

MANIFEST = json.dumps({"manifest_version": "2", "task_list": []})
METADATA = "Metadata-Version: 2.1\nName: Tiny.Tasks\nVersion: 1.2.3\n"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A Python environment that holds nothing."""
    (tmp_path / "env/lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / "env/bin").mkdir()
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    return tmp_path / "env"


def site(prefix: Path) -> Path:
    return prefix / "lib/python3.11/site-packages"


def register(prefix: Path, *files: str, **more: str) -> None:
    info = site(prefix) / "tiny_tasks-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for name, text in more.items():
        (info / name.replace("_json", ".json")).write_text(text)


def install(prefix: Path) -> Path:
    package = site(prefix) / "tiny_tasks"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported!')")
    (package / "__FRACTAL_MANIFEST__.json").write_text(MANIFEST)
    register(prefix, "tiny_tasks/__init__.py", "tiny_tasks/__FRACTAL_MANIFEST__.json")
    return package / "__FRACTAL_MANIFEST__.json"


@pytest.mark.parametrize("name", ["tiny-tasks", "Tiny_Tasks", "tiny.tasks"])
@pytest.mark.parametrize("python", ["", "bin/python"])
def test_an_installed_package_is_found_by_any_spelling_and_not_imported(prefix: Path, name: str, python: str) -> None:
    manifest = install(prefix)
    (source,) = find(name, str(prefix / python))
    assert (source.name, source.text, source.base) == (str(manifest), MANIFEST, manifest.parent)
    assert source.prefix == prefix
    assert source.attachments == {"METADATA": METADATA}
    assert "tiny_tasks" not in sys.modules


def test_a_package_of_this_environment_is_found(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = install(prefix)
    monkeypatch.syspath_prepend(str(site(prefix)))
    (source,) = find("tiny-tasks")
    assert (source.name, source.prefix) == (str(manifest), Path(sys.prefix))


@pytest.mark.parametrize("way", ["path file", "direct url", "direct url, flat"])
def test_an_editable_package_is_found_in_its_source(prefix: Path, tmp_path: Path, way: str) -> None:
    root = tmp_path / "my source" / ("" if way == "direct url, flat" else "src")
    (root / "tiny_tasks").mkdir(parents=True)
    (root / "tiny_tasks/__FRACTAL_MANIFEST__.json").write_text(MANIFEST)
    if way == "path file":
        (site(prefix) / "_tiny.pth").write_text(f"import something\n{root}\n")
        register(prefix, "_tiny.pth")
    else:
        url = (tmp_path / "my source").as_uri()
        register(prefix, direct_url_json=json.dumps({"url": url, "dir_info": {"editable": True}}))
    (source,) = find("tiny-tasks", str(prefix))
    assert source.name == str(root / "tiny_tasks/__FRACTAL_MANIFEST__.json")


def test_a_package_without_a_manifest_is_told(prefix: Path) -> None:
    register(prefix)
    with pytest.raises(ProblemsError, match=r"the package Tiny.Tasks 1.2.3 has no __FRACTAL_MANIFEST__.json"):
        find("tiny-tasks", str(prefix))


def test_a_package_that_is_not_installed_is_none(prefix: Path) -> None:
    assert installed("tiny-tasks", str(prefix)) is None


@pytest.mark.parametrize("what", ["nowhere", "file", "directory"])
def test_what_is_no_environment_is_told(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    with pytest.raises(ProblemsError, match="this is no Python environment"):
        prefix_of(str(tmp_path / what))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("fractal-tasks-core", True),
        ("a", True),
        ("a.b_c", True),
        ("-a", False),
        ("a/b", False),
        ("a:1", False),
        ("", False),
    ],
)
def test_what_may_be_the_name_of_a_package(text: str, verdict: bool) -> None:
    assert is_name(text) is verdict


def wheel(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, MANIFEST)
        archive.writestr("tiny_tasks-1.2.3.dist-info/METADATA", METADATA)
    return path


def test_a_wheel_is_read(tmp_path: Path) -> None:
    path = wheel(tmp_path / "tiny_tasks-1.2.3-py3-none-any.whl", "tiny_tasks/__FRACTAL_MANIFEST__.json")
    (source,) = find(str(path))
    assert source.name == f"{path}/tiny_tasks/__FRACTAL_MANIFEST__.json"
    assert (source.text, source.archive, source.attachments) == (MANIFEST, path, {"METADATA": METADATA})


def test_a_wheel_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match=r"the wheel has no __FRACTAL_MANIFEST__\.json"):
        in_wheel(wheel(tmp_path / "x.whl", "other.json"))


def test_a_bomb_in_a_wheel_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("p/__FRACTAL_MANIFEST__.json", "w") as f,
    ):
        for _ in range(20):
            f.write(bytes(2**20))
    assert path.stat().st_size < 100_000
    with pytest.raises(ProblemsError, match="has more than 16,777,216 bytes"):
        in_wheel(path)


def test_a_damaged_wheel_is_told(tmp_path: Path) -> None:
    path = wheel(tmp_path / "x.whl", "p/__FRACTAL_MANIFEST__.json")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"manifest_version")] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(ProblemsError, match="the wheel can't be read: Bad CRC-32"):
        in_wheel(path)
