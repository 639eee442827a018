"""Bundles: found whatever the order of entries, never trusted, every fault told."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.contracts import cytomine, detect
from trivet.contracts.cytomine import zips
from trivet.contracts.cytomine.bundle import open_bundle
from trivet.contracts.source import Source
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage

Entries = list[tuple[str, bytes]]
TAR = b"\x00" * 1024


def bundle(folder: Path, entries: Entries, compression: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "bundle.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(ProblemsError) as caught:
        open_bundle(path)
    return [problem.code for problem in caught.value.problems]


@pytest.fixture
def text(good: dict[str, Any]) -> bytes:
    return json.dumps(good).encode()  # JSON is YAML


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("no_version", {"C013"}),
        ("no_version-dir-variant", {"C013"}),
        ("unexpected_path", {"C001", "C013"}),
        ("wrong_name", {"C001", "C013"}),
        ("test_default_image_location_task", {"C001"}),
    ],
)
def test_bundles_of_the_corpus_are_refused_for_their_descriptor(name: str, codes: set[str], corpus: Path) -> None:
    source = open_bundle(corpus / f"bundles/bundle__{name}.zip")
    assert detect(source) == "cytomine"
    problems = cytomine.check(cytomine.read(source))
    assert {problem.code for problem in problems if problem.severity == "error"} == codes


def test_what_is_no_zip(corpus: Path, tmp_path: Path) -> None:
    assert refused(corpus / "bundles/bundle__wrong-archive-format.7z") == ["C100"]
    assert refused(tmp_path / "absent.zip") == ["C100"]
    assert refused(tmp_path) == ["C100"]


@pytest.mark.parametrize(
    ("tars", "image_file", "found", "codes"),
    [
        (["com.example.test-1.0.0.tar", "image.tar", "other.tar"], "", "com.example.test-1.0.0.tar", []),
        (["other.tar", "image.tar"], "", "image.tar", []),
        (["sub/any.tar"], "", "sub/any.tar", []),
        (["a/my.tar", "image.tar"], "/a/my.tar", "a/my.tar", []),
        (["image.tar"], "/a/my.tar", "image.tar", ["C109"]),
        (["image.tar", "__MACOSX/image.tar", "._image.tar", "logo.png"], "", "image.tar", []),
        (["a.tar", "b.tar"], "", None, ["C108"]),
        ([], "", None, ["C108"]),
    ],
)
def test_which_tar_is_the_image(
    tars: list[str], image_file: str, found: str | None, codes: list[str], good: dict[str, Any], tmp_path: Path
) -> None:
    if image_file:
        good["configuration"]["image"] = {"file": image_file}
    entries = [*((name, TAR) for name in tars), ("descriptor.yml", json.dumps(good).encode())]
    for order in (entries, entries[::-1]):
        path = bundle(tmp_path, order)
        document = cytomine.read(open_bundle(path))
        assert [problem.code for problem in cytomine.check(document)] == codes
        assert document.model.archive_image == found
        if found:
            program = cytomine.tasks(document)[0].program
            assert program == ContainerImage("com/example/test:1.0.0", str(path), member=found)


def test_an_image_that_is_named_takes_the_place_of_the_one_inside(text: bytes, tmp_path: Path) -> None:
    source = replace(open_bundle(bundle(tmp_path, [("Descriptor.YAML", text)])), image="me/mine:1")
    document = cytomine.read(source)
    assert cytomine.check(document) == ()
    assert cytomine.tasks(document)[0].program == ContainerImage("me/mine:1")


def test_problems_of_the_descriptor_and_of_the_bundle_come_together(good: dict[str, Any], tmp_path: Path) -> None:
    good["version"] = "1"
    path = bundle(tmp_path, [("descriptor.yml", json.dumps(good, indent=1).encode())])
    source = open_bundle(path)
    placed = source.place(cytomine.check(cytomine.read(source)))
    assert [(problem.code, problem.file, problem.line) for problem in placed] == [
        ("C013", f"{path}/descriptor.yml", 6),
        ("C108", str(path), None),
    ]


@pytest.mark.parametrize(
    ("entries", "codes"),
    [
        ([("image.tar", TAR)], ["C101"]),
        ([("bundle/descriptor.yml", b"x"), ("bundle/image.tar", TAR)], ["C101"]),
        ([("descriptor.yml", b"x"), ("descriptor.yaml", b"x")], ["C102"]),
        ([("../descriptor.yml", b"x"), ("/etc/passwd", b"x"), ("a\\b", b"x")], ["C103", "C103", "C103", "C101"]),
        ([("__MACOSX/descriptor.yml", b"x")], ["C101"]),
        ([("descriptor.yml", b"")], ["T002"]),
        ([("descriptor.yml", b"\xff\x00\x01")], ["T003"]),
        ([("descriptor.yml", b"#" * (16 * 1024**2 + 1))], ["T004"]),
    ],
)
def test_what_is_wrong_with_a_zip(entries: Entries, codes: list[str], tmp_path: Path) -> None:
    assert refused(bundle(tmp_path, entries)) == codes


def test_links_are_refused(text: bytes, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("image.tar")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("descriptor.yml", text)
        archive.writestr(link, "/var/run/docker.sock")
    assert refused(tmp_path / "b.zip") == ["C104"]


def test_duplicate_names_are_refused(text: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("descriptor.yml", text)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("descriptor.yml", text)
    assert refused(tmp_path / "b.zip") == ["C105"]


def test_bombs_are_refused(text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(65 * 1024**2)
    entries = [("descriptor.yml", text), ("image.tar", zeros)]
    assert refused(bundle(tmp_path, entries, zipfile.ZIP_DEFLATED)) == ["C106"]
    assert open_bundle(bundle(tmp_path, entries)).text
    monkeypatch.setattr(zips, "MAX_UNPACKED", 1000)
    assert refused(bundle(tmp_path, [("descriptor.yml", text), ("image.tar", TAR)])) == ["C106"]
    monkeypatch.setattr(zips, "MAX_ENTRIES", 1)
    assert refused(bundle(tmp_path, [("descriptor.yml", text), ("image.tar", TAR)])) == ["C106"]


def test_a_document_of_a_bundle_can_be_read_again_from_its_texts(text: bytes, tmp_path: Path) -> None:
    document = cytomine.read(open_bundle(bundle(tmp_path, [("descriptor.yml", text), ("image.tar", TAR)])))
    (tmp_path / "bundle.zip").unlink()
    [(name, again)] = document.texts.items()
    source = Source(name, again, Path(document.base), image="x", archive=document.model.archive)
    assert cytomine.read(source).model.problems == ()


@given(changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bundles_never_raise_anything_else(
    changes: list[tuple[int, int]], text: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("descriptor.yml", text)
        archive.writestr("image.tar", TAR)
    raw = bytearray(stream.getvalue())
    for place, value in changes:
        raw[place % len(raw)] = value
    path = tmp_path_factory.mktemp("damaged") / "b.zip"
    path.write_bytes(raw)
    try:
        source = open_bundle(path)
    except ProblemsError:
        return
    cytomine.check(cytomine.read(source))
