"""An image's archive with nothing but its layers."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from trivet.images.archive import describe
from trivet.images.bare import bare, bare_archive
from trivet.images.opening import ImageError
from trivet.testing.archives import docker_archive, layer

LAYERS = [layer({"a": b"1"}), layer({"b": b"2", "c": b"3" * 2_000_000})]


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_layers_are_kept_and_what_the_image_would_set_is_not(tmp_path: Path) -> None:
    path = docker_archive(
        tmp_path / "image.tar", LAYERS, ["lab/x:1"], Env=["X=`id`"], Entrypoint=["evil"], User="root", WorkingDir="/w"
    )
    image = describe(str(path))
    found = members(b"".join(bare_archive(str(path), image)))
    (entry,) = json.loads(found["manifest.json"])
    config = json.loads(found[entry["Config"]])
    assert [found[name] for name in entry["Layers"]] == LAYERS
    assert entry["RepoTags"] is None
    assert config["config"] == {}
    assert config["rootfs"] == image.config["rootfs"]
    assert config["os"] == "linux"


def test_layers_may_come_compressed_from_elsewhere() -> None:
    packed = gzip.compress(LAYERS[0])
    found = members(b"".join(bare({"os": "linux"}, ["one", "one"], [("one", len(packed), io.BytesIO(packed))])))
    assert found["one"] == packed
    assert json.loads(found["manifest.json"])[0]["Layers"] == ["one", "one"]


def test_what_is_missing_or_short_is_told() -> None:
    with pytest.raises(ImageError, match="two is missing"):
        b"".join(bare({}, ["one", "two"], [("one", 1, io.BytesIO(b"x"))]))
    with pytest.raises(ImageError, match="1 bytes of one where 2 were announced"):
        b"".join(bare({}, ["one"], [("one", 2, io.BytesIO(b"x"))]))
