"""An image's archive written anew: the same image, the same bytes, and nothing but the image."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from trivet.images.archive import describe, read_file
from trivet.images.canonical import canonical
from trivet.images.opening import ImageError
from trivet.testing.archives import blob, configuration, docker_archive, layer, write_tar

LAYERS = [layer({"etc/a": b"1"}), layer({"etc/b": b"2" * 2_000_000})]


def rewritten(source: Path, tag: str = "x/y:1") -> bytes:
    return b"".join(canonical(str(source), describe(str(source)), tag))


def oci_archive(path: Path, layers: list[bytes]) -> Path:
    members: dict[str, bytes] = {}
    blobs = [blob(members, one, "application/vnd.oci.image.layer.v1.tar") for one in reversed(layers)]
    config = blob(members, configuration(layers, Cmd=["/a"]), "application/vnd.oci.image.config.v1+json")
    manifest = {"config": config, "layers": blobs[::-1]}
    named = {"org.opencontainers.image.ref.name": "other:2"}
    listed = [blob(members, json.dumps(manifest).encode(), "m", annotations=named)]
    return write_tar(path, {"index.json": json.dumps({"manifests": listed}).encode(), **members, "junk": b"?" * 999})


def test_the_same_image_gives_the_same_bytes_whoever_saved_it(tmp_path: Path) -> None:
    docker = docker_archive(tmp_path / "docker.tar", LAYERS, tags=("a:1", "b:2"), Cmd=["/a"])
    oci = oci_archive(tmp_path / "oci.tar", LAYERS)
    assert rewritten(docker) == rewritten(oci)
    assert rewritten(docker) != rewritten(docker, "x/y:2")


def test_it_is_the_same_image_and_nothing_else(tmp_path: Path) -> None:
    source = oci_archive(tmp_path / "oci.tar", LAYERS)
    made = tmp_path / "made.tar"
    made.write_bytes(rewritten(source))
    before, after = describe(str(source)), describe(str(made))
    assert (after.digest, after.config, after.tags) == (before.digest, before.config, ("x/y:1",))
    assert read_file(str(made), "/etc/a") == b"1"
    digests = [hashlib.sha256(one).hexdigest() for one in LAYERS]
    with tarfile.open(made) as tar:
        names = [f"{after.digest.removeprefix('sha256:')}.json", *(f"{one}/layer.tar" for one in digests)]
        assert tar.getnames() == [*names, "manifest.json"]
        assert {(member.mtime, member.uid, member.mode) for member in tar} == {(0, 0, 0o644)}


def test_a_layer_that_is_there_twice_is_written_once(tmp_path: Path) -> None:
    twice = [LAYERS[0], LAYERS[0]]
    made = tmp_path / "made.tar"
    made.write_bytes(rewritten(oci_archive(tmp_path / "oci.tar", twice)))
    image = describe(str(made))
    assert image.layers[0] == image.layers[1]
    with tarfile.open(made) as tar:
        assert len(tar.getnames()) == 3


def test_an_image_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    text = json.dumps({"os": "linux", "rootfs": {"diff_ids": []}}).encode()
    manifest = json.dumps([{"Config": "c.json", "Layers": ["l.tar"]}]).encode()
    path = write_tar(tmp_path / "i.tar", {"c.json": text, "l.tar": LAYERS[0], "manifest.json": manifest})
    with pytest.raises(ImageError, match="1 layers"):
        rewritten(path)
