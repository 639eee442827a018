"""Bundles that are made: reproducible, streamed, checked; and taken apart again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from trivet.contracts import cytomine
from trivet.contracts.cytomine import packing
from trivet.contracts.cytomine.bundle import open_bundle
from trivet.engines import EngineError
from trivet.engines.runtimes import open_api
from trivet.images.archive import describe, loadable
from trivet.runs.packing import pack
from trivet.tasks.problem import ProblemsError
from trivet.tasks.task import ContainerImage
from trivet.testing.archives import docker_archive, layer

NAME = "com.example.test-1.0.0"


def written(path: Path, image: bytes, pieces: int = 1000) -> Path:
    with path.open("wb") as stream:
        cut = [image[start : start + pieces] for start in range(0, len(image), pieces)]
        packing.write(stream, {"descriptor.yml": b"x: 1\n", "logo.png": b"\x89PNG"}, "image.tar", cut)
    return path


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    image = bytes(range(256)) * 50
    one, other = written(tmp_path / "a.zip", image), written(tmp_path / "b.zip", image, 7)
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        entries = archive.infolist()
        assert archive.read("image.tar") == image
    assert [entry.filename for entry in entries] == ["descriptor.yml", "logo.png", "image.tar"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_the_image_is_never_held_in_memory(tmp_path: Path) -> None:
    seen = []
    path = tmp_path / "a.zip"

    def image() -> Iterator[bytes]:
        for _ in range(64):
            seen.append(path.stat().st_size)
            yield b"\0" * 2**20

    with path.open("wb") as stream:
        packing.write(stream, {}, "image.tar", image())
    assert all(later - earlier >= 2**20 - 2**16 for earlier, later in pairwise(seen[1:]))


@pytest.mark.parametrize(
    ("image_file", "entry", "codes"),
    [
        (None, f"{NAME}.tar", []),
        (f"/{NAME}.tar", f"{NAME}.tar", []),
        (f"/images/{NAME}.tar", f"images/{NAME}.tar", []),
        ("/image.tar", "image.tar", ["C116"]),
    ],
)
def test_where_the_image_goes(image_file: str | None, entry: str, codes: list[str], good: dict[str, Any]) -> None:
    from trivet.contracts.source import Source

    if image_file:
        good["configuration"]["image"] = {"file": image_file}
    model = cytomine.read(Source("descriptor.json", json.dumps(good), Path("/nowhere"))).model
    name, problems = packing.image_entry(model)
    assert (name, [problem.code for problem in problems]) == (entry, codes)


def test_unpacking(good: dict[str, Any], tmp_path: Path) -> None:
    tar = docker_archive(tmp_path / "i.tar", [layer({"a": b"1"})], Entrypoint=["/a"]).read_bytes()
    text = json.dumps(good).encode()
    path = tmp_path / "b.zip"
    with path.open("wb") as stream:
        packing.write(stream, {"descriptor.yml": text}, "sub/image.tar", [tar])
    target = tmp_path / "out"
    assert list(packing.unpack(path, target)) == [target / "descriptor.yml", target / "sub/image.tar"]
    assert (target / "descriptor.yml").read_bytes() == text
    assert (target / "sub/image.tar").read_bytes() == tar
    with pytest.raises(ProblemsError, match="C117"):
        list(packing.unpack(path, target))
    raw = bytearray(path.read_bytes())
    raw[raw.index(tar[:100]) + 600] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ProblemsError, match=r"C113.*CRC"):
        list(packing.unpack(path, tmp_path / "damaged"))
    assert not (tmp_path / "damaged/sub/image.tar").exists()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a\\b"])
def test_nothing_is_unpacked_outside(name: str, good: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("descriptor.yml", json.dumps(good))
        archive.writestr(name, "x")
    with pytest.raises(ProblemsError, match="C103"):
        list(packing.unpack(path, tmp_path / "in/out"))
    assert sorted(tmp_path.rglob("*")) == [path]


def test_what_has_errors_is_not_packed(good: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match=r"descriptor\.yml"):
        pack(tmp_path, None)
    good["version"] = "1"
    (tmp_path / "descriptor.yml").write_text(json.dumps(good))
    with pytest.raises(ProblemsError, match="C013"):
        pack(tmp_path, None)


# With container engines


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = [layer({"program": b"1"}), layer({"data": b"2" * 100_000})]
    return docker_archive(tmp_path_factory.mktemp("image") / "i.tar", parts, Entrypoint=["/program"])


@pytest.fixture
def loaded(runtime: str, image: Path) -> Iterator[Callable[[], str]]:
    """The image in a container engine; every call gives its reference."""
    api, _, release = open_api(runtime)
    described = describe(str(image))
    api.load(loadable(str(image), described))
    reference = described.digest
    api.call("POST", f"/images/{reference}/tag", {"repo": "trivet/packed", "tag": "test"})
    yield lambda: "trivet/packed:test"
    api.call("DELETE", f"/images/{reference.removeprefix('sha256:')}", {"force": 1})
    release()


@pytest.fixture(scope="module")
def bundles() -> dict[str, bytes]:
    return {}


def test_a_bundle_is_the_same_whichever_engine_saved_it(
    runtime: str,
    loaded: Callable[[], str],
    image: Path,
    good: dict[str, Any],
    tmp_path: Path,
    bundles: dict[str, bytes],
) -> None:
    (tmp_path / "descriptor.yml").write_text(json.dumps(good))
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    target = tmp_path / "made.zip"
    packed = pack(tmp_path, target, loaded(), runtime=runtime)
    assert (packed.path, packed.digest, packed.problems) == (target, describe(str(image)).digest, ())
    again = pack(tmp_path, tmp_path / "again.zip", loaded(), runtime=runtime)
    bundles[runtime] = target.read_bytes()
    assert again.path.read_bytes() == target.read_bytes()
    assert len(set(bundles.values())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.zip", "descriptor.yml", "logo.png", "made.zip"]
    document = cytomine.read(open_bundle(target))
    assert cytomine.check(document) == ()
    assert cytomine.verify(document) == []
    program = cytomine.tasks(document)[0].program
    assert program == ContainerImage("com/example/test:1.0.0", str(target), member=f"{NAME}.tar")
    assert describe(f"{target}!{NAME}.tar").tags == ("com/example/test:1.0.0",)


def test_what_can_not_be_packed_leaves_nothing_behind(runtime: str, good: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "descriptor.yml").write_text(json.dumps(good))
    with pytest.raises(EngineError, match="there is no image no/such:image"):
        pack(tmp_path, tmp_path / "b.zip", "no/such:image", runtime=runtime)
    with pytest.raises(EngineError, match="has no Dockerfile"):
        pack(tmp_path, tmp_path / "b.zip", runtime=runtime)
    assert [path.name for path in tmp_path.iterdir()] == ["descriptor.yml"]
