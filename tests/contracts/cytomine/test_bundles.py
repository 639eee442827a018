"""Bundles: found whatever the order of entries, never trusted, every fault told."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.contracts import cytomine, detect
from trivet.contracts.cytomine import packing, zips
from trivet.contracts.cytomine.bundle import open_bundle
from trivet.contracts.source import Source
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage
from trivet.testing.archives import blob, configuration, docker_archive, layer, write_tar

from .conftest import GOOD, examples

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
        ([("descriptor.yml", b"x"), ("a", b""), ("a/", b"")], ["C105"]),
        ([("descriptor.yml", b"x"), ("a/b/c", b""), ("a", b"")], ["C105"]),
        ([("descriptor.yml", b"x"), ("a", b""), ("a/b/c", b"")], ["C105"]),
        ([("descriptor.yml", b"x"), ("a/", b""), ("a/b", b""), ("a" * 256, b"")], ["C103"]),
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


def test_entries_that_share_their_bytes_are_refused(text: bytes, tmp_path: Path) -> None:
    path = bundle(tmp_path, [("descriptor.yml", text), ("image.tar", bytes(1024))])
    with zipfile.ZipFile(path, "a") as archive:
        again = copy.copy(archive.getinfo("image.tar"))
        again.filename = again.orig_filename = "again.tar"
        archive.filelist.append(again)
        archive.NameToInfo["again.tar"] = again
        archive._didModify = True  # type: ignore[attr-defined]
    assert "C106" in refused(path)


def test_a_list_of_entries_that_is_too_long_is_not_read(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle(tmp_path, [("descriptor.yml", text), ("image.tar", TAR)])
    monkeypatch.setattr(zips, "MAX_DIRECTORY", 50)
    assert refused(path) == ["C100"]
    # The same in the form that very large archives have.
    raw = path.read_bytes()
    at = raw.rindex(b"PK\x05\x06")
    size, place = struct.unpack_from("<LL", raw, at + 12)
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, size, place)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(raw[:at] + record + locator + end)
    assert refused(path) == ["C100"]
    monkeypatch.undo()
    assert open_bundle(path).text


def image_bundle(folder: Path, text: bytes, tar: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    return bundle(
        folder, [("image.tar", tar.read_bytes()), ("descriptor.yml", text), ("logo.png", b"x" * 99)], compression
    )


def verified(path: Path) -> list[tuple[str, str, str]]:
    found = cytomine.verify(cytomine.read(open_bundle(path)))
    return [(problem.code, problem.severity, problem.file.removeprefix(f"{path}/")) for problem in found]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_good_bundle(text: bytes, tmp_path: Path, compression: int) -> None:
    tar = docker_archive(tmp_path / "i.tar", [layer({"a": b"1"})], Entrypoint=["/a"])
    assert verified(image_bundle(tmp_path, text, tar, compression)) == []


def test_an_index_of_several_platforms_with_attestations(text: bytes, tmp_path: Path) -> None:
    members: dict[str, bytes] = {"oci-layout": b"{}"}
    content = layer({"a": b"1"})
    config = blob(members, configuration([content], Cmd=["/a"]), "application/vnd.oci.image.config.v1+json")
    layers = [blob(members, content, "application/vnd.oci.image.layer.v1.tar")]
    manifest = json.dumps({"config": config, "layers": layers}).encode()
    architecture = json.loads(configuration([]))["architecture"]
    listed = [
        blob(members, manifest, "m", platform={"os": "linux", "architecture": architecture}),
        blob(members, b'{"other": 1}', "m", platform={"os": "linux", "architecture": "s390x"}),
        blob(members, b"{}", "m", annotations={"vnd.docker.reference.type": "attestation-manifest"}),
    ]
    names = {"io.containerd.image.name": "x:1"}
    index = blob(members, json.dumps({"manifests": listed}).encode(), "i", annotations=names)
    members["index.json"] = json.dumps({"manifests": [index]}).encode()
    assert verified(image_bundle(tmp_path, text, write_tar(tmp_path / "i.tar", members))) == []
    only = [blob(members, b'{"other": 1}', "m", platform={"os": "linux", "architecture": name}) for name in ("a", "b")]
    members["index.json"] = json.dumps({"manifests": only}).encode()
    tar = write_tar(tmp_path / "i.tar", members)
    assert verified(image_bundle(tmp_path, text, tar)) == [("C112", "warning", "image.tar")]


def test_what_is_wrong_with_an_image(text: bytes, tmp_path: Path) -> None:
    tar = tmp_path / "i.tar"
    write_tar(tar, {"manifest.jsn": b"{}"})
    assert verified(image_bundle(tmp_path, text, tar)) == [("C111", "error", "image.tar")]
    tar.write_bytes(b"no tar at all")
    assert verified(image_bundle(tmp_path, text, tar)) == [("C110", "error", "image.tar")]
    write_tar(tar, {"manifest.json": b'[{"Config": "c.json", "Layers": []}]'})
    assert verified(image_bundle(tmp_path, text, tar)) == [("C110", "error", "image.tar")]
    docker_archive(tar, [layer({"a": b"1"})], tags=())
    path = image_bundle(tmp_path, text, tar)
    assert verified(path) == [("C114", "error", "image.tar"), ("C115", "warning", "image.tar")]


@pytest.mark.parametrize(("entry", "code"), [("image.tar", "C110"), ("logo.png", "C113")])
def test_a_bit_that_fell_over_is_found(entry: str, code: str, text: bytes, tmp_path: Path) -> None:
    tar = docker_archive(tmp_path / "i.tar", [layer({"a": b"1" * 5000})], Entrypoint=["/a"])
    path = image_bundle(tmp_path, text, tar)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"1" * 5000) + 2500 if entry == "image.tar" else raw.index(b"x" * 99) + 9
    raw[at] ^= 1
    path.write_bytes(raw)
    assert verified(path) == [(code, "error", entry)]


@pytest.mark.full
@pytest.mark.timeout(900)
def test_fifteen_gigabytes_are_streamed(text: bytes, tmp_path: Path) -> None:
    """A bundle with a layer of 15 GiB, a hole in a file that takes no room; whole process, peak memory below 100 MB."""
    size = 15 * 1024**3
    tar = docker_archive(tmp_path / "small.tar", [b"@" * 512], Entrypoint=["/a"]).read_bytes()
    header = tarfile.TarInfo("0/layer.tar")
    header.size = size
    at = tar.index(b"0/layer.tar\0")
    before, after = tar[:at] + header.tobuf(tarfile.GNU_FORMAT), tar[at + 1024 :]
    checksum = zlib.crc32(before)
    for _ in range(size // 2**20):
        checksum = zlib.crc32(bytes(2**20), checksum)
    checksum = zlib.crc32(after, checksum)
    whole = len(before) + size + len(after)
    path = bundle(tmp_path, [("descriptor.yml", text)])
    with path.open("r+b") as stream, zipfile.ZipFile(path) as archive:
        start = archive.start_dir
        stream.seek(start)
        listed = stream.read()
        end = listed.rindex(b"PK\x05\x06")
        extra = struct.pack("<HHQQ", 1, 16, whole, whole)
        common = struct.pack("<HHHHHLLLHH", 45, 0, 0, 0, 33, checksum, 0xFFFFFFFF, 0xFFFFFFFF, 9, len(extra))
        stream.seek(start)
        stream.write(b"PK\x03\x04" + common + b"image.tar" + extra + before)
        stream.seek(size, os.SEEK_CUR)
        stream.write(after)
        directory = stream.tell()
        stream.write(listed[:end])
        stream.write(b"PK\x01\x02\x2d\x03" + common + struct.pack("<HHHLL", 0, 0, 0, 0o100644 << 16, start))
        stream.write(b"image.tar" + extra)
        length = stream.tell() - directory
        record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, length, directory)
        stream.write(record + struct.pack("<4sLQL", b"PK\x06\x07", 0, directory + length, 1))
        stream.write(struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 2, 2, 0xFFFFFFFF, 0xFFFFFFFF, 0))
        stream.truncate()
    assert path.stat().st_blocks * 512 < 10 * 2**20
    code = (
        "import resource, sys; from trivet.cli import main; code = main(['check', sys.argv[1]]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split()[-1]) < 100e6


@cache
def undamaged(folder: Path) -> bytes:
    """A bundle without a fault; not an argument of the test below, which would print it."""
    tar = docker_archive(folder / "i.tar", [layer({"a": b"1"})], Entrypoint=["/a"])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("descriptor.yml", json.dumps(GOOD))
        archive.write(tar, "image.tar")
    return stream.getvalue()


@given(changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=20))
@settings(max_examples=examples(500), deadline=None)
def test_damaged_bundles_never_raise_anything_else(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    raw = bytearray(undamaged(folder))
    for place, value in changes:
        raw[place % len(raw)] = value
    path = folder / "damaged.zip"
    path.write_bytes(raw)
    try:
        source = open_bundle(path)
    except ProblemsError:
        return
    document = cytomine.read(source)
    cytomine.check(document)
    cytomine.verify(document)
    with suppress(ProblemsError):
        for file in packing.unpack(path, folder / "unpacked"):
            assert file.is_relative_to(folder / "unpacked")
    shutil.rmtree(folder / "unpacked", ignore_errors=True)


@pytest.mark.parametrize("name", ["", "a\nb", "C:/x", "a/../../b"])
def test_names_that_nothing_may_have(name: str, text: bytes, tmp_path: Path) -> None:
    path = bundle(tmp_path, [("descriptor.yml", text), ("image.tar", TAR), ("@@@@@@@@@"[: len(name)] or "@", b"x")])
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"@" * len(name), name.encode()) if name else _nameless(raw))
    assert "C103" in refused(path)


def _nameless(raw: bytes) -> bytes:
    """The same zip with the name of its last entry taken out of the list of entries."""
    at = raw.rindex(b"PK\x01\x02")
    entry = bytearray(raw[at : at + 46])
    struct.pack_into("<H", entry, 28, 0)
    end = bytearray(raw[at + 47 :])
    (size,) = struct.unpack_from("<L", end, 12)
    struct.pack_into("<L", end, 12, size - 1)
    return raw[:at] + bytes(entry) + bytes(end)
