"""Formats and sizes of images by their headers, against the libraries that decode them."""

from __future__ import annotations

import io
import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import DATA_ROOT

from trivet.contracts.cytomine import slides
from trivet.contracts.cytomine.pictures import Picture, extension, inspect
from trivet.contracts.cytomine.values import Reader
from trivet.tasks import types
from trivet.tasks.values import FileRef

from .conftest import examples

AT = ("inputs", "x")


def look(path: Path) -> Picture:
    with path.open("rb") as stream:
        return inspect(stream)


def judged(kind: types.File, path: Path) -> list[str]:
    reader = Reader()
    reader.judge(kind, FileRef(str(path)), AT)
    return [problem.code for problem in reader.problems]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("a.png", {}, "png"),
        ("a.jpg", {}, "jpeg"),
        ("a.jpg", {"progressive": True, "exif": b"Exif\x00\x00" + b"\xff" * 20_000}, "jpeg"),
        ("a.tif", {}, "tiff"),
        ("a.bmp", {}, ""),
    ],
)
def test_images_written_by_pillow(name: str, options: dict[str, object], expected: str, tmp_path: Path) -> None:
    Image.new("RGB", (123, 45)).save(tmp_path / name, **options)
    size = (123, 45) if expected else (None, None)
    assert look(tmp_path / name) == Picture(expected, *size)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_tiff_of_every_make(bigtiff: bool, order: str, tile: tuple[int, int] | None, tmp_path: Path) -> None:
    data = np.zeros((70, 50, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a", data, bigtiff=bigtiff, byteorder=order, tile=tile, photometric="rgb")
    assert look(tmp_path / "a") == Picture("tiff", 50, 70)


def test_images_of_the_corpus(corpus: Path) -> None:
    assert look(corpus / "images/image-680x512.png") == Picture("png", 680, 512)
    assert look(corpus / "images/image-680x512.jpg") == Picture("jpeg", 680, 512)


def dicom_files() -> list[Path]:
    """The files inside the pydicom package; its own finder would fetch more."""
    found = sorted(Path(DATA_ROOT, "test_files").glob("*.dcm"))
    return [path for path in found if path.read_bytes()[128:132] == b"DICM"]


@pytest.mark.filterwarnings("ignore:Expected explicit VR")
def test_dicom_files_of_pydicom() -> None:
    checked = 0
    for path in dicom_files():
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True)
        except Exception:
            continue
        size = (data.get("Columns"), data.get("Rows"))
        if None in size:
            size = (None, None)
        found = look(path)
        assert (path.name, found.format) == (path.name, "dicom")
        assert (path.name, found.width, found.height) == (path.name, *size)
        checked += size[0] is not None
    assert checked > 20


def test_a_zipped_slide(corpus: Path, tmp_path: Path) -> None:
    archive = corpus / "images/wsidicom-4-files.zip"
    picture, size = slides.of_zip(archive)
    assert picture == Picture("wsidicom", 240, 240)
    assert size == 88432 + 32414 + 941352 + 51338
    slides.unpack(archive, tmp_path)
    assert slides.of_directory(tmp_path) == (picture, size)
    assert judged(types.Image(("wsidicom",)), archive) == []
    assert judged(types.Image(("wsidicom",)), tmp_path) == []
    assert judged(types.Image(("png", "dicom")), archive) == ["C210"]
    assert judged(types.Image(max_width=239), archive) == ["C212"]
    assert judged(types.Image(max_size=size - 1), tmp_path) == ["C213"]


def test_a_directory_is_no_slide_from_its_first_other_file_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(5):
        (tmp_path / str(index)).write_bytes(b"no image")
    seen: list[Picture] = []
    monkeypatch.setattr(slides, "inspect", lambda stream: seen.append(inspect(stream)) or seen[-1])
    with pytest.raises(ValueError, match=r"other files than DICOM, such as [0-4]$"):
        slides.of_directory(tmp_path)
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["../evil", "/evil", "a\\b", "a/../../b"])
def test_a_slide_never_leads_outside(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"\x00" * 128 + b"DICM")
    assert judged(types.Image(), tmp_path / "a.zip") == ["C210"]


def test_a_zip_of_other_files_is_no_image(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert judged(types.Image(), tmp_path / "a.zip") == ["C210"]
    assert judged(types.File(), tmp_path / "a.zip") == []


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (types.Image(), []),
        (types.Image(("png",), max_width=123, max_height=45), []),
        (types.Image(max_width=122), ["C212"]),
        (types.Image(max_width=122, max_height=44), ["C212", "C218"]),
        (types.Image(("jpeg", "tiff")), ["C210"]),
        (types.Image(max_size=50), ["C213"]),
    ],
)
def test_constraints_of_images(kind: types.Image, codes: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (123, 45)).save(tmp_path / "a.png")
    assert judged(kind, tmp_path / "a.png") == codes


def test_any_bytes_are_an_image_until_a_constraint_asks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"whatever")
    assert judged(types.Image(), tmp_path / "a") == []
    assert judged(types.Image(max_width=9), tmp_path / "a") == ["C211"]


def test_a_huge_tiff_is_not_read(tmp_path: Path) -> None:
    """2 GB with its directory at the end; the file is sparse, so only reading it would cost."""
    offset = 2 * 1024**3
    with (tmp_path / "a.tif").open("wb") as stream:
        stream.write(struct.pack("<2sHI", b"II", 42, offset))
        stream.seek(offset)
        stream.write(
            struct.pack("<H", 2) + struct.pack("<HHII", 256, 4, 1, 90_000) + struct.pack("<HHII", 257, 4, 1, 60_000)
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert look(tmp_path / "a.tif") == Picture("tiff", 90_000, 60_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00+", b"\x00" * 128 + b"DICM", b"")


@given(st.sampled_from(MAGICS), st.binary(max_size=300))
@settings(max_examples=examples(500), deadline=None)
def test_damaged_headers_never_raise(magic: bytes, rest: bytes) -> None:
    inspect(io.BytesIO(magic + rest))
    extension((magic + rest)[:132])


def test_truncated_images_never_raise(corpus: Path) -> None:
    contents = [path.read_bytes()[:4000] for path in (corpus / "images").glob("image*")]
    contents += [path.read_bytes()[:4000] for path in dicom_files()[:10]]
    for content in contents:
        for end in range(0, len(content), 37):
            inspect(io.BytesIO(content[:end]))
