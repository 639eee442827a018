"""Image archives are read as an engine would read them, and hostile ones are refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from trivet.images.archive import ImageError, describe, loadable, read_file
from trivet.testing.archives import Link, blob, configuration, docker_archive, layer, write_tar

BASE = layer(
    {"etc/": b"", "etc/task.json": b"old", "data/a": b"a", "data/b": b"b", "bin": Link("usr/bin"), "usr/bin/x": b"x"}
)
TOP = layer({"etc/task.json": b"new", "data/.wh.a": b"", "entry.json": Link("/etc/task.json")})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return docker_archive(tmp_path / "image.tar", [BASE, TOP], tags=["lab/seg:1.2"], Cmd=["seg"])


def test_docker_save_is_described(archive: Path) -> None:
    image = describe(str(archive))
    assert image.tags == ("lab/seg:1.2",)
    assert image.digest == "sha256:" + hashlib.sha256(configuration([BASE, TOP], Cmd=["seg"])).hexdigest()
    assert image.config["config"] == {"Cmd": ["seg"]}
    assert image.layers == ("0/layer.tar", "1/layer.tar")
    assert image.platform.startswith("linux/")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/task.json", b"new"),
        ("/data/b", b"b"),
        ("/data/a", None),
        ("/entry.json", b"new"),
        ("/bin/x", b"x"),
        ("/etc", None),
        ("/nothing", None),
    ],
)
def test_files_are_read_through_layers_whiteouts_and_links(archive: Path, path: str, content: bytes | None) -> None:
    assert read_file(str(archive), path) == content


def test_an_opaque_directory_hides_what_was_below_but_not_its_own(tmp_path: Path) -> None:
    top = layer({"data/c": b"c", "data/.wh..wh..opq": b""})
    archive = str(docker_archive(tmp_path / "image.tar", [BASE, top]))
    assert [read_file(archive, f"/data/{name}") for name in "abc"] == [None, None, b"c"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    archive = docker_archive(tmp_path / "image.tar", [layer({"a": Link("b"), "b": Link("a")})])
    with pytest.raises(ImageError, match="too many links"):
        read_file(str(archive), "/a")


def test_layers_saved_once_and_linked(tmp_path: Path) -> None:
    """Older `docker save` writes a layer that occurs twice as a link to the first."""
    text = configuration([BASE, BASE])
    name = hashlib.sha256(text).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": ["one/layer.tar", "two/layer.tar"]}]).encode()
    path = write_tar(tmp_path / "image.tar", {"manifest.json": manifest, name: text, "one/layer.tar": BASE})
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("two/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../one/layer.tar"
        tar.addfile(link)
    assert describe(str(path)).layers == ("one/layer.tar", "one/layer.tar")
    assert read_file(str(path), "/data/a") == b"a"


def oci(path: Path, *, index_of: str = "plain") -> Path:
    """An OCI layout with a compressed layer, as buildx writes it: platforms and an attestation where asked for."""
    members: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    text = configuration([BASE])
    machine = json.loads(text)["architecture"]

    def manifest(config: bytes, content: bytes) -> bytes:
        described = {
            "schemaVersion": 2,
            "config": blob(members, config, "application/vnd.oci.image.config.v1+json"),
            "layers": [blob(members, gzip.compress(content), "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        return json.dumps(described).encode()

    kind = "application/vnd.oci.image.manifest.v1+json"
    here: dict[str, Any] = {"platform": {"os": "linux", "architecture": machine}}
    name = {"annotations": {"org.opencontainers.image.ref.name": "lab/seg:2"}}
    mine = blob(members, manifest(text, BASE), kind, **here)
    if index_of == "plain":
        listed = [mine | name]
    else:
        other = blob(members, manifest(b'{"architecture":"s390x","os":"linux"}', TOP), kind)
        other["platform"] = {"os": "linux", "architecture": "s390x"}
        proof = blob(members, b'{"layers":[]}', kind, annotations={"vnd.docker.reference.type": "attestation-manifest"})
        inner = json.dumps({"manifests": [other, proof, mine] if index_of == "platforms" else [other, proof]}).encode()
        listed = [blob(members, inner, "application/vnd.oci.image.index.v1+json") | name]
        if index_of == "foreign":
            listed = [other, other | {"platform": {"os": "linux", "architecture": "mips"}}]
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    return write_tar(path, members)


@pytest.mark.parametrize("form", ["plain", "platforms"])
def test_oci_layouts(tmp_path: Path, form: str) -> None:
    path = oci(tmp_path / "image.tar", index_of=form)
    image = describe(str(path))
    assert image.digest == "sha256:" + hashlib.sha256(configuration([BASE])).hexdigest()
    assert image.tags == ("lab/seg:2",)
    assert read_file(str(path), "/etc/task.json", image) == b"old"


def test_an_image_for_other_machines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="only linux/s390x, linux/mips"):
        describe(str(oci(tmp_path / "image.tar", index_of="foreign")))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_image_in_a_bundle_is_read_without_unpacking(archive: Path, tmp_path: Path, compression: int) -> None:
    bundle = tmp_path / "lab.seg-1.2.zip"
    with zipfile.ZipFile(bundle, "w", compression) as file:
        file.writestr("descriptor.yml", "name: seg")
        file.writestr("__MACOSX/._image.tar", "x")
        file.write(archive, "deep/image.tar")
    before = sorted(tmp_path.iterdir())
    assert describe(str(bundle)) == describe(f"{bundle}!deep/image.tar") == describe(str(archive))
    assert read_file(str(bundle), "/etc/task.json") == b"new"
    assert sorted(tmp_path.iterdir()) == before
    bundle.rename(tmp_path / "odd!name.zip")
    assert describe(f"{tmp_path}/odd!name.zip") == describe(f"{tmp_path}/odd!name.zip!deep/image.tar")


def test_of_several_images_in_a_bundle_the_conventional_one_is_taken(archive: Path, tmp_path: Path) -> None:
    other = docker_archive(tmp_path / "other.tar", [TOP])
    bundle = tmp_path / "lab.seg-1.2.zip"
    with zipfile.ZipFile(bundle, "w") as file:
        file.write(other, "other.tar")
        file.write(archive, "lab.seg-1.2.tar")
    assert describe(str(bundle)) == describe(str(archive))
    assert describe(f"{bundle}!other.tar") == describe(str(other))
    bundle.rename(tmp_path / "renamed.zip")
    with pytest.raises(ImageError, match=r"several images \(other.tar, lab.seg-1.2.tar\).*!ENTRY"):
        describe(str(tmp_path / "renamed.zip"))


def test_of_several_images_in_a_tar_the_name_decides(tmp_path: Path) -> None:
    one, two = configuration([BASE]), configuration([TOP])
    names = [hashlib.sha256(text).hexdigest() + ".json" for text in (one, two)]
    manifest = [
        {"Config": names[0], "RepoTags": ["one:1"], "Layers": ["1.tar"]},
        {"Config": names[1], "RepoTags": ["two:1"], "Layers": ["2.tar"]},
    ]
    members = {
        names[0]: one,
        names[1]: two,
        "1.tar": BASE,
        "2.tar": TOP,
        "manifest.json": json.dumps(manifest).encode(),
    }
    path = str(write_tar(tmp_path / "image.tar", members))
    assert describe(path, "two:1").layers == ("2.tar",)
    with pytest.raises(ImageError, match=r"2 images \(one:1, two:1\)"):
        describe(path)


def test_what_is_loaded_has_no_names_and_only_what_the_image_needs(tmp_path: Path) -> None:
    path = oci(tmp_path / "image.tar", index_of="platforms")
    image = describe(str(path))
    written = tmp_path / "loadable.tar"
    written.write_bytes(b"".join(loadable(str(path), image)))
    with tarfile.open(written) as tar:
        assert set(tar.getnames()) == {image.config_member, *image.layers, "manifest.json"}
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
    assert manifest == [{"Config": image.config_member, "RepoTags": None, "Layers": list(image.layers)}]
    again = describe(str(written))
    assert (again.digest, again.tags) == (image.digest, ())
    assert read_file(str(written), "/etc/task.json") == b"old"


def hostile(name: str) -> bytes:
    return json.dumps([{"Config": name, "RepoTags": [], "Layers": [name]}]).encode()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"readme": b"x"}, "neither manifest.json nor index.json"),
        ({"manifest.json": b"{"}, "not JSON"),
        ({"manifest.json": b"[" * 200_000}, "not JSON"),
        ({"manifest.json": b"[]"}, "0 images"),
        ({"manifest.json": b'[{"Config": 1}]'}, "without configuration"),
        ({"manifest.json": hostile("missing")}, "missing is missing"),
        ({"manifest.json": hostile("../../etc/passwd")}, "leads out"),
        ({"../evil": b"x", "manifest.json": b"[]"}, "leads out"),
        ({"manifest.json": hostile("0" * 64 + ".json"), "0" * 64 + ".json": b"{}"}, "was changed"),
        ({"manifest.json": hostile("c.json"), "c.json": b"[1]"}, "no object"),
        ({"index.json": b'{"manifests": [{"digest": "sha256"}]}'}, "without digest"),
        ({"index.json": b"{}"}, "only none"),
    ],
)
def test_broken_and_hostile_archives_are_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    path = write_tar(tmp_path / "image.tar", members)
    with pytest.raises(ImageError, match=message) as caught:
        describe(str(path))
    assert str(path) in str(caught.value)


def test_an_index_that_points_to_itself_ends(tmp_path: Path) -> None:
    """A digest can't be forged, but nothing checks the name of a blob before it is read."""
    digest = "sha256:" + "0" * 64
    again = json.dumps({"manifests": [{"digest": digest}]}).encode()
    path = write_tar(tmp_path / "image.tar", {"index.json": again, "blobs/sha256/" + "0" * 64: again})
    with pytest.raises(ImageError, match="leads to no image"):
        describe(str(path))


