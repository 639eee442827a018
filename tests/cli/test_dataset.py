"""`trivet dataset`, as it is typed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Trivet, written

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(trivet: Trivet, tmp_path: Path) -> Run:
    """Run `trivet dataset` with a home of its own; no fault of a user may look like one of the program."""

    def run(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = trivet("dataset", *words, env={"TRIVET_HOME": str(tmp_path / "home")})
        assert "internal error" not in done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def screen(run: Run, tmp_path: Path) -> str:
    """A dataset of three images, one derived from another."""
    base = str(tmp_path / "plates")
    images = [
        {"zarr_url": f"{base}/p.zarr/B/03/0", "attributes": {"well": "B03", "n": 7}, "types": {"is_3D": True}},
        {"zarr_url": f"{base}/p.zarr/B/04/0", "attributes": {"well": "7", "n": 8}, "types": {"is_3D": True}},
        {
            "zarr_url": f"{base}/p.zarr/B/03/0_mip",
            "origin": f"{base}/p.zarr/B/03/0",
            "attributes": {"well": "B03"},
            "types": {"is_3D": False},
        },
    ]
    written(tmp_path / "screen.json", {"name": "screen", "zarr_dir": base, "images": images})
    run("import", "screen.json")
    return base


def urls(done: subprocess.CompletedProcess[str], base: str) -> list[str]:
    return [line.removeprefix(f"{base}/p.zarr/") for line in done.stdout.splitlines()]


def test_what_was_imported_is_exported_alike(run: Run, screen: str, tmp_path: Path) -> None:
    run("export", "screen", "-o", "again.json")
    before, after = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("screen", "again"))
    for image in before["images"]:
        image.setdefault("origin", None)
    assert after == before
    assert json.loads(run("export", "screen").stdout) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["B/03/0", "B/04/0", "B/03/0_mip"]),
        (["--type", "is_3D=true"], ["B/03/0", "B/04/0"]),
        (["--type", "is_3D=no"], ["B/03/0_mip"]),
        (["--attribute", "well=B03,B04"], ["B/03/0", "B/03/0_mip"]),
        (["--attribute", "well=7"], ["B/04/0"]),
        (["--attribute", "n=7", "--attribute", "n=8"], ["B/03/0", "B/04/0"]),
        (["--attribute", 'well=["B03"]', "--type", "is_3D=true"], ["B/03/0"]),
    ],
)
def test_images_are_chosen(run: Run, screen: str, options: list[str], expected: list[str]) -> None:
    assert urls(run("filter", "screen", *options), screen) == expected


def test_a_filter_that_nobody_can_pass_is_told(run: Run, screen: str) -> None:
    done = run("filter", "screen", "--attribute", "wel=B03", "--type", "is_3d=true")
    assert done.stdout == ""
    assert "no image has the attribute `wel`" in done.stderr
    assert "did you mean `is_3D`?" in done.stderr
    assert "0 of 3 images" in done.stderr
    assert "'maybe'" in run("filter", "screen", "--type", "is_3D=maybe", code=1).stderr
    assert "NAME=VALUE" in run("filter", "screen", "--attribute", "well", code=1).stderr


def test_types_that_some_have_and_others_not_are_told(run: Run, screen: str) -> None:
    assert "others not: is_3D" in run("filter", "screen").stderr
    assert "others not" not in run("filter", "screen", "--type", "is_3D=true").stderr


def test_attributes_are_shown_as_a_table(run: Run, screen: str) -> None:
    lines = [line.split() for line in run("show", "screen", "--limit", "2").stdout.splitlines()]
    assert ["image", "well", "n", "is_3D"] in lines
    assert ["p.zarr/B/03/0", "B03", "7", "yes"] in lines
    assert ["p.zarr/B/04/0", "7", "8", "yes"] in lines
    assert not any("p.zarr/B/03/0_mip" in line for line in lines)
    data = json.loads(run("show", "screen", "--attribute", "well=B03", "--json").stdout)
    assert (data["version"], len(data["images"]), data["by"]) == (1, 2, {"command": "dataset import"})


def test_images_come_and_go_and_every_version_stays(run: Run, screen: str) -> None:
    run("add", "screen", "plates/p.zarr/B/05/0", "--attribute", "well=B05", "--attribute", "n=9", "--type", "is_3D=yes")
    run("remove", "screen", "--type", "is_3D=false")
    run("remove", "screen", f"{screen}/p.zarr/B/04/0")
    assert urls(run("filter", "screen"), screen) == ["B/03/0", "B/05/0"]
    assert urls(run("filter", "screen", "--version", "2"), screen) == ["B/03/0", "B/04/0", "B/03/0_mip", "B/05/0"]
    image = json.loads(run("show", "screen", "--json").stdout)["images"][1]
    assert image["attributes"] == {"well": "B05", "n": 9}
    versions = json.loads(run("show", "screen", "--versions", "--json").stdout)
    assert [(version["version"], version["images"]) for version in versions] == [(1, 3), (2, 4), (3, 3), (4, 2)]
    assert "has no version 9" in run("show", "screen", "--version", "9", code=1).stderr


def test_images_are_added_from_a_file(run: Run, screen: str, tmp_path: Path) -> None:
    more = [{"zarr_url": f"{screen}/p.zarr/B/06/0"}, {"zarr_url": f"{screen}/p.zarr/B/07/0"}]
    written(tmp_path / "more.json", more)
    run("add", "screen", "--from", "more.json")
    written(tmp_path / "bad.json", [*more, {"zarr_url": "/elsewhere"}, {"zarr_url": f"{screen}/x", "types": {"t": 3}}])
    done = run("add", "screen", "--from", "bad.json", code=1)
    assert "/elsewhere" in done.stderr
    assert "type `t`" in done.stderr
    done = run("add", "screen", more[0]["zarr_url"], more[1]["zarr_url"], code=1)
    assert done.stderr.count("in the list already") == 2
    assert "5 of 5 images" in run("filter", "screen").stderr


def test_what_cannot_be_removed_is_told(run: Run, screen: str) -> None:
    assert "not in the list" in run("remove", "screen", "nobody", code=1).stderr
    assert "--attribute" in run("remove", "screen", code=2).stderr


def test_a_bad_file_makes_no_dataset(run: Run, tmp_path: Path) -> None:
    image = {"zarr_url": "/zd/a"}
    written(tmp_path / "bad.json", {"name": "bad", "zarr_dir": "/zd", "images": [image, image, {"zarr_url": "/zd2/b"}]})
    done = run("import", "bad.json", code=1)
    assert "listed twice" in done.stderr
    assert "/zd2/b is not below" in done.stderr
    (tmp_path / "broken.json").write_text('{"name": ')
    for name in ("broken.json", "absent.json", "home"):
        assert name in run("import", name, code=1).stderr
    assert run("list").stdout == ""


def test_faults_of_a_file_are_told_with_line_and_column(run: Run, screen: str, tmp_path: Path) -> None:
    images = ['{"zarr_url": "/zd/a"}', '{"zarr_url": "/zd/b",\n  "attributes": {"n": [1]}}', '"/zd/c"']
    text = '{"name": "bad", "zarr_dir": "/zd",\n"images": [\n' + ",\n".join(images) + "]}"
    (tmp_path / "bad.json").write_text(text)
    told = run("import", "bad.json", code=1).stderr.splitlines()
    assert [line.partition(" ")[0] for line in told] == ["bad.json:5:18:", "bad.json:6:1:"], told
    (tmp_path / "more.json").write_text(f'[\n{{"zarr_url": "{screen}/n", "typs": {{}}}}]')
    assert "more.json:2:" in run("add", "screen", "--from", "more.json").stderr


@pytest.mark.parametrize("url", ["", " ", "http://host/data", "S3://bucket/x"])
def test_what_is_no_place_is_refused(run: Run, url: str) -> None:
    assert "F104" in run("create", "new", "--zarr-dir", url, code=1).stderr
    assert run("list").stdout == ""


def test_places_are_told_by_their_own_names(run: Run, screen: str, tmp_path: Path) -> None:
    done = run("export", "screen", "-o", "no/such/file.json", code=1)
    assert done.stderr.startswith("no/such/file.json: error D010 ")
    run("create", "s3 set", "--zarr-dir", "s3://bucket/dir/")
    assert "directory  s3://bucket/dir\n" in run("show", "s3 set").stdout


def test_two_datasets_on_one_directory_are_told(run: Run, screen: str) -> None:
    assert "dataset screen" in run("create", "below", "--zarr-dir", f"{screen}/p.zarr").stderr
    assert "warning" not in run("create", "aside", "--zarr-dir", f"{screen}-2").stderr
    assert "already" in run("create", "aside", "--zarr-dir", "x", code=1).stderr
    rows = json.loads(run("list", "--json").stdout)
    assert [(row["name"], row["images"]) for row in rows] == [("aside", 0), ("below", 0), ("screen", 3)]


def test_moved_data_are_imported_where_they_are_now(run: Run, screen: str, tmp_path: Path) -> None:
    run("import", "screen.json", "--name", "moved", "--zarr-dir", "new")
    assert urls(run("filter", "moved", "--type", "is_3D=false"), f"{tmp_path}/new") == ["B/03/0_mip"]


def plate(path: Path, *wells: str) -> None:
    written(path / ".zattrs", {"plate": {"wells": [{"path": well} for well in wells]}})
    for well in wells:
        written(path / well / ".zattrs", {"well": {"images": [{"path": "0"}]}})
        scales = [{"axes": [{"name": axis} for axis in "zyx"], "datasets": [{"path": "0"}]}]
        written(path / well / "0/.zattrs", {"multiscales": scales})
        written(path / well / "0/0/.zarray", {"shape": [3, 8, 8]})


def test_data_that_are_there_become_a_dataset(run: Run, tmp_path: Path) -> None:
    plate(tmp_path / "plates/p.zarr", "B/03", "B/04")
    printed = json.loads(run("scan", "plates/p.zarr").stdout)
    assert (printed["name"], printed["zarr_dir"], len(printed["images"])) == ("p", f"{tmp_path}/plates", 2)
    run("scan", "plates", "--name", "screen")
    plate(tmp_path / "plates/p.zarr", "B/03", "B/04", "B/05")
    assert "1 more, 3 images" in run("scan", "plates", "--name", "screen").stderr
    assert "0 more" in run("scan", "plates/p.zarr", "--name", "screen").stderr
    image = json.loads(run("show", "screen", "--json").stdout)["images"][2]
    assert image == {
        "zarr_url": f"{tmp_path}/plates/p.zarr/B/05/0",
        "origin": None,
        "attributes": {"plate": "p.zarr", "well": "B05"},
        "types": {"is_3D": True},
    }


def test_broken_data_are_told_and_the_rest_is_kept(run: Run, tmp_path: Path) -> None:
    plate(tmp_path / "plates/p.zarr", "B/03", "B/04")
    (tmp_path / "plates/p.zarr/B/04/.zattrs").write_text("?")
    assert "B/04/.zattrs" in run("scan", "plates", "--name", "screen", code=1).stderr
    assert "1 of 1 images" in run("filter", "screen").stderr
    assert "no OME-Zarr image" in run("scan", "home", "--name", "none", code=1).stderr
    assert "no directory" in run("scan", "absent", code=1).stderr
    assert "can't be the name" in run("scan", "plates", "--name", "a/b", code=1).stderr


def test_a_name_that_is_not_there_is_told_with_the_nearest(run: Run, screen: str, tmp_path: Path) -> None:
    assert "did you mean `screen`?" in run("show", "scren", code=1).stderr
    assert "p.zarr" in run("show", tmp_path / "home/datasets/screen").stdout
    (tmp_path / "home/datasets/screen/dataset.json").write_text("{")
    for words in (["show"], ["export"], ["filter"], ["remove", "x"], ["add", "x"]):
        assert "damaged" in run(words[0], "screen", *words[1:], code=1).stderr
    assert "damaged" in run("list", code=1).stderr


def test_a_contact_sheet_has_what_can_be_drawn(run: Run, screen: str, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(f"{screen}/p.zarr/B/03/0", mode="w", zarr_format=2)
    group.create_array("0", shape=(4, 4), dtype="uint8")
    group.attrs["multiscales"] = [{"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}]
    done = run("show", "screen", "--contact-sheet", "sheet.png", "--attribute", "well=B03")
    assert "0_mip: warning D012" in done.stderr
    assert "2 images" in done.stderr
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    run("create", "far", "--zarr-dir", "s3://bucket/data")
    run("add", "far", "s3://bucket/data/p.zarr/B/03/0")
    far = run("show", "far", "--contact-sheet", "far.png").stderr
    assert "only images on this machine are drawn" in far
    assert "far.png: 1 image\n" in far
    assert "D012" in run("show", "screen", "--contact-sheet", "no/such/sheet.png", code=1).stderr
