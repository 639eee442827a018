"""The commands for Cytomine's tasks, as they are typed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from trivet.testing.archives import docker_archive, layer

from .conftest import DESCRIPTOR, Trivet


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle without a fault."""
    tar = docker_archive(tmp_path / "image.tar", [layer({"a": b"1" * 5000})], Entrypoint=["/a"])
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("descriptor.yml", DESCRIPTOR)
        archive.write(tar, "org.example.add-1.0.0.tar")
    tar.unlink()
    return path


def test_a_new_project_is_without_a_fault(trivet: Trivet, tmp_path: Path) -> None:
    done = trivet("new", "cytomine", "cell-counter")
    assert done.returncode == 0
    assert "trivet check cell-counter && trivet cytomine test cell-counter" in done.stderr
    assert sorted(done.stdout.split()) == sorted(
        str(path.relative_to(tmp_path)) for path in (tmp_path / "cell-counter").rglob("*") if path.is_file()
    )
    checked = trivet("check", "cell-counter", "--strict")
    assert (checked.returncode, checked.stdout) == (0, "ok cytomine descriptor cell-counter/descriptor.yml\n")
    assert trivet("new", "cytomine", "cell-counter").returncode == 1


@pytest.mark.parametrize("name", ["Cell Counter", "ab", "x" * 31, "a-", "../up", ""])
def test_what_can_not_be_the_name_of_a_task(name: str, trivet: Trivet, tmp_path: Path) -> None:
    done = trivet("new", "cytomine", name)
    assert done.returncode == 2
    assert "can't be the name of a task" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_checked_to_its_last_byte(trivet: Trivet, bundle: Path) -> None:
    assert trivet("check", "bundle.zip").returncode == 0
    raw = bytearray(bundle.read_bytes())
    raw[raw.index(b"1" * 5000) + 100] ^= 1
    bundle.write_bytes(raw)
    done = trivet("check", "bundle.zip", "--format", "json")
    [checked] = json.loads(done.stdout)
    [problem] = checked["problems"]
    assert done.returncode == 1
    assert (problem["code"], problem["file"]) == ("C110", "bundle.zip/org.example.add-1.0.0.tar")


def test_taking_a_bundle_apart(trivet: Trivet, bundle: Path, tmp_path: Path) -> None:
    done = trivet("cytomine", "unpack", "bundle.zip", "apart")
    assert (done.returncode, done.stdout) == (0, "apart/descriptor.yml\napart/org.example.add-1.0.0.tar\n")
    assert (tmp_path / "apart/descriptor.yml").read_text() == DESCRIPTOR
    again = trivet("cytomine", "unpack", "bundle.zip", "apart")
    assert again.returncode == 1
    assert "C117" in again.stderr
    bundle.write_bytes(b"PK")
    assert trivet("cytomine", "unpack", "bundle.zip", "other").returncode == 1
    assert not (tmp_path / "other").exists()


def test_a_page_for_users(trivet: Trivet, descriptor: Path) -> None:
    text = DESCRIPTOR.replace("First operand", "First | *operand*\n").replace(
        "    type: integer\noutputs",
        "    default: b`|c\n    type: {id: enumeration, values: ['a', 'b`|c']}\noutputs",
    )
    descriptor.write_text(text)
    done = trivet("cytomine", "describe", "descriptor.yml")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "# Add"
    assert "| namespace | `org.example.add` |" in lines
    row = '| `a` | one of `a`, `` b`\\|c `` | default `` "b`\\|c" `` | **A.** First \\| \\*operand\\* |'
    assert row in lines
    assert "| `sum` | integer |  | **Sum.** The sum |" in lines
    assert lines[-1] == "- Ada Example, Example <ada@example.org> (contact)"


def test_only_descriptors_are_described(trivet: Trivet, container: Path) -> None:
    done = trivet("cytomine", "describe", str(container))
    assert done.returncode == 1
    assert "is a task of kaapana" in done.stderr


def test_a_bundle_that_is_there_is_not_replaced(trivet: Trivet, descriptor: Path, tmp_path: Path) -> None:
    (tmp_path / "org.example.add-1.0.0.zip").write_text("precious")
    done = trivet("cytomine", "pack", ".")
    assert done.returncode == 1
    assert "--force" in done.stderr
    descriptor.write_text(DESCRIPTOR.replace("1.0.0", "1"))
    broken = trivet("cytomine", "pack", ".")
    assert broken.returncode == 1
    assert "descriptor.yml:3:" in broken.stderr


def test_values_are_refused_before_a_run_exists(trivet: Trivet, descriptor: Path, tmp_path: Path) -> None:
    (tmp_path / "values.yml").write_text("a: 1\nb: 2\n")
    home = {"TRIVET_HOME": str(tmp_path / "home")}
    done = trivet("run", "descriptor.yml", "--values", "values.yml", env=home)
    assert done.returncode == 1
    assert "B001" in done.stderr
    (tmp_path / "values.yml").write_text("a: [\n")
    done = trivet("run", "descriptor.yml", "--values", "values.yml", env=home)
    assert "values.yml:2" in done.stderr
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("one")
    done = trivet("run", "descriptor.yml", "--inputs-from", "in", env=home)
    assert "C202 input `a` 'one' is not a whole number" in done.stderr
    done = trivet("run", "descriptor.yml", "a=1", "--memory", "much", env=home)
    assert done.returncode == 2
    assert not (tmp_path / "home/runs").exists()


def test_commands_for_authors_are_listed(trivet: Trivet) -> None:
    done = trivet("cytomine")
    assert done.returncode == 0
    for name in ("test", "pack", "unpack", "describe"):
        assert f"  {name} " in done.stdout
    assert trivet("cytomine", "pak").returncode == 2