@pytest.mark.parametrize("content", [b"", b"not a tar at all" * 100, b"PK\3\4 but no zip", b"\x1f\x8b broken"])
def test_files_that_are_no_archives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"image\.tar"):
        describe(str(path))


def test_paths_that_are_no_files(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        describe(str(tmp_path / "nothing.tar"))
    with pytest.raises(ImageError, match="is not a file"):
        describe(str(tmp_path))
    with pytest.raises(ImageError, match="not a zip"):
        describe(f"{archive}!image.tar")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as file:
        file.writestr("descriptor.yml", "x")
    with pytest.raises(ImageError, match=r"no entry image\.tar"):
        describe(f"{tmp_path / 'bundle.zip'}!image.tar")
    with pytest.raises(ImageError, match="holds no image"):
        describe(str(tmp_path / "bundle.zip"))


def test_a_layer_that_unfolds_without_measure_is_refused(tmp_path: Path) -> None:
    """The header of a file of 2 TiB in a layer of a few bytes."""
    info = tarfile.TarInfo("huge")
    info.size = 2 * 2**40
    bomb = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(ImageError, match="unfold to more"):
        read_file(str(docker_archive(tmp_path / "image.tar", [bomb])), "/x")


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33
    path = tmp_path / "image.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(ImageError, match="no honest one"):
        describe(str(path))


def test_a_file_too_large_to_read_is_refused(tmp_path: Path) -> None:
    archive = docker_archive(tmp_path / "image.tar", [layer({"big": bytes(65 * 2**20)})])
    with pytest.raises(ImageError, match="more than 67108864"):
        read_file(str(archive), "/big")


@pytest.mark.parametrize("cut", [100, 600, 3000])
def test_an_archive_cut_short_is_refused(archive: Path, cut: int) -> None:
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(ImageError):
        describe(str(archive))
